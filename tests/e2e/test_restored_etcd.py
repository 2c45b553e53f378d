"""etcd is restored from a backup under the running controller: resourceVersions go back."""

from collections.abc import Sequence

import pytest

from testsupport.controller_process import ControllerProcess
from testsupport.etcd_backup import back_up
from testsupport.installation import IRELAND, VIRGINIA, Installation, auths
from testsupport.waiting import until

pytestmark = pytest.mark.slow

_WRITES = 300
"""Writes after the backup, so that the versions do not catch up before the test has ended."""


async def test_everything_is_observed_anew_when_versions_go_back(installation: Installation) -> None:
    """Namespaces and Secrets are watched again, what came after the backup is dropped; one line says why."""
    process = await installation.start()
    kept, left = [await installation.create_served_namespace() for _ in range(2)]
    restore = await back_up(installation.server)
    lost = await installation.create_served_namespace()
    await installation.annotate(left, enabled="false")
    await installation.annotate(kept, registries=VIRGINIA)
    await until(lambda: _shows(installation, kept, [VIRGINIA]), "the changed registries")
    await until(lambda: _shows(installation, left, None), "the opt-out")
    await _write_much(installation, kept)
    await restore()
    await _restored(installation, process, kept=[kept, left])
    installation.namespaces.remove(lost)
    assert process.text().count("resourceVersions went back") == 1
    assert await process.metric("pullkeeper_history_resets_total") == 1
    assert await process.metric("pullkeeper_cache_differences_total") == 0


async def test_namespaces_alone_go_back(installation: Installation) -> None:
    """The watch of Namespaces goes on from a version that is not reached again for long: it stays silent."""
    process = await installation.start()
    kept = await installation.create_served_namespace()
    restore = await back_up(installation.server)
    await _write_much(installation, kept)
    await restore()
    await process.until_metric(1, "pullkeeper_history_resets_total")
    new = await installation.create_namespace(enabled="true")
    await until(lambda: _shows(installation, new, [IRELAND]), "the Secret of a new namespace")
    assert process.text().count("namespaces: resourceVersions went back") == 1
    assert await process.metric("pullkeeper_cache_differences_total") == 0


async def _restored(installation: Installation, process: ControllerProcess, *, kept: Sequence[str]) -> None:
    """What was asked for at the time of the backup is there again, and changes of now are noticed."""
    for namespace in kept:
        await until(lambda namespace=namespace: _shows(installation, namespace, [IRELAND]), "the state of the backup")  # type: ignore[misc] # the default binds the loop's value
    await process.until_metric(1, "pullkeeper_history_resets_total")
    new = await installation.create_namespace(enabled="true")
    await until(lambda: _shows(installation, new, [IRELAND]), "the Secret of a new namespace")
    (await installation.api.delete(installation.path(kept[0]))).ok()
    await until(lambda: _shows(installation, kept[0], [IRELAND]), "a deleted Secret to be written again")
    await installation.annotate(kept[1], enabled="false")
    await until(lambda: _shows(installation, kept[1], None), "an opt-out")


async def _shows(installation: Installation, namespace: str, hosts: list[str] | None) -> bool:
    secret = await installation.secret(namespace)
    return (list(auths(secret)) if secret else None) == hosts


async def _write_much(installation: Installation, namespace: str) -> None:
    for number in range(_WRITES):
        await installation.label(namespace, written=str(number))
