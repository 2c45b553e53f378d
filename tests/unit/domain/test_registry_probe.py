"""Verdicts on tokens from the responses of registries, and the failure for a refusal."""

import pytest

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import (
    Verdict,
    is_verifiable,
    probe_result,
    rejected_failure,
)
from pullkeeper.domain.errors.failures import Reason
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOSTS, PUBLIC, scope


@pytest.mark.parametrize("status", [400, 401, 403])
def test_registry_refuses_a_token(status: int) -> None:
    """ECR responds with 400 to a token of another region, 401 to an unknown one and 403 to an expired one."""
    assert probe_result(status, from_registry=True).verdict is Verdict.REJECTED


@pytest.mark.parametrize("status", [200, 400, 401, 403, 407])
def test_only_the_registry_itself_gives_a_verdict(status: int) -> None:
    """A proxy that responds with 403 would stop every rotation; its login page would accept what was refused."""
    assert probe_result(status, from_registry=False).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("from_registry", [True, False])
@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 404, 405, 408, 429, 500, 502, 503, 504])
def test_other_statuses_are_no_verdict(status: int, *, from_registry: bool) -> None:
    """Redirects, throttling and errors say nothing about the token."""
    assert probe_result(status, from_registry=from_registry).verdict is Verdict.UNREACHABLE


def test_success_means_acceptance() -> None:
    """A login gets 200."""
    assert probe_result(200, from_registry=True).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("host", HOSTS)
def test_only_ecr_public_cannot_be_verified(host: RegistryHost) -> None:
    """It needs `Bearer`, and refuses even a valid token as `Basic`."""
    assert is_verifiable(host) is (host is not PUBLIC)


def test_refusal_names_registry_identity_and_region() -> None:
    """These are what is needed to reproduce it by hand."""
    failure = rejected_failure(scope(EU), {EU_OTHER_ACCOUNT: "status 401", EU: "status 401"})
    assert failure.reason is Reason.REGISTRY_REJECTED
    assert failure.message == (
        f"{EU}, {EU_OTHER_ACCOUNT} refuses the new token of controller in eu-west-1, so its entry in the pull Secret "
        "stays as it is: log in there by hand as that identity, and check for a revoked session, a closed account, or "
        "a proxy that responds in the registry's place"
    )
    assert failure.detail_suffix == " [status 401]"
    two = rejected_failure(scope(EU), {EU_OTHER_ACCOUNT: "status 403", EU: "status 401"})
    assert two.detail == "status 401, status 403"


def test_result_has_its_reason() -> None:
    """The status, and whether it came from the registry."""
    assert probe_result(403, from_registry=True).why == "status 403"
    assert probe_result(403, from_registry=False).why == "status 403, not from the registry"
