"""Another principal behind the controller's identity, as after a change of the role in the ServiceAccount."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE, Installation
from testsupport.service_accounts import ON
from testsupport.tenant_identities import OWN, own_account, principals

pytestmark = pytest.mark.slow

OTHER = f"arn:aws:iam::{ACCOUNT}:role/path/another"
NOTE = "pullkeeper.dev/principal"
SPREAD = {"refreshJitter": "2s"}


def _annotated(role: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": role}}}


CHANGES: dict[str, tuple[dict[str, Any] | None, str]] = {
    "role removed": (_annotated(None), "it has no role: annotate it with eks.amazonaws.com/role-arn"),
    "role misspelt": (_annotated("admin"), "its annotation eks.amazonaws.com/role-arn is not"),
    "deleted": (None, "the ServiceAccount does not exist"),
}
"""What happens to a ServiceAccount in use, and what is said of it."""


def _session_of(role: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}"


def _says(version: Any, role: str) -> bool:
    return bool(version.annotations.get(NOTE) == _session_of(role))


async def test_another_role_replaces_every_token_and_the_same_none(installation: Installation) -> None:
    """A restart as the same role makes no call and no write; as another one, each token key is fetched once."""
    installation.aws.allow_role(OTHER, trusts_subjects=installation.subject)
    process = await installation.start(SPREAD)
    async with installation.recording() as recorder:
        teams = [await installation.create_namespace(enabled="true") for _ in range(4)]
        first = await asyncio.gather(*(recorder.created(team) for team in teams))
        assert all(_says(version, ROLE) for version in first)
        await process.stop()

        installation.aws.forget_calls()
        process = await installation.start(SPREAD)
        await process.until_metric(len(teams), "pullkeeper_namespaces", state="ready")
        assert (installation.aws.count(), [recorder.of(team) for team in teams]) == (0, [[each] for each in first])
        await process.stop()

        process = await installation.start(SPREAD, environment=installation.irsa(role_arn=OTHER))
        await process.until_logged(f"the controller's identity is {_session_of(OTHER)} now: 4 pull Secrets")
        rotated = [await recorder.wait(team, lambda version: _says(version, OTHER)) for team in teams]
    for before, after in zip(first, rotated, strict=True):
        assert principals(installation, before.secret) == {ROLE}
        assert principals(installation, after.secret) == {OTHER}
        assert after.uid == before.uid
    assert installation.aws.count("GetAuthorizationToken") == 1


async def test_role_that_gets_no_token_leaves_the_old_one(installation: Installation) -> None:
    """The failure names the role; once AWS allows it, the token is replaced."""
    installation.aws.allow_role(OTHER, trusts_subjects=installation.subject)
    process = await installation.start(SPREAD)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        await process.stop()
        denial = installation.aws.deny(operation="GetAuthorizationToken")
        process = await installation.start(SPREAD, environment=installation.irsa(role_arn=OTHER))
        assert "AccessDenied" in (await installation.event(team, "AccessDenied"))["note"]
        assert recorder.of(team) == [first]
        denial.clear()
        await installation.annotate(team, refresh_requested_at="now")
        rotated = await recorder.wait(team, lambda version: _says(version, OTHER))
    assert principals(installation, rotated.secret) == {OTHER}


async def test_forged_principal_harms_only_its_own_secret(installation: Installation) -> None:
    """It is repaired from the token that is shared: nobody else's Secret is written, and AWS is not called."""
    await installation.start(SPREAD)
    async with installation.recording() as recorder:
        teams = [await installation.create_namespace(enabled="true") for _ in range(2)]
        first = await asyncio.gather(*(recorder.created(team) for team in teams))
        body = {"metadata": {"annotations": {NOTE: _session_of(OTHER)}}}
        (await installation.api.merge(installation.path(teams[0]), body)).ok()
        await recorder.wait(teams[0], lambda version: version not in first and _says(version, ROLE))
        assert recorder.of(teams[1]) == [first[1]]
    assert installation.aws.count("GetAuthorizationToken") == 1


BY_NAME: Mapping[str, Any] = {"watchedServiceAccounts": ["puller"]}
WAYS = pytest.mark.parametrize("way", [{}, ON, BY_NAME], ids=["read", "watched", "watched by name"])
"""How the controller knows of a ServiceAccount: the settings for it."""


async def _start_with_own_account(installation: Installation, way: Mapping[str, Any]) -> tuple[ControllerProcess, str]:
    """Return the controller, with the rights that this way needs, and a namespace with a ServiceAccount of its own."""
    if way == ON:
        await installation.allow_attachment()
    await installation.allow_service_accounts("puller", watched=way == BY_NAME)
    process = await installation.start({"serviceAccountIdentity": {"namespaces": ["*"]}, **way})
    team = await installation.create_namespace()
    await own_account(installation, team)
    return process, team


@WAYS
async def test_another_role_of_a_service_account_is_noticed(installation: Installation, way: dict[str, Any]) -> None:
    """Without a rotation, a write or an Event of the Namespace; and what else changes on it costs no call of AWS."""
    process, team = await _start_with_own_account(installation, way)
    issuer = (await installation.api.get("/.well-known/openid-configuration")).ok()["issuer"]
    installation.aws.allow_role(OTHER, trusts_subjects=f"system:serviceaccount:{team}:puller", issuer=issuer)

    async def annotate(key: str, value: str) -> None:
        body = {"metadata": {"annotations": {key: value}}}
        (await installation.api.merge(f"/api/v1/namespaces/{team}/serviceaccounts/puller", body)).ok()

    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true", service_account_name="puller")
        first = await recorder.created(team)
        assert principals(installation, first.secret) == {OWN}
        for number in range(3):
            await annotate("note", str(number))
        await annotate("eks.amazonaws.com/role-arn", OTHER)
        rotated = await recorder.wait(team, lambda version: _says(version, OTHER))
        assert recorder.of(team) == [first, rotated]
    assert principals(installation, rotated.secret) == {OTHER}
    assert installation.aws.count("AssumeRoleWithWebIdentity") == 2
    assert installation.aws.count("GetAuthorizationToken") == 2
    await process.until_logged(_session_of(OTHER))


async def test_role_of_a_service_account_that_changed_meanwhile_is_noticed(installation: Installation) -> None:
    """A restarted controller reads it, whatever the Secret says."""
    settings = {"serviceAccountIdentity": {"namespaces": ["*"]}}
    process = await installation.start(settings)
    team = await installation.create_namespace()
    await own_account(installation, team)
    issuer = (await installation.api.get("/.well-known/openid-configuration")).ok()["issuer"]
    installation.aws.allow_role(OTHER, trusts_subjects=f"system:serviceaccount:{team}:puller", issuer=issuer)
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true", service_account_name="puller")
        await recorder.created(team)
        await process.stop()
        body = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": OTHER}}}
        (await installation.api.merge(f"/api/v1/namespaces/{team}/serviceaccounts/puller", body)).ok()
        await installation.start(settings)
        rotated = await recorder.wait(team, lambda version: _says(version, OTHER))
    assert principals(installation, rotated.secret) == {OTHER}


@WAYS
@pytest.mark.parametrize("change", CHANGES)
async def test_service_account_that_loses_its_role_is_reported(
    installation: Installation, way: dict[str, Any], change: str
) -> None:
    """As soon as another role would be noticed; the Secret keeps its tokens, and when the role is back all is well."""
    process, team = await _start_with_own_account(installation, way)
    path = f"/api/v1/namespaces/{team}/serviceaccounts/puller"
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true", service_account_name="puller")
        first = await recorder.created(team)
        await process.until_metric(1, "pullkeeper_namespaces", state="ready")
        body, words = CHANGES[change]
        (await (installation.api.merge(path, body) if body else installation.api.delete(path))).ok()
        assert words in (await installation.event(team, "TokenFetchFailed"))["note"]
        await process.until_metric(0, "pullkeeper_namespaces", state="ready")
        assert recorder.of(team) == [first]
        if body:
            (await installation.api.merge(path, _annotated(OWN))).ok()
            await process.until_metric(1, "pullkeeper_namespaces", state="ready")
            assert recorder.of(team) == [first]
    assert installation.aws.count("GetAuthorizationToken") == 1


async def test_service_accounts_that_may_not_be_watched_are_read(installation: Installation) -> None:
    """Said in the log and by /readyz, with the right that is missing; another role is noticed all the same."""
    await installation.allow_service_accounts("puller")
    settings = {"serviceAccountIdentity": {"namespaces": ["*"]}, **BY_NAME}
    process = await installation.start(settings, ready=False)
    refusal = "list ServiceAccounts named puller (403): grant get, list and watch on serviceaccounts"
    await process.until_logged(refusal)
    assert "the API server denies listing ServiceAccounts: " in (await process.probe("/readyz"))[1]
    team = await installation.create_namespace()
    await own_account(installation, team)
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true", service_account_name="puller")
        first = await recorder.created(team)
        path = f"/api/v1/namespaces/{team}/serviceaccounts/puller"
        (await installation.api.merge(path, _annotated(None))).ok()
        assert "it has no role" in (await installation.event(team, "TokenFetchFailed"))["note"]
        assert recorder.of(team) == [first]
    assert process.text().count(refusal) == 1
