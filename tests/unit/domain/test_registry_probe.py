"""What a registry's answer means, and what is said of one that refuses."""

import pytest

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import (
    RegistryCredential,
    Verdict,
    is_verifiable,
    probe_result,
    rejected_failure,
)
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOSTS, PUBLIC, scope, times


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_registry_that_refuses_is_believed(status: int) -> None:
    """ECR says 400 to a token of another region, 401 to none that it knows and 403 to one that has expired."""
    assert probe_result(status, from_registry=True).verdict is Verdict.REJECTED


@pytest.mark.parametrize("status", [400, 401, 403, 407])
def test_nobody_else_refuses_for_a_registry(status: int) -> None:
    """A proxy on the way that says no would stop every rotation if it were believed."""
    assert probe_result(status, from_registry=False).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("from_registry", [True, False])
@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 404, 405, 408, 429, 500, 502, 503, 504])
def test_what_says_neither_yes_nor_no_is_no_verdict(status: int, *, from_registry: bool) -> None:
    """Redirects, too many requests and errors tell nothing of the token."""
    assert probe_result(status, from_registry=from_registry).verdict is Verdict.UNREACHABLE


def test_success_is_acceptance() -> None:
    """200 is what a login gets."""
    assert probe_result(200, from_registry=True).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("host", HOSTS)
def test_only_ecr_public_cannot_be_asked(host: RegistryHost) -> None:
    """It wants `Bearer`, and refuses even a good token as `Basic`."""
    assert is_verifiable(host) is (host is not PUBLIC)


def test_a_refusal_names_who_refuses_what_and_as_whom() -> None:
    """The one who can mend it reads the registries, the identity and the region."""
    failure = rejected_failure(scope(EU), {EU_OTHER_ACCOUNT: "status 401", EU: "status 401"})
    assert failure.reason is Reason.REGISTRY_REJECTED
    assert failure.message.startswith(f"{EU}, {EU_OTHER_ACCOUNT} refuses the new token of controller in eu-west-1")
    assert failure.detail_suffix == " [status 401]"


def test_an_outcome_says_by_what_it_came_about() -> None:
    """Whoever looks for the cause learns the status, and whether it was the registry that spoke."""
    assert probe_result(403, from_registry=True).why == "status 403"
    assert probe_result(403, from_registry=False).why == "status 403, not from the registry"


def test_a_use_knows_the_scope_of_its_token() -> None:
    """The registry and the identity tell which token it is."""
    assert RegistryCredential(identity=CONTROLLER, host=EU, validity=times()).scope == scope(EU)
