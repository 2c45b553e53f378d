"""What must exist in AWS for the controller's identities by registry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pullkeeper.domain.config.own_sources import KeysFile, Profile, WebIdentityFile
from pullkeeper.domain.config.policy import NOBODY, Matcher, OwnIdentity, Policy, RoleGrant
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views import iam_kubelet
from pullkeeper.domain.views.iam_controller import Controller, with_identities
from pullkeeper.domain.views.iam_needs import plan
from pullkeeper.domain.views.iam_plan import Plan, Role
from testsupport.iam_examples import (
    ANYWHERE,
    BY_REGISTRY,
    CHINA,
    CHINAS_ROLE,
    CONTROLLER_OF_IT,
    CONTROLLERS_ROLE,
    EDGE,
    EDGES_ANCHOR,
    EDGES_ROLE,
    GOV,
    IRELAND,
    PUBLIC,
    RED,
    SHARED,
    asked,
    by_registry,
    desired_by_registry,
)

OTHER = "arn:aws:iam::555555555555:role/other"
EVERYBODY = Matcher(names=("*",))


def planned(
    policy: Policy | None = None, found: Mapping[str, DesiredState] | None = None, *, only: str = "", **changes: Any
) -> Plan:
    given = policy or by_registry()
    controller = with_identities(replace(CONTROLLER_OF_IT, **changes), given, {"edge": "pullkeeper"})
    return plan(given, controller, found or {}, only=only)


def roles(found: Plan) -> Mapping[str, Role]:
    return {role.arn.text: role for account in found.accounts for role in account.roles}


def pulled(role: Role) -> list[str]:
    return [each for statement in role.permissions if statement.sid == "Pull" for each in statement.resources]


def assumed(role: Role) -> list[str]:
    return [each for statement in role.permissions if statement.sid == "AssumeRoles" for each in statement.resources]


def principals(role: Role) -> list[str]:
    return [each for statement in role.trust for each in statement.principals]


def web(name: str, role: str, *registries: str) -> OwnIdentity:
    source = WebIdentityFile(role=role_arn.parse(role), token_file="/token")
    return OwnIdentity(name=name, registries=registries, source=source)


def test_each_identity_reads_the_registries_that_it_serves() -> None:
    """In its own account and partition, taken with what it has: a token of the cluster, or a certificate."""
    found = planned()
    assert {arn: pulled(role) for arn, role in roles(found).items() if arn != RED} == {
        CONTROLLERS_ROLE: ["arn:aws:ecr:eu-west-1:123456789012:repository/*"],
        CHINAS_ROLE: ["arn:aws-cn:ecr:cn-north-1:123456789012:repository/*"],
        EDGES_ROLE: ["arn:aws:ecr:eu-west-1:666666666666:repository/*"],
    }
    providers = {each.arn: each.audiences for account in found.accounts for each in account.providers}
    assert providers == {
        "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/prod-1": ("sts.amazonaws.com",),
        "arn:aws-cn:iam::123456789012:oidc-provider/oidc.example.com/prod-1": ("sts.amazonaws.com.cn",),
    }
    anchors = {account.label: [each.trust_anchor for each in account.anywhere] for account in found.accounts}
    assert {label: given for label, given in anchors.items() if given} == {"666666666666": [EDGES_ANCHOR]}
    assert principals(roles(found)[EDGES_ROLE]) == ["rolesanywhere.amazonaws.com"]
    assert [each for each in found.notes if "cannot read" in each or "certificate" in each] == []


def test_a_role_is_assumed_by_the_identity_that_serves_its_registries() -> None:
    """Whether or not a namespace asks for it; its trust policy names that identity's role and no other."""
    for found in ({}, desired_by_registry()):
        given = roles(planned(found=found))
        assert principals(given[RED]) == [CHINAS_ROLE] * 3
        assert {arn: assumed(role) for arn, role in given.items() if assumed(role)} == {CHINAS_ROLE: [RED]}


def test_a_role_without_registries_is_assumed_where_credentials_are_valid() -> None:
    """By the identity without a name if it can, else by the first of that partition."""
    grants = tuple(RoleGrant(role=role, namespaces=EVERYBODY, registries=("none",)) for role in (RED, OTHER))
    given = roles(planned(replace(by_registry(), roles=grants)))
    assert (principals(given[RED]), principals(given[OTHER])) == ([CHINAS_ROLE], [CONTROLLERS_ROLE])
    nowhere = RED.replace("aws-cn", "aws-iso")
    alone = planned(replace(by_registry(), roles=(RoleGrant(role=nowhere, namespaces=EVERYBODY),)))
    assert f"{nowhere} is left out: the controller's credentials are of aws" in alone.notes


def test_a_namespaces_part_has_what_it_needs_of_each_identity() -> None:
    """As a policy beside the others of that role; of identities that serve it nothing, there is none."""
    found = {**desired_by_registry(), "far": asked(by_registry(), "far", registries=f"{SHARED}, {EDGE}")}
    part = roles(planned(found=found, only="red-1"))
    assert {arn: (role.exists, role.policy_name) for arn, role in part.items()} == {
        CHINAS_ROLE: (True, "pullkeeper-red-1"),
        RED: (False, "pullkeeper"),
    }
    far = roles(planned(found=found, only="far"))
    assert {arn: pulled(role) for arn, role in far.items()} == {
        CONTROLLERS_ROLE: ["arn:aws:ecr:us-east-1:555555555555:repository/*"],
        EDGES_ROLE: ["arn:aws:ecr:eu-west-1:666666666666:repository/*"],
    }


def test_two_identities_may_be_one_role() -> None:
    """It is taken by both, with statements of different names, and may do what both need."""
    first, second = (replace(ANYWHERE, trust_anchor=ANYWHERE.trust_anchor[:-1] + end) for end in "ab")
    policy = Policy(
        registries=(IRELAND, SHARED, PUBLIC),
        identities=(
            OwnIdentity(name="a", registries=(IRELAND.name,), source=first),
            OwnIdentity(name="b", registries=(SHARED.name,), source=second),
            web("c", CONTROLLERS_ROLE, PUBLIC.name),
        ),
    )
    (role,) = roles(found := planned(policy)).values()
    assert [each.sid for each in role.trust] == ["RolesAnywhere1", "RolesAnywhere2", "ServiceAccounts"]
    assert len(pulled(role)) == 2
    assert [each.trust_anchor for each in found.accounts[0].anywhere] == [first.trust_anchor, second.trust_anchor]
    assert len([each for each in found.notes if "--certificate-name" in each]) == 2
    assert role.why.startswith("The controller's own, for ")


def test_two_identities_may_assume_one_role() -> None:
    """Each for the namespaces whose registries it serves."""
    policy = Policy(
        identities=(web("other", OTHER, "555555555555.*"),), roles=(RoleGrant(role=EDGES_ROLE, namespaces=EVERYBODY),)
    )
    found = {
        name: asked(policy, name, role_arn=EDGES_ROLE, registries=host.name)
        for name, host in (("a", IRELAND), ("b", SHARED))
    }
    given = roles(planned(policy, found))
    assert [list(each.principals) for each in given[EDGES_ROLE].trust] == [[CONTROLLERS_ROLE, OTHER]]
    assert assumed(given[CONTROLLERS_ROLE]) == assumed(given[OTHER]) == [EDGES_ROLE]
    assert given[OTHER].why == "The controller's identity other, to assume other roles"


def test_where_namespaces_ask_their_registries_say_who_assumes_a_role() -> None:
    """Whoever serves the default registries is not trusted beside that."""
    policy = Policy(
        registries=(IRELAND,),
        identities=(web("other", OTHER, "555555555555.*"),),
        roles=(RoleGrant(role=EDGES_ROLE, namespaces=EVERYBODY),),
    )
    assert principals(roles(planned(policy))[EDGES_ROLE]) == [CONTROLLERS_ROLE]
    found = {"a": asked(policy, "a", role_arn=EDGES_ROLE, registries=SHARED.name)}
    assert principals(roles(planned(policy, found))[EDGES_ROLE]) == [OTHER]


def test_an_identity_with_nothing_to_do_is_there_without_permissions() -> None:
    """Namespaces may ask for the registries of its pattern later; in a namespace's part it is not."""
    policy = Policy(registries=(IRELAND,), identities=(web("none", OTHER, "*.us-west-2.*"),))
    role = roles(planned(policy))[OTHER]
    assert (role.permissions, bool(role.trust)) == ((), True)
    assert role.why == "The controller's identity none, for what namespaces will ask for"
    assert OTHER not in roles(planned(policy, {"a": asked(policy, "a")}, only="a"))


def test_an_identity_that_may_be_anybody_hides_no_other_of_the_same_namespace() -> None:
    """Its role is not known, that of the others is."""
    keys = OwnIdentity(name="keys", registries=(IRELAND.name,), source=KeysFile(path="/keys"))
    policy = Policy(identities=(keys,))
    found = {"a": asked(policy, "a", registries=f"{IRELAND}, {SHARED}")}
    assert pulled(roles(planned(policy, found))[CONTROLLERS_ROLE]) == [
        "arn:aws:ecr:us-east-1:555555555555:repository/*"
    ]


@pytest.mark.parametrize("policy", [Policy(controller_identity=NOBODY), Policy()])
def test_registries_that_nobody_may_use_are_left_out(policy: Policy) -> None:
    """Either nobody may use the controller's identities, or nobody this one."""
    own = web("own", OTHER, IRELAND.name)
    if policy.controller_identity != NOBODY:
        own = replace(own, namespaces=NOBODY.namespaces)
    assert not any(role.permissions for role in roles(planned(replace(policy, identities=(own,)))).values())
    assert pulled(roles(planned(Policy(identities=(web("own", OTHER, IRELAND.name),))))[OTHER])


@pytest.mark.parametrize("source", [KeysFile(path="/keys"), Profile(name="gov")])
def test_what_an_identity_needs_that_may_be_anybody_is_a_note(source: KeysFile | Profile) -> None:
    """So are the roles that it assumes: nothing is guessed. Of registries in another partition there is none."""
    role = "arn:aws-us-gov:iam::777777777777:role/x"
    gov = OwnIdentity(name="gov", registries=("*.us-gov-west-1.*",), source=source)
    policy = Policy(registries=(GOV,), identities=(gov,), roles=(RoleGrant(role=role, namespaces=EVERYBODY),))
    found = planned(policy)
    assert [(arn, role.permissions) for arn, role in roles(found).items()] == [(CONTROLLERS_ROLE, ())]
    (need,) = [each for each in found.notes if "it needs" in each]
    assert need.startswith("only its credentials tell who the controller's identity gov is: it needs ecr:GetAuth")
    assert "arn:aws-us-gov:ecr:us-gov-west-1:777777777777:repository/*" in need
    why = "the controller's identity gov assumes it, and only its credentials tell who that is"
    assert f"{role} is left out: {why}" in found.notes
    found = planned(replace(policy, registries=()), {"a": asked(policy, "a", registries=GOV.name)})
    assert need in found.notes
    assert not [each for each in planned(replace(policy, registries=())).notes if "it needs" in each]


def kubelet(policy: Policy, **found: DesiredState) -> str:
    return iam_kubelet.as_text(with_identities(CONTROLLER_OF_IT, policy, {}), found)


def test_the_kubelets_role_is_beside_the_identity_that_serves_the_registries() -> None:
    """In its account and partition; pods never get the identity's own role."""
    policy = by_registry()
    text = kubelet(policy, team=asked(policy, "team", registries=CHINA.name))
    assert "arn:aws-cn:iam::123456789012:role/pullkeeper-kubelet" in text
    assert "arn:aws-cn:iam::123456789012:oidc-provider/oidc.example.com/prod-1" in text
    assert CHINAS_ROLE + '"' not in text
    assert "in namespace team" not in text


def test_of_an_identity_that_may_be_anybody_the_kubelets_role_is_in_the_registrys_account() -> None:
    """Which needs no repository policy; for ECR Public any account will do, and none is guessed."""
    policy = replace(by_registry(), identities=(OwnIdentity(name="x", registries=("*",), source=Profile(name="x")),))
    text = kubelet(policy, team=asked(policy, "team", registries=f"{PUBLIC}, {GOV}"))
    assert "in namespace team: arn:aws-us-gov:iam::777777777777:role/pullkeeper-kubelet cannot read public.ecr.aws" in (
        text
    )
    assert "arn:aws-us-gov:iam::777777777777:role/pullkeeper-kubelet" in kubelet(
        policy, team=asked(policy, "team", registries=GOV.name)
    )
    text = kubelet(policy, team=asked(policy, "team", registries=PUBLIC.name))
    assert "in namespace team: nothing says in which account a role for its pods could be" in text


def test_several_identities_keep_the_pull_secret() -> None:
    """A pod's ServiceAccount has one role."""
    policy = by_registry()
    text = kubelet(policy, plain=asked(policy, "plain"))
    assert "in namespace plain: its registries need several roles" in text


def test_the_identities_of_the_settings_keep_the_controllers_own_subject() -> None:
    """The pod is the same; only role, audience and certificate differ."""
    china, edge = BY_REGISTRY.named["china"], BY_REGISTRY.named["edge"]
    assert isinstance(china, Controller)
    assert (china.subject, china.audience, china.anywhere) == (CONTROLLER_OF_IT.subject, "sts.amazonaws.com.cn", None)
    assert (edge.certificate_name, set(BY_REGISTRY.named)) == ("pullkeeper", {"china", "edge"})
    by_certificate = replace(CONTROLLER_OF_IT, anywhere=ANYWHERE, certificate_name="own")
    named = with_identities(by_certificate, by_registry(), {}).named
    assert (named["china"].anywhere, named["edge"].certificate_name) == (None, "")
