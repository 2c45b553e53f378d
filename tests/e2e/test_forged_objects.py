"""A tenant writes what it likes into its own objects: it gets nobody's token but its own, and harms nobody else.

The tenant's writes come from the admin's client: it may do in its namespace whatever an administrator may.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.objects import pull_secret
from testsupport.tenant_identities import BLUE, OWN, blue, own_account, policy, principals
from testsupport.waiting import until

pytestmark = pytest.mark.slow

FORGED = {"auths": {IRELAND: {"auth": "QVdTOmZvcmdlZA=="}}}
HOUR = timedelta(hours=1)


def _annotations(identity: str, issued: str, expires: str, host: str = IRELAND) -> dict[str, str]:
    label = host.split(".")[3]
    tokens = {label: {"issued-at": issued, "expires-at": expires}}
    values = {"issued-at": issued, "expires-at": expires, "registries": host, "identity": identity}
    return {f"pullkeeper.dev/{key}": value for key, value in {**values, "tokens": json.dumps(tokens)}.items()}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.000Z}"


async def _forge(
    installation: Installation, team: str, annotations: dict[str, str], *, kind: str = "kubernetes.io/dockerconfigjson"
) -> dict[str, Any]:
    """Write a pull Secret under our field manager, so that nothing in its metadata tells it from one of ours."""
    body = pull_secret(installation.secret_name, json.dumps(FORGED), annotations=annotations) | {"type": kind}
    path = installation.path(team)
    answer = await installation.api.apply(path, body, force=True)
    forged: dict[str, Any] = answer.ok()
    return forged


def _old(identity: str, host: str = IRELAND) -> dict[str, str]:
    """Annotations of a Secret whose token is due."""
    now = datetime.now(UTC)
    return _annotations(identity, _time(now - 11 * HOUR), _time(now + HOUR), host)


async def test_misspelt_opt_in_is_none_whatever_the_secret_says(installation: Installation) -> None:
    """`enabled: "False"` and a Secret that claims the controller's identity give no token, after a restart either."""
    team = await installation.create_namespace(enabled="False", registries=IRELAND)
    forged = await _forge(installation, team, _old("controller"))
    await installation.start()
    await installation.event(team, "InvalidAnnotation")
    await installation.create_served_namespace(registries=VIRGINIA)
    secret = await installation.secret(team)
    assert secret is not None
    assert secret["data"] == forged["data"]
    assert [token.region for token in installation.aws.tokens] == ["us-east-1"]


async def test_secret_does_not_change_the_identity_of_a_namespace_with_a_misspelling(
    installation: Installation,
) -> None:
    """It is bound to a role, and its registries have a slip: the controller's identity in its Secret is no way out."""
    installation.aws.allow_role(BLUE, trusted_principals=ROLE)
    team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE, registries="a-slip")
    await _forge(installation, team, _old("controller"))
    await installation.start(policy(blue(installation)))
    await installation.event(team, "InvalidAnnotation")
    await installation.create_served_namespace(registries=VIRGINIA)
    assert [token.region for token in installation.aws.tokens] == ["us-east-1"]


async def test_slip_freezes_the_last_valid_request(installation: Installation) -> None:
    """While it lasts, the Secret is repaired as it was requested before, whatever the tenant has made of it."""
    installation.aws.allow_role(BLUE, trusted_principals=ROLE)
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        first = await recorder.created(team)
        await installation.annotate(team, registries="a-slip", enabled="False")
        await installation.event(team, "InvalidAnnotation")
        await _forge(installation, team, _old("controller", VIRGINIA))
        mended = await recorder.wait(team, lambda version: auths(version.secret) == auths(first.secret))
    assert mended.annotations["pullkeeper.dev/identity"] == BLUE
    assert principals(installation, mended.secret) == {BLUE}


@pytest.mark.parametrize("annotations", [None, {}], ids=["no account", "no role"])
async def test_namespace_made_anew_has_nothing_of_the_one_before(
    installation: Installation, annotations: dict[str, str] | None
) -> None:
    """Another tenant's namespace and ServiceAccount of the same names: without a role it gets no token."""
    await installation.start({"serviceAccountIdentity": {"namespaces": ["*"]}})
    team = await installation.create_namespace()
    await own_account(installation, team)
    await installation.annotate(team, enabled="true", service_account_name="puller")
    await installation.event(team, "PullSecretCreated")
    (await installation.api.delete(f"/api/v1/namespaces/{team}")).ok()

    async def made_anew() -> bool:
        metadata = {"name": team, "annotations": {"pullkeeper.dev/registries": IRELAND}}
        return (await installation.api.post("/api/v1/namespaces", {"metadata": metadata})).status == 201

    await until(made_anew, f"{team} to be gone")
    if annotations is not None:
        metadata = {"name": "puller", "annotations": {"example.org/none": "x"}}
        (await installation.api.post(f"/api/v1/namespaces/{team}/serviceaccounts", {"metadata": metadata})).ok()
    await installation.annotate(team, enabled="true", service_account_name="puller")
    event = await installation.event(team, "TokenFetchFailed")
    assert "puller cannot be used" in event["note"]
    assert await installation.secret(team) is None
    assert installation.aws.count("GetAuthorizationToken") == 1


@pytest.mark.parametrize(
    ("issued", "expires"),
    [
        ("9999-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        ("2026-01-01T00:00:00.000Z", "2126-01-01T00:00:00.000Z"),
    ],
)
async def test_times_that_cannot_be_true_are_repaired(installation: Installation, issued: str, expires: str) -> None:
    """Such a Secret would never be replaced; the alert on the soonest expiry is not blinded by it."""
    process = await installation.start({"perNamespaceMetrics": False})
    honest = await installation.create_served_namespace()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(registries=IRELAND)
        await _forge(installation, team, _annotations("controller", issued, expires))
        await installation.annotate(team, enabled="true")
        mended = await recorder.wait(team, lambda version: auths(version.secret) != auths(_content()))
    served = await installation.secret(honest)
    assert served is not None
    assert auths(mended.secret) == auths(served)
    soonest = await process.metric("pullkeeper_secret_expiry_timestamp_seconds")
    assert soonest > datetime.now(UTC).timestamp()


def _content() -> dict[str, Any]:
    return pull_secret("x", json.dumps(FORGED))


async def test_forged_secret_shows_no_token_to_a_registry(installation: Installation) -> None:
    """Continuous verification asks only what the namespaces request: not as the identity, nor at the host, of a Secret.

    The victim's ServiceAccount and the times of its token are known to anybody who reads the metrics.
    """
    settings = {
        "serviceAccountIdentity": {"namespaces": ["victim-*"]},
        "verify": "continuous",
        "verifyInterval": "5s",
        "registryCaFile": installation.aws.network.ca_file,
    }
    await installation.start(settings)
    victim = await installation.create_namespace("victim")
    await own_account(installation, victim)
    async with installation.recording() as recorder:
        await installation.annotate(victim, enabled="true", service_account_name="puller")
        held = await recorder.created(victim)
    issued, expires = (held.annotations[f"pullkeeper.dev/{key}"] for key in ("issued-at", "expires-at"))
    elsewhere = f"999999999999.dkr.ecr.eu-west-1.{IRELAND.partition('eu-west-1.')[2]}"
    # With a slip, and of a type that nobody can change: the forgery stays, and every round sees it.
    evil = await installation.create_namespace("evil", enabled="true", registries="a-slip")
    await installation.event(evil, "InvalidAnnotation")
    forgery = _annotations(f"system:serviceaccount:{victim}:puller", issued, expires, elsewhere)
    await _forge(installation, evil, forgery, kind="Opaque")
    before = len(installation.aws.probes(IRELAND))

    async def probed() -> bool:
        return len(installation.aws.probes(IRELAND)) >= before + 3

    await until(probed, "more rounds")
    assert elsewhere not in installation.aws.network.asked
    assert {token.role_arn for token in installation.aws.tokens} <= {OWN, ROLE}
