"""What the controller would do for a Namespace, and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import ANYBODY, NO_NAMESPACE, NOBODY, Matcher, Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.principal import of_role
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.views.render_result import RenderResult, as_document, as_text, render_namespace
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, PUBLIC

ROLE = "arn:aws:iam::123456789012:role/puller"
BLUE = RoleGrant(role=ROLE, namespaces=Matcher(names=("blue",)))
SETTINGS = Settings(policy=Policy(registries=(EU,)), rotation=Rotation(jitter=timedelta()))
CONTROLLERS = "the controller's own role"
ROTATION = (
    "a token issued at 2026-03-01T12:00:00Z with a lifetime of 12h is replaced after 6h "
    "(including 0s of jitter for this namespace): 2026-03-01T18:00:00Z"
)
PULLS = (
    "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repositories to pull from"
)

UNCHANGED = "nothing is created, and an existing pull Secret is renewed as it is"
NONE = "there is no pull Secret, and one created by the controller is deleted"


def render(settings: Settings = SETTINGS, name: str = "team-a", **annotations: str) -> RenderResult:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    return render_namespace(ObservedNamespace(name=name, resource_version=0, annotations=written), settings, NOW)


@pytest.mark.parametrize(
    ("annotations", "settings", "reason"),
    [
        ({"enabled": "true"}, SETTINGS, "opted in by its annotation pullkeeper.dev/enabled"),
        (
            {},
            Settings(policy=Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)))),
            "opted in by `optIn` in the settings",
        ),
        (
            {},
            SETTINGS,
            f"not opted in: {NONE}, after 15m if `optIn` in the settings had opted it in",
        ),
        (
            {},
            Settings(policy=Policy(excluded_namespaces=("team-*",))),
            f"excluded by `excludedNamespaces` in the settings: {NONE} after 15m",
        ),
        (
            {"enabled": "false", "registries": "nonsense"},
            SETTINGS,
            "opted out by its annotation: there is no pull Secret, and one created by the controller is deleted",
        ),
    ],
)
def test_the_reason_says_who_opted_in_or_out(annotations: dict[str, str], settings: Settings, reason: str) -> None:
    """The namespace by its annotation, or the settings."""
    found = render(settings, **annotations)
    assert (found.namespace, found.reason, found.problems) == ("team-a", reason, ())
    assert bool(found.secret) == reason.startswith("opted in")


def test_every_problem_is_render() -> None:
    """With the consequence: nothing is created, nothing is lost."""
    found = render(enabled="yes", nope="1")
    assert found == RenderResult(namespace="team-a", reason=UNCHANGED, problems=found.problems)
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "pullkeeper.dev/nope",
        "pullkeeper.dev/enabled",
    ]


def test_an_annotation_in_an_excluded_namespace_is_a_problem() -> None:
    """With what becomes of a pull Secret there."""
    found = render(Settings(policy=Policy(excluded_namespaces=("team-*",))), enabled="true")
    assert found.reason == f"excluded by `excludedNamespaces` in the settings: {NONE} after 15m"
    assert [problem.partition(":")[0] for problem in found.problems] == ["pullkeeper.dev/*"]


def test_an_identity_that_the_policy_forbids_is_a_problem_with_the_setting_to_change() -> None:
    """As in the Event, without the namespace's name in front."""
    found = render(enabled="true", role_arn=ROLE)
    (problem,) = found.problems
    assert found == RenderResult(namespace="team-a", reason=UNCHANGED, problems=(problem,))
    assert problem.startswith(f"the installation does not let this namespace use the role {ROLE}: ")
    assert problem.endswith("can allow it in the settings, under `roles`")


@pytest.mark.parametrize(
    ("settings", "annotations", "setting"),
    [
        (Settings(policy=Policy(registries=(EU,))), {}, "controllerIdentity"),
        (
            Settings(policy=Policy(registries=(EU,), roles=(BLUE,), service_accounts=ANYBODY)),
            {"role_arn": ROLE},
            "roles[0]",
        ),
        (
            Settings(
                policy=Policy(
                    registries=(EU,),
                    controller_identity=NOBODY,
                    roles=(
                        RoleGrant(role="*", namespaces=Matcher(names=("red",))),
                        RoleGrant(role=ROLE, registries=("elsewhere",)),
                        BLUE,
                    ),
                ),
            ),
            {"role_arn": ROLE},
            "roles[2]",
        ),
        (
            Settings(policy=Policy(registries=(EU,), service_accounts=ANYBODY)),
            {"service_account_name": "puller"},
            "serviceAccountIdentity",
        ),
    ],
)
def test_the_grant_that_allows_the_identity_is_named(
    settings: Settings, annotations: dict[str, str], setting: str
) -> None:
    """The first that matches namespace, role and registries."""
    assert [*render(settings, "blue", enabled="true", **annotations).allowed_by.values()] == [setting]


def test_the_controllers_permissions() -> None:
    """One line for each statement that IAM needs."""
    found = render(enabled="true", registries=f"{EU},{EU_OTHER_ACCOUNT},{PUBLIC}")
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
    """On both sides: the assuming role and the assumed one."""
    settings = Settings(policy=Policy(registries=(EU,), roles=(grant,)))
    found = render(settings, "blue", enabled="true", role_arn=ROLE)
    assert found.permissions == (
        f"{CONTROLLERS}: {acts} on {ROLE}",
        f"{ROLE}: a trust policy that allows {acts} to {CONTROLLERS}{given}",
        f'{ROLE}: ecr:GetAuthorizationToken on "*"',
        f"{ROLE}: {PULLS}",
    )


def test_a_service_accounts_permissions() -> None:
    """Its role is in an annotation of the ServiceAccount, which the Namespace does not show."""
    settings = Settings(policy=Policy(registries=(EU,), service_accounts=ANYBODY))
    found = render(settings, enabled="true", service_account_name="puller")
    who = "the role in eks.amazonaws.com/role-arn of the ServiceAccount team-a/puller"
    subject = "system:serviceaccount:team-a:puller"
    assert found.permissions == (
        f"{who}: a trust policy that allows sts:AssumeRoleWithWebIdentity to {subject}",
        f'{who}: ecr:GetAuthorizationToken on "*"',
        f"{who}: {PULLS}",
    )


def test_the_refresh_time_includes_the_jitter_of_the_namespace() -> None:
    """After the refresh rule, spread as the controller spreads it."""
    settings = Settings(policy=Policy(registries=(EU,)), rotation=Rotation(fraction=0.25, jitter=timedelta(minutes=10)))
    times = [render(settings, name, enabled="true").refresh for name in ("team-a", "team-b")]
    assert None not in times
    for refresh in filter(None, times):
        assert refresh.earliest_at == NOW + 3 * HOUR
        assert refresh.earliest_at <= refresh.refresh_at < refresh.earliest_at + timedelta(minutes=10)
    assert times[0] != times[1]


def test_the_secret_is_the_one_that_would_be_applied_without_the_token() -> None:
    """With all annotations; the token is redacted."""
    found = render(enabled="true", refresh_requested_at="now")
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
                "pullkeeper.dev/opted-in-by": "annotation",
                "pullkeeper.dev/written-by": "pullkeeper-system/pullkeeper",
            },
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": f'base64 of {{"auths": {{"{EU}": {{"auth": "***"}}}}}}'},
    }


def test_the_text_groups_lines_under_labels() -> None:
    """Several values of one label are aligned."""
    fips = parse("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com")
    both = parse("123456789012.dkr-ecr-fips.us-west-2.on.aws")
    found = render(enabled="true", registries=f"{EU},{EU_OTHER_ACCOUNT},{fips},{both}")
    assert as_text(found).splitlines() == [
        "namespace/team-a: opted in by its annotation pullkeeper.dev/enabled",
        f"  registries    {both}",
        f"                {fips}",
        f"                {EU}",
        f"                {EU_OTHER_ACCOUNT}",
        "  identity      controller, allowed by `controllerIdentity` in the settings",
        "  principal     the controller's own; `pullkeeper check` names it",
        f"  tokens        eu-west-1: {EU}, {EU_OTHER_ACCOUNT}",
        f"                us-east-1/fips from the FIPS endpoint: {fips}",
        f"                us-west-2/fips/dual-stack from the FIPS and dual-stack endpoint: {both}",
        f'  permissions   {CONTROLLERS}: ecr:GetAuthorizationToken on "*"',
        f"                {CONTROLLERS}: {PULLS}",
        f"  rotation      {ROTATION}",
    ]


def test_the_text_marks_default_registries() -> None:
    """The Namespace itself does not show where they come from."""
    assert f"  registries    {EU}, from `registries` in the settings" in as_text(render(enabled="true")).splitlines()


def test_the_text_lists_problems_alone() -> None:
    """Nothing would be done, so there is nothing else to show."""
    assert as_text(render(enabled="yes")).splitlines()[1:] == [
        '  pullkeeper.dev/enabled: found "yes", expected "true" or "false"'
    ]


def test_the_document_says_the_same() -> None:
    """Missing values are empty or null."""
    found = render(enabled="true")
    assert as_document(found) == {
        "namespace": "team-a",
        "ok": True,
        "reason": "opted in by its annotation pullkeeper.dev/enabled",
        "problems": [],
        "registries": [EU.name],
        "leftOut": {},
        "identities": [
            {"identity": "controller", "principal": None, "allowedBy": "controllerIdentity", "registries": [EU.name]}
        ],
        "tokens": [{"scope": "eu-west-1", "identity": "controller", "registries": [EU.name]}],
        "permissions": [f'{CONTROLLERS}: ecr:GetAuthorizationToken on "*"', f"{CONTROLLERS}: {PULLS}"],
        "earliestRefreshAt": "2026-03-01T18:00:00Z",
        "refreshAt": "2026-03-01T18:00:00Z",
        "secret": found.secret,
        "additionalSecrets": [],
    }
    assert as_document(render(enabled="yes")) == {
        "namespace": "team-a",
        "ok": False,
        "reason": UNCHANGED,
        "problems": ['pullkeeper.dev/enabled: found "yes", expected "true" or "false"'],
        "registries": [],
        "leftOut": {},
        "identities": [],
        "tokens": [],
        "permissions": [],
        "earliestRefreshAt": None,
        "refreshAt": None,
        "secret": None,
        "additionalSecrets": [],
    }


def test_additional_secrets_are_rendered_with_the_password_masked() -> None:
    """Those that the settings ask for here, for a registry that the pull Secret is for."""
    asked = AdditionalSecret(
        name="argocd", shape=ShapeName.ARGOCD_REPO_CREDS, registry=EU, namespaces=Matcher(names=("team-*",))
    )
    others = (replace(asked, name="x", namespaces=NO_NAMESPACE), replace(asked, name="y", registry=EU_OTHER_ACCOUNT))
    found = render(replace(SETTINGS, additional_secrets=(asked, *others)), enabled="true")
    (secret,) = as_document(found)["additionalSecrets"]
    assert secret["data"] == {
        "type": "base64 of helm",
        "enableOCI": "base64 of true",
        "url": f"base64 of {EU}/",
        "username": "base64 of AWS",
        "password": "base64 of ***",
    }
    metadata = secret["metadata"]
    assert (metadata["name"], metadata["namespace"], secret["type"]) == ("argocd", "team-a", "Opaque")
    assert metadata["annotations"]["pullkeeper.dev/written-by"] == "pullkeeper-system/pullkeeper"
    assert metadata["labels"]["argocd.argoproj.io/secret-type"] == "repo-creds"
    assert as_text(found).splitlines()[-1] == "  additional    Secret argocd of `additionalSecrets`"


def test_a_problem_is_shown_without_anything_that_a_terminal_acts_on() -> None:
    """A manifest may be somebody else's."""
    hostile = "\x1b[2J\n\u202e"
    annotations = {f"x{hostile}": "", "enabled": hostile, "role-arn": hostile}
    namespace = ObservedNamespace(name="team-a", resource_version=0, annotations=annotations)
    shown = as_text(render_namespace(namespace, SETTINGS, NOW)).split("\n")
    assert len(shown) == 5
    assert all(line.isprintable() for line in shown)


def test_an_annotation_without_effect_is_a_problem_beside_the_secret() -> None:
    """The pull Secret is written all the same."""
    found = render(enabled="true", attach_to_service_accounts="*")
    assert found.secret is not None
    assert "has no effect" in found.problems[0]
    assert not render(
        replace(SETTINGS, service_account_attachment=True), enabled="true", attach_to_service_accounts="*"
    ).problems


@pytest.mark.parametrize(
    ("annotations", "line", "principal"),
    [
        ({}, "  principal     the controller's own; `pullkeeper check` names it", None),
        ({"role_arn": ROLE}, f"  principal     {of_role(ROLE)}", of_role(ROLE)),
        (
            {"service_account_name": "puller"},
            (
                "  principal     the role in eks.amazonaws.com/role-arn of the ServiceAccount team-a/puller; "
                "`pullkeeper status --output wide` shows whose tokens there are"
            ),
            None,
        ),
    ],
)
def test_whose_tokens_they_would_be_is_told(annotations: dict[str, str], line: str, principal: str | None) -> None:
    """Or where that is to be seen, since only the cluster and AWS know it."""
    allowed = Settings(policy=Policy(registries=(EU,), roles=(RoleGrant(role=ROLE),), service_accounts=ANYBODY))
    found = render(allowed, enabled="true", **annotations)
    assert line in as_text(found).splitlines()
    assert [each["principal"] for each in as_document(found)["identities"]] == [principal]


@pytest.mark.parametrize(("own", "called"), [("", "the default class"), ("blue", "the class blue")])
def test_of_a_namespace_of_another_class_nothing_would_be_done(own: str, called: str) -> None:
    """It says whose it would have to be."""
    settings = Settings(policy=Policy(registries=(EU,), installation_class=own))
    assert render(settings, enabled="true", registries="x", **{"class": "canary"}) == RenderResult(
        namespace="team-a", reason=f"of another class than this installation, which serves {called}"
    )


def test_the_secret_says_whose_class_it_is_and_what_opted_it_in() -> None:
    """For whoever takes over."""
    settings = Settings(policy=Policy(registries=(EU,), installation_class="blue", opt_in=Matcher(names=("team-*",))))
    secret = render(settings, **{"class": "blue"}).secret
    assert secret is not None
    annotations = secret["metadata"]["annotations"]
    assert (annotations["pullkeeper.dev/opted-in-by"], annotations["pullkeeper.dev/class"]) == ("settings", "blue")
