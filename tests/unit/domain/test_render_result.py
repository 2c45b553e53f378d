"""What would be done for a Namespace, and why."""

from datetime import timedelta

import pytest

from pullkeeper.domain.config.policy import ANYBODY, NOBODY, Matcher, RoleGrant
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.views.render_result import RenderResult, render_namespace
from pullkeeper.domain.views.render_text import as_document, as_text
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, PUBLIC

ROLE = "arn:aws:iam::123456789012:role/puller"
BLUE = RoleGrant(role=ROLE, namespaces=Matcher(names=("blue",)))
SETTINGS = Settings(registries=(EU,), refresh_jitter=timedelta())
CONTROLLERS = "the controller's own role"
ROTATION = (
    "a token issued at 2026-03-01T12:00:00Z that lives 12h is due after 6h, and this namespace's turn is 0s later: "
    "2026-03-01T18:00:00Z"
)
PULLS = "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on what is pulled"


def told(settings: Settings = SETTINGS, name: str = "team-a", **annotations: str) -> RenderResult:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    return render_namespace(ObservedNamespace(name=name, resource_version=0, annotations=written), settings, NOW)


@pytest.mark.parametrize(
    ("annotations", "settings", "why"),
    [
        ({"enabled": "true"}, SETTINGS, "opted in by its annotation pullkeeper.dev/enabled"),
        ({}, Settings(registries=(EU,), opt_in=Matcher(names=("team-*",))), "opted in by `optIn` of the settings"),
        ({}, SETTINGS, "not opted in: there is no pull Secret, and one that the controller has made is deleted"),
        (
            {"enabled": "false", "registries": "nonsense"},
            SETTINGS,
            "opted out by its annotation: there is no pull Secret, and one that the controller has made is deleted",
        ),
    ],
)
def test_it_says_who_has_opted_in_or_out(annotations: dict[str, str], settings: Settings, why: str) -> None:
    """The namespace's own word, or the installation's."""
    found = told(settings, **annotations)
    assert (found.why, found.problems) == (why, ())
    assert bool(found.secret) == why.startswith("opted in")


def test_every_problem_is_told() -> None:
    """And what comes of it: nothing new, nothing lost."""
    found = told(enabled="yes", nope="1")
    assert found.why == "nothing is created, and a pull Secret that is there goes on with what it has"
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "pullkeeper.dev/nope",
        "pullkeeper.dev/enabled",
    ]
    assert (found.desired, found.secret) == (None, None)


def test_what_the_policy_does_not_allow_is_told_with_the_setting_that_would() -> None:
    """As in the Event, without the namespace's name before it."""
    (problem,) = told(enabled="true", role_arn=ROLE).problems
    assert problem.startswith(f"the installation does not let this namespace use the role {ROLE}: ")
    assert problem.endswith("can allow it in the settings, under `roles`")


@pytest.mark.parametrize(
    ("settings", "annotations", "setting"),
    [
        (Settings(registries=(EU,)), {}, "controllerIdentity"),
        (Settings(registries=(EU,), roles=(BLUE,), service_accounts=ANYBODY), {"role_arn": ROLE}, "roles[0]"),
        (
            Settings(
                registries=(EU,),
                controller_identity=NOBODY,
                roles=(
                    RoleGrant(role="*", namespaces=Matcher(names=("red",))),
                    RoleGrant(role=ROLE, registries=("elsewhere",)),
                    BLUE,
                ),
            ),
            {"role_arn": ROLE},
            "roles[2]",
        ),
        (
            Settings(registries=(EU,), service_accounts=ANYBODY),
            {"service_account_name": "puller"},
            "serviceAccountIdentity",
        ),
    ],
)
def test_the_grant_that_allows_the_identity_is_named(
    settings: Settings, annotations: dict[str, str], setting: str
) -> None:
    """The first that fits namespace, role and registries."""
    assert told(settings, "blue", enabled="true", **annotations).allowed_by == setting


def test_the_controllers_permissions() -> None:
    """One line for each thing that has to be allowed."""
    found = told(enabled="true", registries=f"{EU},{EU_OTHER_ACCOUNT},{PUBLIC}")
    assert found.permissions == (
        f'{CONTROLLERS}: ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken on "*"',
        f'{CONTROLLERS}: ecr:GetAuthorizationToken on "*"',
        f"{CONTROLLERS}: {PULLS}",
    )


@pytest.mark.parametrize(
    ("grant", "acts", "given"),
    [
        (BLUE, "sts:AssumeRole", ""),
        (
            RoleGrant(role=ROLE, session_tags=True, source_identity=True, external_id="x1"),
            "sts:AssumeRole and sts:TagSession and sts:SetSourceIdentity",
            ", with the ExternalId x1",
        ),
    ],
)
def test_a_roles_permissions(grant: RoleGrant, acts: str, given: str) -> None:
    """On both sides: the one that assumes, and the one that is assumed."""
    settings = Settings(registries=(EU,), roles=(grant,))
    found = told(settings, "blue", enabled="true", role_arn=ROLE)
    assert found.permissions == (
        f"{CONTROLLERS}: {acts} on {ROLE}",
        f"{ROLE}: a trust policy that allows {acts} to {CONTROLLERS}{given}",
        f'{ROLE}: ecr:GetAuthorizationToken on "*"',
        f"{ROLE}: {PULLS}",
    )


def test_a_service_accounts_permissions() -> None:
    """Its role is written on it, which a look at the Namespace does not tell."""
    settings = Settings(registries=(EU,), service_accounts=ANYBODY)
    found = told(settings, enabled="true", service_account_name="puller")
    who = "the role in eks.amazonaws.com/role-arn of the ServiceAccount team-a/puller"
    subject = "system:serviceaccount:team-a:puller"
    assert found.permissions == (
        f"{who}: a trust policy that allows sts:AssumeRoleWithWebIdentity to {subject}",
        f'{who}: ecr:GetAuthorizationToken on "*"',
        f"{who}: {PULLS}",
    )


def test_the_turn_is_the_namespaces_own() -> None:
    """Due by the rule, and moved within the window as the controller would move it."""
    settings = Settings(registries=(EU,), refresh_fraction=0.25, refresh_jitter=timedelta(minutes=10))
    turns = [told(settings, name, enabled="true").turn for name in ("team-a", "team-b")]
    for turn in filter(None, turns):
        assert turn.due_at == NOW + 3 * HOUR
        assert turn.due_at <= turn.at < turn.due_at + timedelta(minutes=10)
    assert turns[0] != turns[1]


def test_the_secret_is_as_it_would_be_applied_but_for_the_token() -> None:
    """Its annotations tell all that a restart must know; the token is not there to be shown."""
    found = told(enabled="true", refresh_requested_at="now")
    assert found.secret == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "ecr-pull-secret",
            "namespace": "team-a",
            "labels": {"app.kubernetes.io/managed-by": "pullkeeper"},
            "annotations": {
                "pullkeeper.dev/issued-at": "2026-03-01T12:00:00.000Z",
                "pullkeeper.dev/expires-at": "2026-03-02T00:00:00.000Z",
                "pullkeeper.dev/registries": EU.name,
                "pullkeeper.dev/identity": "controller",
                "pullkeeper.dev/tokens": (
                    '{"eu-west-1": {"issued-at": "2026-03-01T12:00:00.000Z", "expires-at": "2026-03-02T00:00:00.000Z"}}'
                ),
                "pullkeeper.dev/refresh-requested-at": "now",
            },
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": f'base64 of {{"auths": {{"{EU}": {{"auth": "***"}}}}}}'},
    }


def test_in_words_each_part_is_under_its_name() -> None:
    """Several of a kind are under each other."""
    fips = parse("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com")
    both = parse("123456789012.dkr-ecr-fips.us-west-2.on.aws")
    found = told(enabled="true", registries=f"{EU},{EU_OTHER_ACCOUNT},{fips},{both}")
    assert as_text(found).splitlines() == [
        "namespace/team-a: opted in by its annotation pullkeeper.dev/enabled",
        f"  registries    {both}",
        f"                {fips}",
        f"                {EU}",
        f"                {EU_OTHER_ACCOUNT}",
        "  identity      controller, allowed by `controllerIdentity` of the settings",
        f"  tokens        eu-west-1: {EU}, {EU_OTHER_ACCOUNT}",
        f"                us-east-1 by the FIPS endpoint: {fips}",
        f"                us-west-2 by the FIPS and dual-stack endpoint: {both}",
        f'  permissions   {CONTROLLERS}: ecr:GetAuthorizationToken on "*"',
        f"                {CONTROLLERS}: {PULLS}",
        f"  rotation      {ROTATION}",
    ]


def test_in_words_a_default_is_said_to_be_one() -> None:
    """Nothing on the namespace tells where it comes from."""
    assert f"  registries    {EU}, by `registries` of the settings" in as_text(told(enabled="true")).splitlines()


def test_in_words_problems_are_lines() -> None:
    """Nothing else is told of what would not be done."""
    assert as_text(told(enabled="yes")).splitlines()[1:] == [
        '  pullkeeper.dev/enabled: found "yes", expected "true" or "false"'
    ]


def test_the_document_says_the_same() -> None:
    """What there is not is empty or null."""
    document = as_document(told(enabled="true"))
    assert document["ok"]
    assert document["tokens"] == [{"scope": "eu-west-1", "registries": [EU.name]}]
    assert (document["identity"], document["allowedBy"]) == ("controller", "controllerIdentity")
    assert (document["dueAt"], document["turnAt"]) == ("2026-03-01T18:00:00Z", "2026-03-01T18:00:00Z")
    assert document["secret"]["kind"] == "Secret"
    nothing = as_document(told(enabled="yes"))
    assert not nothing["ok"]
    assert (nothing["registries"], nothing["identity"], nothing["dueAt"], nothing["secret"]) == ([], None, None, None)
