"""Rights in one namespace alone: its Namespace object can be read and watched by them."""

import asyncio
from collections.abc import Callable

import pytest

from testsupport import objects
from testsupport.access import create_user, rule
from testsupport.objects import pull_secret, secrets_in, version_of
from testsupport.rest import METADATA, METADATA_LIST, RestClient, Watch
from testsupport.waiting import until


@pytest.fixture
async def tenant(api: RestClient, namespace: str, name: str) -> RestClient:
    """Give the client of a ServiceAccount that has a Role in its namespace, and nothing else."""
    rules = (rule("namespaces", "get", "watch", name=namespace), rule("secrets", "list", "watch", name=name))
    return await create_user(api, namespace, *rules, within=namespace)


async def test_its_namespace_can_be_read(tenant: RestClient, namespace: str) -> None:
    """A GET of a Namespace counts as within that namespace."""
    answer = await tenant.get(f"/api/v1/namespaces/{namespace}", accept=METADATA)
    assert answer.ok()["kind"] == "PartialObjectMetadata"


async def test_its_namespace_can_be_watched_by_the_old_path(
    api: RestClient, tenant: RestClient, namespace: str
) -> None:
    """The path that names the Namespace counts as within it; what it shows are the changes of that one."""
    version = version_of((await tenant.get(f"/api/v1/namespaces/{namespace}", accept=METADATA)).ok())
    path = f"/api/v1/watch/namespaces/{namespace}"
    async with tenant.watch(path, accept=METADATA, resourceVersion=version, allowWatchBookmarks=True) as events:
        other = await objects.create_namespace(api)
        (await api.merge(f"/api/v1/namespaces/{other}", {"metadata": {"annotations": {"a": "other"}}})).ok()
        (await api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"annotations": {"a": "b"}}})).ok()
        event = await events.next()
    assert (event["type"], event["object"]["kind"]) == ("MODIFIED", "PartialObjectMetadata")
    assert event["object"]["metadata"]["annotations"] == {"a": "b"}


async def test_no_other_way_leads_to_namespaces(api: RestClient, tenant: RestClient, namespace: str) -> None:
    """Listing, watching by a field selector, and any other Namespace are out of reach."""
    other = await objects.create_namespace(api)
    selector = f"metadata.name={namespace}"
    refused = [
        await tenant.get("/api/v1/namespaces"),
        await tenant.get("/api/v1/namespaces", fieldSelector=selector),
        await tenant.get("/api/v1/namespaces", fieldSelector=selector, watch=True),
        await tenant.get(f"/api/v1/namespaces/{other}"),
        await tenant.get(f"/api/v1/watch/namespaces/{other}"),
        await tenant.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"annotations": {"a": "b"}}}),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)


async def test_its_secrets_can_be_listed_by_name(
    api: RestClient, tenant: RestClient, namespace: str, name: str
) -> None:
    """Within the namespace as across the cluster, the field selector carries the name into authorization."""
    (await api.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))).ok()
    selector = f"metadata.name={name}"
    answer = await tenant.get(secrets_in(namespace), fieldSelector=selector, accept=METADATA_LIST)
    assert [item["metadata"]["name"] for item in answer.ok()["items"]] == [name]
    assert (await tenant.get(secrets_in(namespace))).status == 403
    assert (await tenant.get("/api/v1/secrets", fieldSelector=selector)).status == 403


async def test_its_watch_can_begin_at_any_version_but_its_own_may_be_forgotten(
    api: RestClient, tenant: RestClient, namespace: str, compact: Callable[[], None]
) -> None:
    """A Namespace that nobody changes keeps a version that is soon too old; "0" tells first what is there."""
    await objects.create_namespace(api)
    await asyncio.to_thread(compact)
    path = f"/api/v1/watch/namespaces/{namespace}"

    async def readable() -> bool:
        return (await tenant.get(f"/api/v1/namespaces/{namespace}", accept=METADATA)).status == 200

    await until(readable, "the API server to have loaded its rights")
    version = version_of((await tenant.get(f"/api/v1/namespaces/{namespace}", accept=METADATA)).ok())
    async with tenant.watch(path, accept=METADATA, resourceVersion=version) as events:
        [event] = await events.rest()
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    async with tenant.watch(path, accept=METADATA, resourceVersion="0", allowWatchBookmarks=True) as events:
        assert await _told(events) == ("ADDED", version)
        assert (await _told(events))[0] == "BOOKMARK"
        (await api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"annotations": {"a": "b"}}})).ok()
        assert (await _told(events))[0] == "MODIFIED"
    gone = path.replace(namespace, f"{namespace}-gone")
    async with api.watch(gone, accept=METADATA, resourceVersion="0", allowWatchBookmarks=True) as events:
        assert (await _told(events))[0] == "BOOKMARK"


async def _told(events: Watch) -> tuple[str, str]:
    event = await events.next()
    return event["type"], event["object"]["metadata"]["resourceVersion"]
