"""PullSecretClient against an API server, in memory or real: what it writes, and what each refusal means."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from pullkeeper.adapters.kubernetes.client import KubeClient, connect
from pullkeeper.adapters.kubernetes.listing import list_namespaces
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity
from pullkeeper.domain.errors.failures import (
    FailureError,
    NamespaceGoneError,
    Reason,
    StaleObservationError,
    foreign_secret_failure,
)
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import DockerConfig
from testsupport.examples import record_of
from testsupport.installation import IRELAND, Installation
from testsupport.objects import foreign_secret, terminate_namespace

HOST = registry_host.parse(IRELAND)
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = "QVdTOmZpcnN0", "QVdTOnNlY29uZA=="


@pytest.fixture
async def connection(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """Log in as the pod would."""
    where = urlsplit(installation.server.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(where.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(where.port))
    monkeypatch.setenv("PULLKEEPER_SERVICE_ACCOUNT_DIR", str(installation.folder))
    server = await connect(kubeconfig=None, record_request=lambda *_: None)
    yield server
    await server.close()


@pytest.fixture
def pull_secrets(connection: KubeClient, installation: Installation) -> PullSecretClient:
    return PullSecretClient(
        connection, shape=DockerConfig(name=installation.secret_name), installation="system/pullkeeper"
    )


def content(auth: str = FIRST) -> PullSecret:
    times = TokenValidity(issued_at=ISSUED, expires_at=ISSUED + timedelta(hours=12))
    published = record_of({HOST: times})
    return PullSecret(record=published, auths={HOST: Password(auth)})


def long_content() -> PullSecret:
    """Return content whose annotations take more than a kilobyte."""
    names = [f"1234567890{number}.dkr.ecr.eu-west-1.amazonaws.com" for number in range(10, 40)]
    times = TokenValidity(issued_at=ISSUED, expires_at=ISSUED + timedelta(hours=12))
    hosts = [registry_host.parse(name) for name in names]
    record = record_of(dict.fromkeys(hosts, times))
    return PullSecret(record=record, auths=dict.fromkeys(hosts, Password(FIRST)))


async def test_what_is_written_is_observed_and_read_back(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """A first write and a second in its place: intact, the same Secret, and its entries are those that were written."""
    team = await installation.create_namespace()
    first = await pull_secrets.apply(team, content(), None)
    assert (first.managed, first.intact, first.record) == (True, True, content().record)
    second = await pull_secrets.apply(team, content(SECOND), first)
    assert (second.uid, second.intact) == (first.uid, True)
    assert second.resource_version > first.resource_version
    assert await pull_secrets.read_auths(team) == {HOST: Password(SECOND)}


async def test_nothing_is_written_into_a_namespace_that_is_going_or_gone(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """A namespace that ended between decision and write is no failure."""
    for team in (await terminate_namespace(installation.api), "gone-for-good"):
        with pytest.raises(NamespaceGoneError):
            await pull_secrets.apply(team, content(), None)


async def test_write_in_place_of_what_is_not_there_any_more_is_stale(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """Changed, deleted or replaced by another one meanwhile: nothing is written, whoever it belongs to now."""
    team = await installation.create_namespace()
    path = installation.path(team)
    first = await pull_secrets.apply(team, content(), None)
    (await installation.api.merge(path, {"metadata": {"labels": {"a": "b"}}})).ok()
    for state in ("changed", "deleted", "replaced"):
        with pytest.raises(StaleObservationError):
            await pull_secrets.apply(team, content(SECOND), first)
        await installation.api.delete(path)
        if state == "deleted":
            body = foreign_secret(installation.secret_name)
            (await installation.api.post(f"/api/v1/namespaces/{team}/secrets", body)).ok()
    assert await installation.secret(team) is None


async def test_stale_deletion_deletes_nothing_and_a_second_one_is_done(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """Only what was observed is deleted; what is gone already needs no deleting."""
    team = await installation.create_namespace()
    first = await pull_secrets.apply(team, content(), None)
    second = await pull_secrets.apply(team, content(SECOND), first)
    with pytest.raises(StaleObservationError):
        await pull_secrets.delete(team, first)
    await pull_secrets.delete(team, second)
    await pull_secrets.delete(team, second)
    assert await installation.secret(team) is None


@pytest.mark.parametrize("changes", [{}, {"type": "Opaque"}], ids=["a stranger's", "another type"])
async def test_first_write_never_hits_a_strangers_secret(
    installation: Installation, pull_secrets: PullSecretClient, changes: dict[str, Any]
) -> None:
    """A Secret that no watch has shown yet is found by the write itself, which leaves it as it is."""
    team = await installation.create_namespace()
    body = foreign_secret(installation.secret_name) | changes
    before = (await installation.api.post(f"/api/v1/namespaces/{team}/secrets", body)).ok()
    with pytest.raises(FailureError) as raised:
        await pull_secrets.apply(team, content(), None)
    assert raised.value.failure == foreign_secret_failure(team)
    assert await installation.secret(team) == before


async def test_what_somebody_else_made_invalid_is_no_reason_to_delete_it(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """Annotations that leave no room for ours: the field is named, and nobody is told to delete what is live."""
    team = await installation.create_namespace()
    first = await pull_secrets.apply(team, content(), None)
    space = 256 * 1024 - 1200
    big = {"metadata": {"annotations": {"other/notes": "x" * space, "pullkeeper.dev/tokens": None}}}
    grown = (await installation.api.merge(installation.path(team), big)).ok()
    with pytest.raises(FailureError) as raised:
        await pull_secrets.apply(team, long_content(), observe(grown["metadata"]))
    failure = raised.value.failure
    assert failure.reason is Reason.SECRET_CONFLICT
    assert "cannot be overwritten: it would be invalid in metadata.annotations: correct that" in failure.message
    assert "delete" not in failure.message
    assert first.namespace == team


async def test_right_that_is_missing_is_named(installation: Installation, connection: KubeClient) -> None:
    """With another Secret's name everything is refused, and the failure says what to grant."""
    team = await installation.create_namespace()
    other = PullSecretClient(connection, shape=DockerConfig(name="other"), installation="system/pullkeeper")
    seen = ObservedSecret(namespace=team, uid="00000000-0000-4000-8000-000000000000", resource_version=1, managed=True)
    attempts = {
        "create and patch": other.apply(team, content(), None),
        "delete": other.delete(team, seen),
        "get": other.read_auths(team),
    }
    for rights, attempt in attempts.items():
        with pytest.raises(FailureError) as raised:
            await attempt
        assert raised.value.failure.reason is Reason.KUBERNETES_DENIED
        assert raised.value.failure.message.endswith(f"(403): grant {rights} on secrets named other")


async def test_namespaces_are_listed_with_what_matters(installation: Installation, connection: KubeClient) -> None:
    """Our annotations without their prefix, the labels, and whether it is going; with the version of the listing."""
    team = await installation.create_namespace(enabled="true")
    await installation.label(team, tier="a")
    ending = await terminate_namespace(installation.api)
    views, version = await list_namespaces(connection)
    found = {view.name: view for view in views}
    assert found[team].annotations == {"enabled": "true"}
    assert found[team].labels["tier"] == "a"
    assert (found[team].terminating, found[ending].terminating) == (False, True)
    assert version >= found[team].resource_version


async def test_edit_by_others_is_seen_in_the_metadata(
    installation: Installation, pull_secrets: PullSecretClient
) -> None:
    """Each field of ours that somebody changes makes the Secret one that is not intact; what they add does not."""
    team = await installation.create_namespace()
    await pull_secrets.apply(team, content(), None)
    path = installation.path(team)
    edits: list[tuple[dict[str, Any], bool]] = [
        ({"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "1"}}}, True),
        ({"data": {".dockerconfigjson": "e30="}}, False),
        ({"metadata": {"annotations": {"pullkeeper.dev/expires-at": "2030-01-01T00:00:00Z"}}}, False),
    ]
    for edit, intact in edits:
        edited = observe((await installation.api.merge(path, edit)).ok()["metadata"])
        assert edited.intact is intact
        assert (await pull_secrets.apply(team, content(), edited)).intact
