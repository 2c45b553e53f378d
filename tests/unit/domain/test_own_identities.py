"""The controller's identities that the settings name: which registries and namespaces they serve, and what is wrong."""

from collections.abc import Mapping
from typing import Any

import pytest

from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.own_sources import KeysFile, OwnSource, Profile, WebIdentityFile
from pullkeeper.domain.config.policy import EVERY_NAMESPACE, Matcher, OwnIdentity, Policy
from pullkeeper.domain.config.policy_parser import MAX_IDENTITIES
from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.aws_errors import partition_mismatch
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.errors.validation import InvalidInputError, quoted
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, check_name, own
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.reporting.token_labels import TokenLabels
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.views.namespace_status import StatusRules, namespace_status
from pullkeeper.domain.views.render_result import as_document, as_text, render_namespace
from testsupport.examples import EU, HOUR, NOW, PUBLIC, managed, published, times
from testsupport.iam_examples import ANYWHERE

BEIJING = registry_host.parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")
GOV = registry_host.parse("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com")
CHINESE_ROLE = "arn:aws-cn:iam::123456789012:role/pullkeeper"
WEB = {"webIdentity": {"roleArn": CHINESE_ROLE, "tokenFile": "/token"}}
CHINA: Mapping[str, Any] = {"name": "china", "registries": ["*.amazonaws.com.cn"], **WEB}
KEYS: Mapping[str, Any] = {"name": "gov", "registries": ["*.us-gov-*"], "keysFile": "/keys", "namespaces": ["gov-*"]}
ANYWHERE_GIVEN = {
    "trustAnchorArn": ANYWHERE.trust_anchor,
    "profileArn": ANYWHERE.profile,
    "roleArn": ANYWHERE.role.text,
    "certificateFile": ANYWHERE.certificate_file,
    "keyFile": ANYWHERE.key_file,
}
ROLE = "arn:aws-cn:iam::210987654321:role/team"


def settings(*identities: Mapping[str, Any], **others: Any) -> Policy:
    return parse_settings({"identities": list(identities), **others}, {}).policy


def problems(value: object) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"identities": value}, {})
    return [(each.where, each.found, each.expected) for each in raised.value.problems]


def view(name: str = "gov-1", **annotations: str) -> ObservedNamespace:
    given = {PREFIX + key.replace("_", "-"): value for key, value in {"enabled": "true", **annotations}.items()}
    return observe_namespace({"name": name, "resourceVersion": "1", "annotations": given})


def identities(policy: Policy, name: str = "gov-1", **annotations: str) -> dict[str, Identity]:
    found = desired_state(view(name, **annotations), policy)
    assert found is not None
    return {host.name: identity for host, identity in found.identities.items()}


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (WEB, WebIdentityFile(role=role_arn.parse(CHINESE_ROLE), token_file="/token")),
        (
            {"webIdentity": {**WEB["webIdentity"], "audience": "sts.amazonaws.com.cn"}},
            WebIdentityFile(role=role_arn.parse(CHINESE_ROLE), token_file="/token", audience="sts.amazonaws.com.cn"),
        ),
        ({"rolesAnywhere": ANYWHERE_GIVEN}, ANYWHERE),
        ({"profile": "puller"}, Profile(name="puller")),
        ({"keysFile": "/keys"}, KeysFile(path="/keys")),
    ],
)
def test_an_identity_has_one_of_four_sources(given: Mapping[str, Any], source: OwnSource) -> None:
    (found,) = settings({"name": "x", "registries": ["*"], **given}).identities
    assert found == OwnIdentity(name="x", registries=("*",), source=source)


def test_an_identity_has_namespaces_and_a_region_if_it_says_so() -> None:
    (found,) = settings({**KEYS, "region": "us-gov-west-1"}).identities
    assert (found.namespaces, found.region, found.partition) == (
        Matcher(names=("gov-*",)),
        "us-gov-west-1",
        "aws-us-gov",
    )
    (china,) = settings(CHINA).identities
    assert (china.namespaces, china.region, china.partition) == (EVERY_NAMESPACE, "", "aws-cn")
    assert settings(KEYS).identities[0].partition == ""


NAMES_FORM = "a list of names, in which * stands for anything"
OWN_NAME_FORM = "at most 32 lower case letters, digits and '-'"
ONE_SOURCE = "just one of webIdentity, rolesAnywhere, profile, keysFile"
WEB_FORM = "webIdentity: a mapping of roleArn, tokenFile, and audience if need be"
ROLE_FORM = 'webIdentity.roleArn: "arn:PARTITION:iam::ACCOUNT:role/NAME"'
TOKEN_FORM = "webIdentity.tokenFile: the path of a ServiceAccount's token"
AUDIENCE_FORM = "webIdentity.audience: a client ID of an IAM OIDC provider"
PROFILE_FORM = "profile: the name of a profile of the shared configuration"
ANYWHERE_FORM = "a mapping of trustAnchorArn, profileArn, roleArn, certificateFile, keyFile"
OWN_KEYS = "keysFile, name, namespaceSelector, namespaces, profile, region, registries, rolesAnywhere, webIdentity"
WEB_SHOWN = f"'roleArn': '{CHINESE_ROLE}', 'tokenFile': '/token'"


def web(**changed: object) -> Mapping[str, Any]:
    return {"webIdentity": {**WEB["webIdentity"], **changed}}


@pytest.mark.parametrize(
    ("changed", "where", "found", "expected"),
    [
        ({"name": None}, ".name", "nothing", OWN_NAME_FORM),
        ({"name": "China"}, ".name", '"China"', OWN_NAME_FORM),
        ({"name": "x" * 33}, ".name", f'"{"x" * 33}"', OWN_NAME_FORM),
        ({"name": 7}, ".name", "7", OWN_NAME_FORM),
        ({"name": "China", "region": "eu-west-1"}, ".name", '"China"', OWN_NAME_FORM),
        ({"registries": ["HOST"]}, ".registries", '"HOST"', NAMES_FORM),
        (
            {"registries": ["*.cn", "*.amazonaws.com"]},
            ".registries",
            '"*.amazonaws.com"',
            "registries of aws-cn, the partition of its credentials",
        ),
        ({"region": "nowhere"}, ".region", '"nowhere"', "a region such as eu-west-1"),
        ({"region": 7}, ".region", "7", "a region such as eu-west-1"),
        ({"region": "eu-west-1"}, ".region", '"eu-west-1"', "a region of aws-cn, the partition of its role"),
        ({"namespaces": ["UPPER"]}, ".namespaces", '"UPPER"', NAMES_FORM),
        ({"profile": "x"}, "", '"webIdentity, profile"', ONE_SOURCE),
        ({"webIdentity": None}, "", "nothing", ONE_SOURCE),
        ({"webIdentity": "x"}, "", '"x"', WEB_FORM),
        ({"webIdentity": {"roleArn": "x"}}, "", "{'roleArn': 'x'}", WEB_FORM),
        ({"webIdentity": {"roleArn": "x", "tokenFile": "/x"}}, "", "{'roleArn': 'x', 'tokenFile': '/x'}", ROLE_FORM),
        ({"webIdentity": {"roleArn": 7, "tokenFile": "/x"}}, "", "{'roleArn': 7, 'tokenFile': '/x'}", ROLE_FORM),
        (web(tokenFile="x"), "", f"{{'roleArn': '{CHINESE_ROLE}', 'tokenFile': 'x'}}", TOKEN_FORM),
        (web(audience="${x}"), "", f"{{'audience': '${{x}}', {WEB_SHOWN}}}", AUDIENCE_FORM),
        (web(audience=None), "", f"{{'audience': None, {WEB_SHOWN}}}", AUDIENCE_FORM),
        (web(x="y"), "", f"{{{WEB_SHOWN}, 'x': 'y'}}", WEB_FORM),
        ({"webIdentity": None, "keysFile": 7}, "", "7", "keysFile: the path of a shared credentials file"),
        ({"webIdentity": None, "keysFile": "keys"}, "", '"keys"', "keysFile: the path of a shared credentials file"),
        ({"webIdentity": None, "profile": ""}, "", '""', PROFILE_FORM),
        ({"webIdentity": None, "profile": 7}, "", "7", PROFILE_FORM),
        ({"webIdentity": None, "rolesAnywhere": "x"}, "", '"x"', ANYWHERE_FORM),
        ({"webIdentity": None, "rolesAnywhere": {}}, "", "{}", ANYWHERE_FORM),
        ({"roles": "x"}, ".roles", "an unknown key", f"one of {OWN_KEYS}"),
    ],
)
def test_what_is_wrong_with_an_identity_is_said(
    changed: Mapping[str, Any], where: str, found: str, expected: str
) -> None:
    """And nothing else."""
    assert problems([{**CHINA, **changed}]) == [(f"identities[0]{where}", found, expected)]


def test_an_identity_has_to_say_which_registries_it_serves() -> None:
    """Also where a template left the key without a value."""
    expected = "the registry hosts that it serves, in which * stands for anything"
    lacks = ("identities[0].registries", "nothing", expected)
    assert problems([{key: value for key, value in CHINA.items() if key != "registries"}]) == [lacks]
    empty = ("identities[0].registries", "nothing", "a value, or no such key")
    assert problems([{**CHINA, "registries": None}]) == [empty, lacks]


MANY = [{**CHINA, "name": f"x{number}"} for number in range(MAX_IDENTITIES + 1)]


@pytest.mark.parametrize(("value", "found"), [("x", '"x"'), (None, "nothing"), ({}, "{}"), (MANY, quoted(MANY))])
def test_identities_are_a_list_with_a_bound(value: object, found: str) -> None:
    """As many as are allowed are taken."""
    sources = "webIdentity or rolesAnywhere or profile or keysFile"
    expected = f"a list of at most {MAX_IDENTITIES} {{name, registries, {sources}}}"
    assert problems(value) == [("identities", found, expected)]
    assert len(settings(*MANY[1:]).identities) == MAX_IDENTITIES


def test_a_name_is_given_once() -> None:
    assert problems([CHINA, KEYS, CHINA]) == [("identities", '"china"', "each name once")]


def test_the_first_identity_that_has_a_registry_serves_it() -> None:
    """And the one without a name serves the rest, in the same pull Secret."""
    policy = settings(CHINA, KEYS, {"name": "later", "registries": ["*.cn"], "profile": "x"})
    hosts = f"{EU},{GOV},{BEIJING},{PUBLIC}"
    found = identities(policy, registries=hosts)
    assert found == {EU.name: CONTROLLER, PUBLIC.name: CONTROLLER, GOV.name: own("gov"), BEIJING.name: own("china")}
    assert policy.granted_by(view(), (GOV,), own("gov")) == "identities[1]"
    assert policy.granted_by(view(), (EU,), CONTROLLER) == "controllerIdentity"
    assert policy.reauthorize(view(), own("china"), (BEIJING,)) == own("china")


@pytest.mark.parametrize(
    ("policy", "setting"),
    [
        (settings(KEYS), "identities[0]"),
        (settings(KEYS, controllerIdentity={"namespaces": ["others"]}), "controllerIdentity"),
        (settings(KEYS, controllerIdentity={"registries": ["*.cn"]}), "controllerIdentity"),
    ],
)
def test_a_namespace_has_to_be_allowed_to_use_it(policy: Policy, setting: str) -> None:
    """By `controllerIdentity`, which bounds all of the controller's identities, and by its own namespaces."""
    with pytest.raises(FailureError) as raised:
        identities(policy, "team", registries=GOV.name)
    assert f"under `{setting}`" in raised.value.failure.message


def test_a_role_is_assumed_by_the_identity_that_serves_its_registries() -> None:
    """Taken by another one, it is another identity: nothing is shared."""
    roles = [{"role": ROLE, "namespaces": ["*"]}]
    (found,) = identities(settings(CHINA, roles=roles), registries=BEIJING.name, role_arn=ROLE).values()
    (plain,) = identities(settings(roles=roles), registries=BEIJING.name, role_arn=ROLE).values()
    assert (found.name, found.assuming, plain.assuming) == (ROLE, own("china"), CONTROLLER)
    assert TokenScope.of(BEIJING, found) != TokenScope.of(BEIJING, plain)


def test_a_named_identity_is_told_from_others_by_its_name() -> None:
    found = own("china")
    assert (found.kind, found.own_name, check_name(found.name)) == (Kind.CONTROLLER, "china", "controller/china")
    assert (CONTROLLER.own_name, Identity(name=ROLE).own_name) == ("", "")
    for name in ("controller/", "controller/China", "controller/a/b", "controller/" + "x" * 33, "other/x"):
        with pytest.raises(ValueError, match=r"x|/"):
            check_name(name)


@pytest.mark.parametrize(
    ("given", "role", "fits"),
    [
        ([CHINA], ROLE, True),
        ([], ROLE, False),
        ([CHINA], "arn:aws-us-gov:iam::123456789012:role/team", False),
        ([CHINA, KEYS], "arn:aws-us-gov:iam::123456789012:role/team", True),
    ],
)
def test_a_role_may_be_of_the_partition_of_any_identity(
    given: list[Mapping[str, Any]], role: str, *, fits: bool
) -> None:
    """And of any partition at all where that of an identity is not known."""
    policy = settings(*given, roles=[{"role": role, "namespaces": ["*"]}])
    assert (role_partitions.misfits(policy, "aws") == ()) is fits


@pytest.mark.parametrize("rules", [StatusRules(), StatusRules(policy=settings(CHINA))])
def test_status_shows_which_identity_serves_which_registry(rules: StatusRules) -> None:
    """With the settings, and without them, when what the pull Secret says is believed."""
    held = {EU: times(issued=NOW - HOUR), BEIJING: times(issued=NOW - HOUR)}
    secret = managed(SecretRecord(held=held, identities={EU: CONTROLLER.name, BEIJING: own("china").name}))
    request = NamespaceRequest(namespace=view(registries=f"{EU},{BEIJING}"), first_requested_at=NOW - HOUR)
    found = namespace_status(request, secret, rules, NOW)
    assert found is not None
    assert (found.state, found.problems) == (State.READY, ())
    assert found.identities == {CONTROLLER.name: [EU.name], own("china").name: [BEIJING.name]}


def test_render_says_which_identity_serves_which_registry() -> None:
    """And whose role is to be allowed what."""
    given = parse_settings({"identities": [CHINA], "roles": [{"role": ROLE, "namespaces": ["*"]}]}, {})
    text = as_text(render_namespace(view(registries=f"{EU},{BEIJING}"), given, NOW))
    unnamed, china = "the controller's own role", "the role of the controller's identity china"
    pulls = "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"
    assert text.splitlines()[1:-1] == [
        f"  registries    {BEIJING}",
        f"                {EU}",
        f"  identities    controller, allowed by `controllerIdentity` in the settings: {EU}",
        f"                controller/china, allowed by `identities[0]` in the settings: {BEIJING}",
        "  principals    controller: the controller's own; `pullkeeper check` names it",
        "                controller/china: the controller's own; `pullkeeper check` names it",
        f"  tokens        cn-north-1 as controller/china: {BEIJING}",
        f"                eu-west-1 as controller: {EU}",
        f'  permissions   {china}: ecr:GetAuthorizationToken on "*"',
        f"                {china}: {pulls} on the repositories to pull from",
        f'                {unnamed}: ecr:GetAuthorizationToken on "*"',
        f"                {unnamed}: {pulls} on the repositories to pull from",
    ]
    text = as_text(render_namespace(view(registries=BEIJING.name, role_arn=ROLE), given, NOW))
    assert f"the role of the controller's identity china: sts:AssumeRole on {ROLE}" in text


@pytest.mark.parametrize(
    ("given", "annotations", "words"),
    [
        (
            {"identities": [{**CHINA, "registries": ["*"]}]},
            {"registries": EU.name},
            "controller/china are of partition aws-cn, eu-west-1 is of aws: use",
        ),
        ({"identities": [CHINA]}, {"registries": f"{EU},{BEIJING}"}, ""),
        ({"rolesAnywhere": ANYWHERE_GIVEN}, {"registries": f"{EU},{BEIJING}"}, "of controller are of partition aws"),
        ({"rolesAnywhere": ANYWHERE_GIVEN, "identities": [CHINA]}, {"registries": f"{EU},{BEIJING}"}, ""),
        ({"rolesAnywhere": ANYWHERE_GIVEN}, {"registries": BEIJING.name, "role_arn": ROLE}, "of controller are of"),
        ({"rolesAnywhere": ANYWHERE_GIVEN}, {"registries": BEIJING.name, "service_account_name": "puller"}, ""),
        ({}, {"registries": BEIJING.name}, ""),
    ],
)
def test_render_finds_registries_of_another_partition_than_their_identity(
    given: Mapping[str, Any], annotations: Mapping[str, str], words: str
) -> None:
    """As far as the settings say it, the identity that assumes a role included."""
    grants = {"roles": [{"role": ROLE, "namespaces": ["*"]}], "serviceAccountIdentity": {"namespaces": ["*"]}}
    found = render_namespace(view(**annotations), parse_settings({**given, **grants}, {}), NOW)
    assert (len(found.problems), words in "".join(found.problems)) == (1 if words else 0, True)


def test_a_named_identity_has_series_of_its_own_from_its_first_failure_on() -> None:
    """As the one without a name: the settings bound how many there are."""
    scope = TokenScope.of(BEIJING, own("china"))
    assert TokenLabels().of(scope, 0.0, issued=False) == (("controller/china", "other"), True)


def test_a_mismatch_of_partitions_says_whose_and_which() -> None:
    found = partition_mismatch(TokenScope.of(BEIJING, CONTROLLER), ROLE, "aws", "aws-cn")
    assert found.reason is Reason.PARTITION_MISMATCH
    assert found.message.startswith(f"the credentials of {ROLE} are of partition aws, cn-north-1 is of aws-cn")


@pytest.mark.parametrize(
    ("given", "own", "words"),
    [
        ([CHINA], "aws", ""),
        ([], "aws-cn", ""),
        ([CHINA], "aws-cn", ""),
        ([{**CHINA, "registries": ["*.cn-northwest-1.*"]}], "aws", f"{BEIJING} is served by the controller's own "),
        (
            [{**KEYS, "registries": ["*"], "region": "us-gov-west-1"}, CHINA],
            "aws",
            "controller's identity gov of aws-us",
        ),
        ([{**KEYS, "registries": ["*"]}, CHINA], "aws", ""),
    ],
)
def test_a_role_is_of_the_partition_of_the_identity_that_serves_its_registries(
    given: list[Mapping[str, Any]], own: str, words: str
) -> None:
    """Another identity of that partition is of no use, since it is not the one that assumes the role."""
    role = {"role": "arn:aws-cn:iam::123456789012:role/team", "namespaces": ["*"]}
    found = role_partitions.misfits(settings(*given, roles=[role], registries=[BEIJING.name, EU.name]), own)
    assert (len(found), words in "".join(found)) == (1 if words else 0, True)


def desired(policy: Policy, name: str, **annotations: str) -> DesiredState:
    found = desired_state(view(name, **annotations), policy)
    assert found is not None
    return found


DEFAULTS = {"registries": [EU.name, PUBLIC.name, GOV.name]}
NOT_GOV = "the installation does not let this namespace use the controller's identity gov: "


def test_a_default_registry_that_a_namespace_may_not_use_is_left_out() -> None:
    """Nobody there has asked for it: the others are served, and who may use it has it."""
    policy = settings(KEYS, **DEFAULTS)
    found = desired(policy, "team")
    assert found.registries == (EU, PUBLIC)
    assert {host: why.startswith(NOT_GOV) for host, why in found.left_out.items()} == {GOV: True}
    assert "under `identities[0]`" in found.left_out[GOV]
    served = desired(policy, "gov-1")
    assert (served.registries, served.left_out) == ((EU, GOV, PUBLIC), {})
    alone = found.limited_to(EU)
    assert alone is not None
    assert (alone.registries, alone.left_out, found.limited_to(GOV)) == ((EU,), {}, None)


def test_what_is_left_out_is_shown() -> None:
    """By `render` and by `status`, and it is no problem."""
    given = parse_settings({"identities": [KEYS], **DEFAULTS}, {})
    rendered = render_namespace(view("team"), given, NOW)
    assert f"  left out      {GOV}: {NOT_GOV}" in as_text(rendered)
    document = as_document(rendered)
    assert (document["ok"], list(document["leftOut"])) == (True, [GOV.name])
    assert as_document(render_namespace(view(enabled="false"), given, NOW))["leftOut"] == {}
    secret = managed(published(EU, PUBLIC, issued=NOW - HOUR))
    request = NamespaceRequest(namespace=view("team"), first_requested_at=NOW - HOUR)
    status = namespace_status(request, secret, StatusRules(policy=given.policy), NOW)
    assert status is not None
    assert (status.state, status.problems, list(status.left_out)) == (State.READY, (), [GOV.name])


@pytest.mark.parametrize(
    ("policy", "annotations"),
    [
        (settings(KEYS, registries=[GOV.name]), {}),
        (settings(KEYS, **DEFAULTS), {"registries": f"{EU},{GOV}"}),
        (settings(KEYS, controllerIdentity={"namespaces": ["others"]}, **DEFAULTS), {}),
    ],
)
def test_what_a_namespace_asks_for_is_not_left_out(policy: Policy, annotations: Mapping[str, str]) -> None:
    """Nor is everything: a namespace without any registry that it may use is told."""
    with pytest.raises(FailureError) as raised:
        identities(policy, "team", **annotations)
    assert raised.value.failure.reason is Reason.ROLE_NOT_ALLOWED


def test_a_grant_for_some_of_the_default_registries_gives_those() -> None:
    """Whoever names a role and no registry asks for what the role may be used for."""
    role = "arn:aws:iam::210987654321:role/team"
    grant = {"role": role, "namespaces": ["*"], "registries": ["*.amazonaws.com"]}
    found = desired(settings(roles=[grant], registries=[EU.name, PUBLIC.name]), "team", role_arn=role)
    assert found.registries == (EU,)
    assert {host: f"the role {role} for {PUBLIC}" in why for host, why in found.left_out.items()} == {PUBLIC: True}


def test_two_grants_that_would_be_needed_together_are_no_grant() -> None:
    """Each registry alone is allowed, and no session covers both."""
    role = "arn:aws:iam::210987654321:role/team"
    grants = [{"role": role, "namespaces": ["*"], "registries": [host.name]} for host in (EU, PUBLIC)]
    with pytest.raises(FailureError):
        identities(settings(roles=grants, registries=[EU.name, PUBLIC.name]), "team", role_arn=role)
