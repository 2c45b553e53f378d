"""Several roles in one annotation: each serves the registries of its own account."""

from collections.abc import Sequence

import pytest

from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.secret import role_annotation
from pullkeeper.domain.secret.desired_state import desired_state
from pullkeeper.domain.secret.role_annotation import MAX_ROLES
from pullkeeper.domain.views.namespace_status import StatusRules, namespace_status
from testsupport.examples import EU, EU_OTHER_ACCOUNT, NOW, PUBLIC, US, managed, published

ONE, OTHER = "arn:aws:iam::123456789012:role/one", "arn:aws:iam::210987654321:role/team/other"
SECOND = "arn:aws:iam::123456789012:role/second"
CHINA = parse("345678901234.dkr.ecr.cn-north-1.amazonaws.com.cn")
OF_CHINA = "arn:aws-cn:iam::345678901234:role/china"
ACROSS = "credentials are not valid across partitions"
ANY = Policy(roles=(RoleGrant(role="*"),))


def asking(roles: str, *hosts: RegistryHost) -> ObservedNamespace:
    annotations = {"enabled": "true", "role-arn": roles, "registries": "\n".join(map(str, hosts))}
    written = {f"{PREFIX}{key}": value for key, value in annotations.items() if value}
    return observe_namespace({"name": "team-a", "resourceVersion": "1", "annotations": written})


def served(roles: str, *hosts: RegistryHost, policy: Policy = ANY) -> dict[RegistryHost, str]:
    found = desired_state(asking(roles, *hosts), policy)
    assert found is not None
    return dict(found.identity_names)


def problems(roles: str, *hosts: RegistryHost) -> Sequence[str]:
    """Return what is found and what is expected instead, of each problem."""
    with pytest.raises(InvalidInputError) as caught:
        desired_state(asking(roles, *hosts), ANY)
    assert {each.where for each in caught.value.problems} == {f"{PREFIX}role-arn"}
    return [f"{each.found}: {each.expected}" for each in caught.value.problems]


@pytest.mark.parametrize("separator", ["\n", ",", ", ", ",\n", "\n\n  ", " \n"])
def test_each_role_serves_the_registries_of_its_account(separator: str) -> None:
    """In whatever order, and whatever separates them."""
    expected = {EU: ONE, US: ONE, EU_OTHER_ACCOUNT: OTHER}
    for roles in ((ONE, OTHER), (OTHER, ONE)):
        assert served(separator.join(roles), EU, US, EU_OTHER_ACCOUNT) == expected
        assert served(separator.join(roles) + separator.strip(" "), EU, US, EU_OTHER_ACCOUNT) == expected


def test_roles_of_several_partitions_serve_one_pull_secret() -> None:
    """ECR Public is served by the first of its own partition."""
    assert served(f"{OF_CHINA}\n{OTHER}\n{ONE}", EU, EU_OTHER_ACCOUNT, CHINA, PUBLIC) == {
        EU: ONE,
        EU_OTHER_ACCOUNT: OTHER,
        CHINA: OF_CHINA,
        PUBLIC: OTHER,
    }


def test_one_role_serves_every_registry() -> None:
    """Accounts may let it in by their repository policies."""
    assert served(ONE, EU, EU_OTHER_ACCOUNT, PUBLIC) == dict.fromkeys((EU, EU_OTHER_ACCOUNT, PUBLIC), ONE)


@pytest.mark.parametrize("name", ["a,b", "a,arn", ",,a"])
def test_name_of_a_role_may_have_commas(name: str) -> None:
    """IAM allows them: only one that an ARN or a line follows is a separator."""
    arn = f"arn:aws:iam::123456789012:role/{name}"
    assert role_arn.parts(arn) == [arn]
    assert role_arn.parts(f"{arn},{OTHER}") == [arn, OTHER]


@pytest.mark.parametrize(
    ("roles", "hosts", "expected"),
    [
        (
            (ONE, OTHER),
            (EU,),
            [f'"{OTHER}": {role_annotation.NO_REGISTRY}'],
        ),
        (
            (ONE, SECOND),
            (EU,),
            [f'"{SECOND}": one role for each account, of which there is already {ONE}'],
        ),
        (
            (OTHER, ONE, ONE),
            (EU, EU_OTHER_ACCOUNT),
            [f'"{ONE}": one role for each account, of which there is already {ONE}'],
        ),
        (
            (ONE, OF_CHINA),
            (EU, CHINA, EU_OTHER_ACCOUNT),
            [f"no role for {EU_OTHER_ACCOUNT}: one of its account 210987654321"],
        ),
        (
            (OF_CHINA, "arn:aws-us-gov:iam::123456789012:role/x"),
            (PUBLIC, EU, CHINA),
            [
                f"no role for {PUBLIC}: one of the partition aws",
                f"a role of the partition aws-us-gov: one of aws, the partition of {EU}: {ACROSS}",
            ],
        ),
        (
            ("arn:aws-us-gov:iam::123456789012:role/x", OTHER),
            (EU, US),
            [
                f"a role of the partition aws-us-gov: one of aws, the partition of {EU}: {ACROSS}",
                f'"{OTHER}": {role_annotation.NO_REGISTRY}',
            ],
        ),
        (
            (ONE, "x", "arn:aws:sts::123456789012:assumed-role/one/me"),
            (EU,),
            [f'"x": {role_arn.FORM}', f'"arn:aws:sts::123456789012:assumed-role/one/me": {role_arn.NOT_A_SESSION}'],
        ),
    ],
)
def test_roles_that_fit_no_registry_or_the_same_are_reported(
    roles: Sequence[str], hosts: Sequence[RegistryHost], expected: Sequence[str]
) -> None:
    """Before any call."""
    assert problems("\n".join(roles), *hosts) == expected


def test_number_of_roles_is_limited() -> None:
    """Of more none is read."""
    roles = [f"arn:aws:iam::{number:012}:role/x" for number in range(MAX_ROLES + 1)]
    hosts = [parse(f"{number:012}.dkr.ecr.eu-west-1.amazonaws.com") for number in range(MAX_ROLES + 1)]
    assert len(served("\n".join(roles[1:]), *hosts[1:])) == MAX_ROLES
    assert problems("\n".join(roles), *hosts) == [f"{MAX_ROLES + 1} roles: at most {MAX_ROLES}"]


def test_each_role_has_to_be_allowed_for_what_it_serves() -> None:
    """And for nothing else."""
    for_its_account = tuple(RoleGrant(role=role, registries=(f"{role[13:25]}.*",)) for role in (ONE, OTHER))
    assert len(served(f"{ONE}\n{OTHER}", EU, EU_OTHER_ACCOUNT, policy=Policy(roles=for_its_account))) == 2
    for grant, refused in zip(for_its_account, (OTHER, ONE), strict=True):
        with pytest.raises(FailureError, match=f"the role {refused}") as caught:
            desired_state(asking(f"{ONE}\n{OTHER}", EU, EU_OTHER_ACCOUNT), Policy(roles=(grant,)))
        assert caught.value.failure.reason is Reason.ROLE_NOT_ALLOWED


def test_default_registries_whose_roles_are_not_allowed_are_left_out() -> None:
    """Each with its reason, while another is left; of those that the namespace names itself none is."""
    roles, hosts = f"{ONE}\n{OTHER}\n{OF_CHINA}", (EU, EU_OTHER_ACCOUNT, CHINA)
    policy = Policy(registries=hosts, roles=(RoleGrant(role=ONE),))
    found = desired_state(asking(roles), policy)
    assert found is not None
    assert found.identity_names == {EU: ONE}
    refusal = (
        "the installation does not let this namespace use the role {}: whoever runs Pullkeeper can allow it in the "
        "settings, under `roles`"
    )
    assert found.left_out == {EU_OTHER_ACCOUNT: refusal.format(OTHER), CHINA: refusal.format(OF_CHINA)}
    with pytest.raises(FailureError):
        desired_state(asking(roles, *hosts), policy)


def test_status_names_each_role() -> None:
    """With its registries, or without any where the settings and so the default registries are not known."""
    roles = f"{ONE}\n{OTHER}"
    held = managed(published(EU, EU_OTHER_ACCOUNT))
    request = NamespaceRequest(namespace=asking(roles, EU, EU_OTHER_ACCOUNT), first_requested_at=None)
    found = namespace_status(request, held, StatusRules(policy=ANY), NOW)
    assert found is not None
    assert found.identities == {ONE: [EU.name], OTHER: [EU_OTHER_ACCOUNT.name]}
    assert found.problems == (
        f"still fetched as controller for {EU}; {ONE} is requested",
        f"still fetched as controller for {EU_OTHER_ACCOUNT}; {OTHER} is requested",
    )
    unknown = NamespaceRequest(namespace=asking(roles), first_requested_at=None)
    shown = namespace_status(unknown, None, StatusRules(), NOW)
    assert shown is not None
    assert shown.identities == {ONE: (), OTHER: ()}
