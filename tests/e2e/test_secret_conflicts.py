"""A Secret with our name that we do not manage, or that cannot be written."""

from typing import Any

import pytest

from testsupport.installation import IRELAND, Installation, auths

OPAQUE = {"type": "Opaque", "data": {"key": "dmFsdWU="}}
DOCKER = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6IHt9fQ=="}}
OURS = {"app.kubernetes.io/managed-by": "pullkeeper"}


async def _put(installation: Installation, team: str, labels: dict[str, str], **content: Any) -> dict[str, Any]:
    body = {"metadata": {"name": installation.secret_name, "labels": labels}, **content}
    path = f"/api/v1/namespaces/{team}/secrets"
    created: dict[str, Any] = (await installation.api.post(path, body)).ok()
    return created


@pytest.mark.parametrize(
    "content", [OPAQUE, DOCKER, {**DOCKER, "immutable": True}], ids=["opaque", "docker", "immutable"]
)
async def test_invariant_03_only_ours(installation: Installation, content: dict[str, Any]) -> None:
    """A stranger's Secret of our name is left as it is, reported, and the namespace served as soon as it is gone."""
    process = await installation.start()
    team = await installation.create_namespace()
    foreign = await _put(installation, team, {}, **content)
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true")
        event = await installation.event(team, "SecretConflict")
        assert "delete or rename it" in event["note"]
        assert await process.metric("pullkeeper_namespaces", state="conflict") == 1
        assert recorder.of(team) == []
        (await installation.api.delete(installation.path(team))).ok()
        ours = await recorder.created(team)
    assert ours.uid != foreign["metadata"]["uid"]
    assert list(auths(ours.secret)) == [IRELAND]


async def test_foreign_secret_survives_an_opt_out(installation: Installation) -> None:
    """A namespace that opts out keeps a Secret of our name that is not ours."""
    await installation.start()
    team, marker = await installation.create_namespace(enabled="true"), await installation.create_namespace()
    await installation.event(team, "PullSecretCreated")
    foreign = await _put(installation, marker, {}, **OPAQUE)
    async with installation.recording() as recorder:
        for name in (marker, team):
            await installation.annotate(name, enabled="false")
        await recorder.wait(team, lambda version: version.kind == "DELETED")
        assert recorder.of(marker) == []
    kept = await installation.secret(marker)
    assert kept is not None
    assert kept["metadata"]["uid"] == foreign["metadata"]["uid"]


@pytest.mark.parametrize(
    ("content", "why"),
    [(OPAQUE, "is not of type kubernetes.io/dockerconfigjson"), ({**DOCKER, "immutable": True}, "is marked immutable")],
    ids=["other type", "immutable"],
)
async def test_secret_with_our_label_that_cannot_be_written_is_reported(
    installation: Installation, content: dict[str, Any], why: str
) -> None:
    """Our label on a Secret of another type or an immutable one: said why, and what to do; done, it is served."""
    team = await installation.create_namespace(enabled="true")
    await _put(installation, team, OURS, **content)
    await installation.start()
    async with installation.recording() as recorder:
        event = await installation.event(team, "SecretConflict")
        assert why in event["note"]
        (await installation.api.delete(installation.path(team))).ok()
        await recorder.created(team)


async def test_secret_is_adopted_when_somebody_labels_it(installation: Installation) -> None:
    """A stranger's Secret of the right type is taken over, in place, when our label is put on it."""
    await installation.start()
    team = await installation.create_namespace()
    foreign = await _put(installation, team, {}, **DOCKER)
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true")
        await installation.event(team, "SecretConflict")
        (await installation.api.merge(installation.path(team), {"metadata": {"labels": OURS}})).ok()
        adopted = await recorder.wait(team, lambda version: list(auths(version.secret)) == [IRELAND])
    assert adopted.uid == foreign["metadata"]["uid"]


async def test_secret_without_our_label_is_released(installation: Installation) -> None:
    """Whoever takes our label off makes the Secret their own: it is reported and not written again."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        await recorder.created(team)
        taken = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
        (await installation.api.merge(installation.path(team), taken)).ok()
        await installation.event(team, "SecretConflict")

        await process.until_metric(1, "pullkeeper_namespaces", state="conflict")
        assert len(recorder.of(team)) == 2
