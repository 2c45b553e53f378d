"""Server-side apply under conditions: a uid and a resourceVersion in the applied metadata."""

import pytest

from testsupport.objects import FIRST, SECOND, SOME_UID, content_of, pull_secret, uid_of, version_of
from testsupport.rest import RestClient


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
async def test_uid_of_a_gone_object_conflicts(api: RestClient, path: str, name: str, *, force: bool) -> None:
    """An apply that carries a uid never creates."""
    answer = await api.apply(path, pull_secret(name, uid=SOME_UID), force=force)
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"] == {"name": name, "kind": "secrets"}
    assert answer.message.endswith(
        f"uid mismatch: the provided object specified uid {SOME_UID}, and no existing object was found"
    )
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
async def test_uid_of_a_replaced_object_is_invalid(api: RestClient, path: str, name: str, *, force: bool) -> None:
    """An apply that carries another object's uid never writes; the cause is told twice."""
    await api.apply(path, pull_secret(name))
    answer = await api.apply(path, pull_secret(name, SECOND, uid=SOME_UID), force=force)
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", "metadata.uid")] * 2
    assert content_of((await api.get(path)).ok()) == FIRST


async def test_own_uid_passes(api: RestClient, path: str, name: str) -> None:
    """An apply with the uid that the object has is like one without."""
    created = (await api.apply(path, pull_secret(name))).ok()
    answer = await api.apply(path, pull_secret(name, SECOND, uid=uid_of(created)))
    assert answer.status == 200


async def test_current_version_passes(api: RestClient, path: str, name: str) -> None:
    """A resourceVersion in the applied metadata is an optimistic lock that opens."""
    created = (await api.apply(path, pull_secret(name))).ok()
    answer = await api.apply(path, pull_secret(name, SECOND, resourceVersion=version_of(created)))
    assert answer.status == 200
    assert version_of(answer.body) != version_of(created)


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
async def test_stale_version_conflicts(api: RestClient, path: str, name: str, *, force: bool) -> None:
    """The lock holds under force too, and its conflict has no causes (a field conflict has)."""
    created = (await api.apply(path, pull_secret(name))).ok()
    await api.apply(path, pull_secret(name, SECOND))
    answer = await api.apply(path, pull_secret(name, resourceVersion=version_of(created)), force=force)
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"] == {"name": name, "kind": "secrets"}
    assert answer.message.endswith(
        "the object has been modified; please apply your changes to the latest version and try again"
    )


async def test_stale_version_conflicts_even_without_a_change(api: RestClient, path: str, name: str) -> None:
    """The lock is looked at before the content."""
    created = (await api.apply(path, pull_secret(name))).ok()
    await api.apply(path, pull_secret(name, SECOND))
    answer = await api.apply(path, pull_secret(name, SECOND, resourceVersion=version_of(created)))
    assert answer.verdict == (409, "Conflict")


async def test_version_of_an_absent_object_creates(api: RestClient, path: str, name: str) -> None:
    """A resourceVersion alone does not keep an apply from creating: only a uid does."""
    answer = await api.apply(path, pull_secret(name, resourceVersion="1"))
    assert answer.status == 201
    assert version_of(answer.body) != "1"
