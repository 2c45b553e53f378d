"""What must exist in AWS, from the settings and the namespaces that ask."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from pullkeeper.domain.config.policy import ANYBODY, NOBODY, Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.iam import identity, role_arn
from pullkeeper.domain.iam.identity import Session
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views.iam_documents import as_json
from pullkeeper.domain.views.iam_needs import plan
from pullkeeper.domain.views.iam_plan import Plan, Role, Statement
from testsupport.iam_examples import (
    ANYWHERE,
    BLUE,
    CONTROLLER_OF_IT,
    CONTROLLERS_ROLE,
    GREEN,
    IRELAND,
    ISSUER,
    OWN,
    PUBLIC,
    SETTINGS,
    SHARED,
    asked,
    desired,
    desired_states,
    own_account,
)

EVERYBODY = Matcher(names=("*",))
CHINA = parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/prod-1"
PULLS = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


def planned(
    policy: Policy = SETTINGS, found: Mapping[str, DesiredState] | None = None, *, only: str = "", **changes: Any
) -> Plan:
    return plan(policy, replace(CONTROLLER_OF_IT, **changes), found or {}, only=only)


def roles(found: Plan) -> Mapping[str, Role]:
    return {role.arn.text: role for account in found.accounts for role in account.roles}


def allowed(statements: tuple[Statement, ...]) -> Mapping[str, list[str]]:
    return {action: list(each.resources) for each in statements for action in each.actions}


def trust(role: Role) -> Mapping[str, Mapping[str, Any]]:
    document = role.trust_document()
    return {each["Sid"]: each for each in document["Statement"]}


def test_the_controllers_role_pulls_from_the_registries_of_the_settings() -> None:
    """With exactly its ServiceAccount as subject, and only the accounts and regions of its registries."""
    (account,) = planned(Policy(registries=(IRELAND,))).accounts
    (role,), (provider,) = account.roles, account.providers
    assert (account.number, account.region) == ("123456789012", "eu-west-1")
    assert (provider.arn, provider.issuer, provider.audiences) == (PROVIDER, ISSUER, ("sts.amazonaws.com",))
    repositories = ["arn:aws:ecr:eu-west-1:123456789012:repository/*"]
    assert allowed(role.permissions) == {"ecr:GetAuthorizationToken": ["*"], **dict.fromkeys(PULLS, repositories)}
    assert trust(role)["ServiceAccounts"]["Principal"] == {"Federated": PROVIDER}
    assert trust(role)["ServiceAccounts"]["Condition"] == {
        "StringEquals": {
            "oidc.example.com/prod-1:aud": "sts.amazonaws.com",
            "oidc.example.com/prod-1:sub": "system:serviceaccount:pullkeeper-system:pullkeeper",
        }
    }


def test_ecr_public_needs_its_own_action_and_a_bearer_token() -> None:
    """And nothing of private registries."""
    role = roles(planned(Policy(registries=(PUBLIC,))))[CONTROLLERS_ROLE]
    assert set(allowed(role.permissions)) == {"ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"}


def test_a_role_that_the_settings_name_is_trusted_and_assumed() -> None:
    """With ExternalId, session tags and SourceIdentity, each allowed on both sides, whether or not anybody asks."""
    for found in ({}, {"blue-1": asked(SETTINGS, "blue-1", role_arn=BLUE)}):
        both = roles(planned(found=found))
        own, blue = both[CONTROLLERS_ROLE], both[BLUE]
        for action in ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"):
            assert allowed(own.permissions)[action] == [BLUE]
        statements = trust(blue)
        assert {each["Principal"]["AWS"] for each in statements.values()} == {CONTROLLERS_ROLE}
        assert statements["Pullkeeper"]["Condition"] == {"StringEquals": {"sts:ExternalId": "3f1c8a"}}
        assert statements["SessionTags"]["Condition"] == {
            "StringEquals": {"aws:RequestTag/pullkeeper-cluster": "prod-1"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["pullkeeper-cluster", "pullkeeper-namespace"]},
        }
        assert statements["SourceIdentity"]["Condition"] == {
            "StringEquals": {"sts:SourceIdentity": "pullkeeper-prod-1"}
        }
        assert (blue.name, blue.path) == ("pull-blue", "/team/")


def test_a_role_without_extras_is_only_assumed() -> None:
    """No condition, no tags, no SourceIdentity."""
    both = roles(planned(found={"green-1": asked(SETTINGS, "green-1", role_arn=GREEN)}))
    assert list(trust(both[GREEN])) == ["Pullkeeper"]
    assert "Condition" not in trust(both[GREEN])["Pullkeeper"]
    assert both[GREEN].path == "/"
    assert allowed(both[CONTROLLERS_ROLE].permissions)["sts:TagSession"] == [BLUE]


def test_what_grants_send_for_the_same_role_is_all_trusted() -> None:
    """One namespace's sessions have tags, another's a SourceIdentity, a third's neither; the order does not matter."""
    grants = (
        RoleGrant(role=GREEN, namespaces=Matcher(names=("bare",))),
        RoleGrant(role=GREEN, namespaces=Matcher(names=("tagged",)), session_tags=True),
        RoleGrant(role=GREEN, namespaces=Matcher(names=("named",)), source_identity=True),
    )
    for given in (grants, grants[::-1]):
        policy = Policy(registries=(IRELAND,), roles=given)
        names = ("bare", "tagged", "named")
        for found in ({}, {name: asked(policy, name, role_arn=GREEN) for name in names}):
            assert list(trust(roles(planned(policy, found))[GREEN])) == ["Pullkeeper", "SessionTags", "SourceIdentity"]


def test_a_pattern_of_roles_is_not_guessed_at() -> None:
    """A note says that only roles that namespaces ask for are there."""
    found = planned()
    assert GREEN not in roles(found)
    assert [note for note in found.notes if "role/pull-*" in note]


def test_marks_of_patterns_in_a_roles_path_stand_for_themselves() -> None:
    """A tenant's own annotation must not widen what the controller may assume."""
    greedy = "arn:aws:iam::333333333333:role/pull-*?$/x"
    policy = Policy(registries=(IRELAND,), roles=(RoleGrant(role="arn:aws:iam::333333333333:role/*"),))
    own = roles(planned(policy, {"greedy": asked(policy, "greedy", role_arn=greedy)}))[CONTROLLERS_ROLE]
    assert allowed(own.permissions)["sts:AssumeRole"] == ["arn:aws:iam::333333333333:role/pull-${*}${?}${$}/x"]


def test_a_service_accounts_role_trusts_its_subject_and_the_controllers_role_does_not_know_it() -> None:
    """The account of that role needs the OIDC provider too."""
    found = planned(found={"team-a": desired(IRELAND, identity=own_account("team-a"))})
    assert "sts:AssumeRole" in allowed(roles(planned())[CONTROLLERS_ROLE].permissions)
    assert OWN not in str(roles(found)[CONTROLLERS_ROLE].permissions)
    statement = trust(roles(found)[OWN])["ServiceAccounts"]
    assert (
        statement["Condition"]["StringEquals"]["oidc.example.com/prod-1:sub"] == "system:serviceaccount:team-a:puller"
    )
    providers = {each.arn for account in found.accounts for each in account.providers}
    assert providers == {PROVIDER, PROVIDER.replace("123456789012", "444444444444")}


def test_service_accounts_with_audiences_of_their_own_have_a_statement_for_each() -> None:
    """One condition over both would let each subject use the other's audience."""
    identities = {name: own_account(name, audience=audience) for name, audience in (("a", "x.com"), ("b", "y.com"))}
    found = planned(found={name: desired(identity=identity) for name, identity in identities.items()})
    conditions = [each["Condition"]["StringEquals"] for each in trust(roles(found)[OWN]).values()]
    assert [list(each.values()) for each in conditions] == [
        ["x.com", "system:serviceaccount:a:puller"],
        ["y.com", "system:serviceaccount:b:puller"],
    ]
    assert list(trust(roles(found)[OWN])) == ["ServiceAccounts1", "ServiceAccounts2"]
    assert found.of_account("444444444444").accounts[0].providers[0].audiences == ("x.com", "y.com")


def test_roles_of_one_account_share_its_provider() -> None:
    """Which knows the audiences of all."""
    identities = [own_account("a", audience="x.com"), own_account("b", role=f"{OWN}/b", audience="y.com")]
    found = planned(found={str(number): desired(identity=each) for number, each in enumerate(identities)})
    (account,) = found.of_account("444444444444").accounts
    assert [each.audiences for each in account.providers] == [("x.com", "y.com")]


def test_the_keys_of_conditions_name_the_whole_issuer() -> None:
    """Whatever is in its path."""
    own = roles(planned(issuer="https://oidc.example.com/a:oidc-provider/b"))[CONTROLLERS_ROLE]
    assert set(trust(own)["ServiceAccounts"]["Condition"]["StringEquals"]) == {
        "oidc.example.com/a:oidc-provider/b:aud",
        "oidc.example.com/a:oidc-provider/b:sub",
    }


def test_one_role_for_controller_and_tenants_is_one_role() -> None:
    """It is trusted by all who take it, and may do what all need."""
    policy = replace(SETTINGS, roles=(RoleGrant(role=CONTROLLERS_ROLE, namespaces=EVERYBODY),))
    found = {
        "own": desired(SHARED, identity=own_account("own", role=CONTROLLERS_ROLE)),
        "again": asked(policy, "again", role_arn=CONTROLLERS_ROLE),
    }
    for only in ("", "own"):
        (role,) = roles(planned(policy, found, only=only)).values()
        assert set(trust(role)) == {"Pullkeeper", "ServiceAccounts"}
        subjects = trust(role)["ServiceAccounts"]["Condition"]["StringEquals"]["oidc.example.com/prod-1:sub"]
        assert subjects == ["system:serviceaccount:own:puller", CONTROLLER_OF_IT.subject]
        assert allowed(role.permissions)["sts:AssumeRole"] == [CONTROLLERS_ROLE]
        assert role.policy_name == "pullkeeper"


def test_repositories_of_other_accounts_have_to_allow_the_roles() -> None:
    """All roles in one statement for each account and region: setting a repository's policy replaces it."""
    policy = replace(SETTINGS, roles=(RoleGrant(role=GREEN, namespaces=Matcher(names=("green-1",))),))
    found = {
        "plain": desired(SHARED, PUBLIC),
        "green-1": asked(policy, "green-1", role_arn=GREEN, registries=f"{SHARED} {IRELAND}".replace(" ", ",")),
    }
    by_account = {account.number: account for account in planned(policy, found).accounts}
    (grant,) = by_account["555555555555"].grants
    assert (grant.region, grant.statement.principals) == ("us-east-1", (CONTROLLERS_ROLE, GREEN))
    assert list(grant.statement.actions) == PULLS
    assert by_account["123456789012"].grants[0].statement.principals == (GREEN,)
    assert by_account["333333333333"].grants == ()
    assert "--region us-east-1 --registry-id 555555555555 " in grant.command()


def test_the_controllers_account_comes_first() -> None:
    """IAM refuses a trust policy that names a role which does not exist yet."""
    own = "arn:aws:iam::999999999999:role/pullkeeper"
    found = planned(role=role_arn.parse(own))
    assert next(account.number for account in found.accounts) == "999999999999"


def test_a_namespaces_part_has_its_identity_alone() -> None:
    """A role of a tenant, and what the controller's own role needs for it as a policy beside the others."""
    part = planned(found=desired_states(), only="blue-1")
    own, blue = roles(part)[CONTROLLERS_ROLE], roles(part)[BLUE]
    assert set(roles(part)) == {CONTROLLERS_ROLE, BLUE}
    assert (own.exists, own.policy_name, blue.exists) == (True, "pullkeeper-blue-1", False)
    assert set(allowed(own.permissions)) == {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
    assert not any(account.providers for account in part.accounts)
    shared = planned(found=desired_states(), only="shared")
    assert set(roles(shared)) == {CONTROLLERS_ROLE}
    assert allowed(roles(shared)[CONTROLLERS_ROLE].permissions)["ecr:BatchGetImage"] == [
        "arn:aws:ecr:us-east-1:555555555555:repository/*"
    ]
    assert set(roles(planned(found=desired_states(), only="team-a"))) == {OWN}


def test_a_role_that_namespaces_share_is_whole_in_each_ones_part() -> None:
    """Else the part of one would take away what the others have."""
    policy = replace(SETTINGS, roles=(RoleGrant(role=GREEN, namespaces=EVERYBODY),))
    found = {
        name: asked(policy, name, role_arn=GREEN, registries=host.name)
        for name, host in (("a", IRELAND), ("b", SHARED))
    }
    assert len(allowed(roles(planned(policy, found, only="a"))[GREEN].permissions)["ecr:BatchGetImage"]) == 2


def test_each_of_several_roles_pulls_from_its_own_account_alone() -> None:
    """One namespace, and a role in each account."""
    green, own = (identity.role(arn, Session(name="s")) for arn in (GREEN, OWN))
    mixed = DesiredState(identities={IRELAND: green, SHARED: own, PUBLIC: own})
    found = roles(planned(Policy(), {"a": mixed}))
    pulled = {arn: allowed(found[arn].permissions)["ecr:BatchGetImage"] for arn in (GREEN, OWN)}
    assert pulled == {
        GREEN: ["arn:aws:ecr:eu-west-1:123456789012:repository/*"],
        OWN: ["arn:aws:ecr:us-east-1:555555555555:repository/*"],
    }
    assert CONTROLLERS_ROLE in roles(planned(Policy(), {"a": mixed}, only="a"))


def test_what_is_of_another_partition_is_left_out_with_a_note() -> None:
    """Credentials are valid in one partition only: neither such registries nor such roles can be had."""
    foreign = "arn:aws-cn:iam::123456789012:role/pull"
    policy = Policy(registries=(IRELAND, CHINA), roles=(RoleGrant(role=foreign, namespaces=EVERYBODY),))
    found = planned(policy)
    assert set(roles(found)) == {CONTROLLERS_ROLE}
    assert "cn-north-1" not in as_json(found).partition('"notes"')[0]
    assert [note for note in found.notes if note.startswith(f"{CONTROLLERS_ROLE} cannot read {CHINA}")]
    assert [note for note in found.notes if note.startswith(f"{foreign} is left out")]
    assert [note for note in found.notes if note.startswith(f"roles[0] ({foreign})")]


def test_registries_that_grants_leave_out_are_left_out() -> None:
    """Of the defaults a grant's patterns count, and hosts that it names; who may use nothing needs nothing."""
    exact = RoleGrant(role=GREEN, namespaces=EVERYBODY, registries=("*.us-west-2.*", SHARED.name))
    nobody = RoleGrant(role=OWN, namespaces=NOBODY.namespaces)
    policy = Policy(registries=(IRELAND,), roles=(exact, nobody), controller_identity=NOBODY)
    found = roles(planned(policy))
    assert allowed(found[GREEN].permissions)["ecr:BatchGetImage"] == ["arn:aws:ecr:us-east-1:555555555555:repository/*"]
    assert (found[OWN].permissions, found[OWN].why) == ((), "For no registry: allowed by the settings")
    assert set(allowed(found[CONTROLLERS_ROLE].permissions)) == {"sts:AssumeRole"}
    assert found[CONTROLLERS_ROLE].why == "The controller's own, to assume other roles"


def test_the_grants_of_one_role_add_up_until_a_namespace_asks() -> None:
    """Its own wish is narrower."""
    grants = [RoleGrant(role=GREEN, namespaces=EVERYBODY, registries=(host.name,)) for host in (IRELAND, SHARED)]
    policy = Policy(roles=tuple(grants))
    pulled = [
        allowed(roles(planned(policy, found))[GREEN].permissions)["ecr:BatchGetImage"]
        for found in ({}, {"a": asked(policy, "a", role_arn=GREEN, registries=SHARED.name)})
    ]
    assert pulled == [
        ["arn:aws:ecr:eu-west-1:123456789012:repository/*", "arn:aws:ecr:us-east-1:555555555555:repository/*"],
        ["arn:aws:ecr:us-east-1:555555555555:repository/*"],
    ]


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("https://kubernetes.default.svc.cluster.local", ["looks internal"]),
        ("https://oidc.example.com:8443/x", ["has a port"]),
        ("https://oidc.example.com/a:b", []),
        (ISSUER, []),
    ],
)
def test_an_issuer_that_aws_cannot_use_is_noted(issuer: str, words: list[str]) -> None:
    """By its name; whether it can be reached only AWS knows."""
    notes = planned(Policy(registries=(IRELAND,)), issuer=issuer).notes
    assert [word for note in notes for word in ("looks internal", "has a port") if word in note] == words


def test_roles_of_service_accounts_are_known_only_from_the_cluster() -> None:
    """A note says so, until there is one."""
    policy = replace(SETTINGS, service_accounts=ANYBODY)
    note = "serviceAccountIdentity: the roles of ServiceAccounts are here once namespaces ask for them"
    assert note in planned(policy).notes
    assert note not in planned(policy, desired_states()).notes
    assert note not in planned(replace(policy, service_accounts=NOBODY)).notes
    assert note in planned(replace(policy, service_accounts=Grant(namespaces=Matcher(names=("x",))))).notes


def test_policies_that_iam_would_not_take_are_noted() -> None:
    """By its limits for the characters of a trust policy and of a role's policies."""
    many = {f"namespace-{number:03}": own_account(f"namespace-{number:03}") for number in range(60)}
    notes = planned(found={name: desired(identity=identity) for name, identity in many.items()}).notes
    assert [note for note in notes if note.startswith(f"{OWN}: its trust policy has ")]
    hosts = tuple(parse(f"{number:012}.dkr.ecr.eu-west-1.amazonaws.com") for number in range(200))
    notes = planned(Policy(registries=hosts)).notes
    assert [note for note in notes if note.startswith(f"{CONTROLLERS_ROLE}: its permissions has ")]


@pytest.mark.parametrize(
    ("kind", "shortest", "said"),
    [
        ("trust", 1900, "trust policy has 2,049 characters, and IAM takes 2,048; the quota can be raised to 4,096"),
        ("permissions", 10_100, "permissions has 10,241 characters, and IAM takes 10,240"),
    ],
)
def test_the_first_character_too_many_is_noted(kind: str, shortest: int, said: str) -> None:
    """Of a policy that gets longer by one each time."""
    role = Role(arn=role_arn.parse(GREEN), why="", policy_name="", permissions=())
    statements = (Statement(sid="x" * length, actions=("a",)) for length in count(shortest))
    policies: Iterator[Mapping[str, Any]] = ({kind: (each,)} for each in statements)
    assert next(filter(None, (replace(role, **each).problems() for each in policies))) == [f"{GREEN}: its {said}"]


@pytest.mark.parametrize(
    ("role", "path", "name"), [("x", "/", "x"), ("a/b/x", "/a/b/", "x"), ("a:role/b/x", "/a:role/b/", "x")]
)
def test_path_and_name_of_a_role_are_told_from_its_arn(role: str, path: str, name: str) -> None:
    """A path may have what looks like the beginning of one."""
    arn = role_arn.parse(f"arn:aws:iam::333333333333:role/{role}")
    given = Role(arn=arn, why="", policy_name="", permissions=())
    assert (given.path, given.name) == (path, name)


def test_the_order_of_namespaces_does_not_matter() -> None:
    """What is pasted into a repository changes only where the needs do."""
    found = desired_states()
    turned = dict(reversed(list(found.items())))
    assert as_json(planned(found=found)) == as_json(planned(found=turned))


def test_the_part_of_one_account_is_that_account_alone() -> None:
    """For whoever may log in to one."""
    whole = planned(found=desired_states())
    part = whole.of_account("444444444444")
    assert set(roles(part)) == {OWN}
    assert part.notes == whole.notes != ()
    assert [each["account"] for each in json.loads(as_json(part))["accounts"]] == ["444444444444"]


def test_with_roles_anywhere_a_certificate_takes_the_controllers_role() -> None:
    """Of its trust anchor, by its name; there is no OIDC provider but for ServiceAccounts, and no issuer is needed."""
    found = planned(anywhere=ANYWHERE, certificate_name="pullkeeper", issuer="")
    statement = trust(roles(found)[CONTROLLERS_ROLE])["RolesAnywhere"]
    assert list(trust(roles(found)[CONTROLLERS_ROLE])) == ["RolesAnywhere"]
    assert statement["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ANYWHERE.trust_anchor},
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": "pullkeeper"},
    }
    assert not any(account.providers for account in found.accounts)
    assert [account.anywhere for account in found.accounts] == [(ANYWHERE,), ()]
    assert not [note for note in found.notes if "issuer" in note or "certificate" in note]


def test_any_certificate_of_the_trust_anchor_is_noted() -> None:
    """A CA seldom signs for one name only."""
    found = planned(anywhere=ANYWHERE)
    (statement,) = roles(found)[CONTROLLERS_ROLE].trust
    assert statement.why == f"A certificate below the trust anchor {ANYWHERE.trust_anchor}"
    assert [each.operator for each in statement.conditions] == ["ArnEquals"]
    note = (
        f"{CONTROLLERS_ROLE} can be taken with any certificate below the trust anchor {ANYWHERE.trust_anchor}: "
        "say with --certificate-name which one it is"
    )
    assert note in found.notes


def test_with_roles_anywhere_service_accounts_still_have_their_issuer() -> None:
    """And a namespace's part has neither trust anchor nor profile."""
    found = planned(found=desired_states(), anywhere=ANYWHERE)
    assert [each.arn for account in found.accounts for each in account.providers] == [
        PROVIDER.replace("123456789012", "444444444444")
    ]
    part = planned(found=desired_states(), anywhere=ANYWHERE, only="shared")
    assert roles(part)[CONTROLLERS_ROLE].exists
    assert not any(account.anywhere for account in part.accounts)
