"""What would take the place of pull Secrets, and which would still be needed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.policy import Matcher, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.iam.identity import Session, role
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views.iam_kubelet import as_text, reasons
from testsupport import golden
from testsupport.iam_examples import (
    CONTROLLER_OF_IT,
    CONTROLLERS_ROLE,
    GREEN,
    IRELAND,
    OWN,
    PUBLIC,
    SHARED,
    asked,
    desired,
    desired_states,
    own_account,
)

GOLDEN = Path(__file__).parent / "golden"
FIPS = parse("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com")
CHINA = parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")


def documents(**found: DesiredState) -> list[Mapping[str, Any]]:
    text = as_text(CONTROLLER_OF_IT, {name.replace("_", "-"): each for name, each in found.items()})
    return [each for each in yaml.safe_load_all(text) if each]


def accounts(**found: DesiredState) -> Mapping[str, str]:
    annotated = [each["metadata"] for each in documents(**found) if each["kind"] == "ServiceAccount"]
    return {f"{each['namespace']}/{each['name']}": next(iter(each["annotations"].values())) for each in annotated}


def test_the_whole_matches_the_golden_file() -> None:
    """Configuration, right, ServiceAccounts, policies, and what stays."""
    golden.check(GOLDEN / "iam-kubelet.txt", as_text(CONTROLLER_OF_IT, desired_states()) + "\n")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (desired(), ""),
        (desired(identity=own_account("team-a")), ""),
        (desired(identity=role(GREEN, Session(name="s", source_identity="x"))), ""),
        (desired(identity=role(GREEN, Session(name="s", external_id="x"))), "ExternalId"),
        (desired(identity=role(GREEN, Session(name="s", tags=(("a", "b"),)))), "session tags"),
        (desired(identity=own_account("team-a", audience="x.com")), "for x.com"),
        (desired(FIPS), f"without FIPS for {FIPS}"),
        (desired(IRELAND, CHINA), f"cannot read {CHINA}"),
        (
            DesiredState(identities={IRELAND: role(GREEN, Session(name="s")), PUBLIC: role(OWN, Session(name="s"))}),
            "its registries need several roles, and a pod's ServiceAccount has one",
        ),
    ],
)
def test_what_the_provider_cannot_do_keeps_the_pull_secret(given: DesiredState, words: str) -> None:
    """With the reason; everything else can go."""
    found = reasons(given, CONTROLLER_OF_IT)
    assert (len(found), words in "".join(found)) == (1 if words else 0, True)
    text = as_text(CONTROLLER_OF_IT, {"team-a": given})
    assert ("# - in namespace team-a: " in text) == bool(words)
    assert bool(accounts(team_a=given)) != bool(words)


def test_pods_never_get_the_controllers_own_role() -> None:
    """It may assume the roles of all tenants; a role of its own may pull and no more."""
    policy = Policy(registries=(IRELAND,), roles=(RoleGrant(role=GREEN, namespaces=Matcher(names=("green",))),))
    found = {"plain": desired(), "green": asked(policy, "green", role_arn=GREEN)}
    assert accounts(**found) == {
        "green/default": GREEN,
        "plain/default": "arn:aws:iam::123456789012:role/pullkeeper-kubelet",
    }
    text = as_text(CONTROLLER_OF_IT, found)
    assert f"{CONTROLLERS_ROLE} " not in text
    assert 'sts:AssumeRole"' not in text


@pytest.mark.parametrize(
    ("attached", "names"),
    [
        (ServiceAccountNames(names=frozenset({"build", "app"})), {"team-a/app", "team-a/build", "team-a/puller"}),
        (ServiceAccountNames(every=True), {"team-a/puller"}),
    ],
)
def test_the_service_accounts_that_the_annotations_name_are_annotated(
    attached: ServiceAccountNames, names: set[str]
) -> None:
    """The one whose role it is, and those that have the pull Secret today."""
    given = replace(desired(identity=own_account("team-a")), service_accounts=attached)
    assert accounts(team_a=given) == dict.fromkeys(names, OWN)
    assert set(accounts(team_a=replace(desired(), service_accounts=attached))) == (
        names - {"team-a/puller"} or {"team-a/default"}
    )


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        (IRELAND, "*.dkr.ecr.*.amazonaws.com"),
        (parse("123456789012.dkr-ecr.eu-west-1.on.aws"), "*.dkr-ecr.*.on.aws"),
        (PUBLIC, "public.ecr.aws"),
    ],
)
def test_the_configuration_matches_hosts_of_the_same_form(host: RegistryHost, pattern: str) -> None:
    """One pattern for all accounts and regions: nodes need not be changed with each registry."""
    config = documents(a=desired(host), b=desired(host))[0]
    assert config["kind"] == "CredentialProviderConfig"
    assert config["providers"][0]["matchImages"] == [pattern]


def test_kubelets_may_ask_for_the_audience_and_nothing_else() -> None:
    """By the verb that the API server has for it, on the audience as a resource."""
    found = documents(a=desired(SHARED))
    (rights,) = [each for each in found if each["kind"] == "ClusterRole"]
    assert rights["rules"] == [
        {"apiGroups": [""], "resources": ["sts.amazonaws.com"], "verbs": ["request-serviceaccounts-token-audience"]}
    ]
    assert found[0]["providers"][0]["tokenAttributes"]["serviceAccountTokenAudience"] == "sts.amazonaws.com"


def test_without_a_namespace_there_is_still_a_configuration() -> None:
    """The kubelet refuses one without patterns."""
    assert documents()[0]["providers"][0]["matchImages"] == ["public.ecr.aws", "ecr-public.aws.com"]
