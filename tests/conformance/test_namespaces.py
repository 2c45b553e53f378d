"""Namespaces: how they begin and how they end."""

from testsupport import objects
from testsupport.objects import SECOND, foreign_secret, secrets_in, uid_of
from testsupport.rest import METADATA, RestClient


async def test_creation_sets_label_phase_and_finalizer(api: RestClient, namespace: str) -> None:
    """A new namespace has its name as a label, is Active, and is guarded by the finalizer of its spec."""
    body = (await api.get(f"/api/v1/namespaces/{namespace}")).ok()
    assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
    assert body["status"] == {"phase": "Active"}
    assert body["spec"] == {"finalizers": ["kubernetes"]}


async def test_creation_brings_the_default_service_account(api: RestClient, namespace: str) -> None:
    """The ServiceAccount "default" comes by itself, a moment later."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    async with api.watch(path, accept=METADATA, fieldSelector="metadata.name=default") as events:
        assert (await events.next())["object"]["metadata"]["name"] == "default"


async def test_deletion_terminates_first(api: RestClient) -> None:
    """A delete answers with the namespace, Terminating; deleting again is 200 too."""
    namespace = await objects.terminate_namespace(api)
    answer = (await api.delete(f"/api/v1/namespaces/{namespace}")).ok()
    assert answer["kind"] == "Namespace"
    assert answer["status"]["phase"] == "Terminating"
    assert answer["metadata"]["deletionTimestamp"]


async def test_deletion_is_a_modification_until_it_is_done(api: RestClient, namespace: str) -> None:
    """A watcher sees MODIFIED with a deletionTimestamp, and DELETED when all content is gone."""
    (await api.post(secrets_in(namespace), foreign_secret("content"))).ok()
    path = f"/api/v1/namespaces/{namespace}"
    version = objects.version_of((await api.get(path)).ok())
    query = {"fieldSelector": f"metadata.name={namespace}", "resourceVersion": version}
    async with api.watch("/api/v1/namespaces", **query) as events:
        (await api.delete(path)).ok()
        seen = await events.until("DELETED")
    assert seen[0]["type"] == "MODIFIED"
    assert seen[0]["object"]["status"]["phase"] == "Terminating"
    assert (await api.get(path)).verdict == (404, "NotFound")
    assert (await api.get(f"{secrets_in(namespace)}/content")).verdict == (404, "NotFound")


async def test_contents_of_a_terminating_namespace_can_change(api: RestClient) -> None:
    """Only creating is forbidden there: what still exists can be written."""
    namespace = await objects.terminate_namespace(api)
    path = f"{secrets_in(namespace)}/keeper"
    changed = await api.apply(path, foreign_secret("keeper", SECOND), force=True)
    assert changed.status == 200


async def test_nothing_is_created_in_a_terminating_namespace(api: RestClient) -> None:
    """Not even by the administrator."""
    namespace = await objects.terminate_namespace(api)
    answer = await api.post(secrets_in(namespace), foreign_secret("late"))
    assert answer.verdict == (403, "Forbidden")
    assert answer.causes == [("NamespaceTerminating", "metadata.namespace")]


async def test_a_namespace_of_the_same_name_is_another(api: RestClient, namespace: str) -> None:
    """After deletion the name is free for a namespace with another uid."""
    path = f"/api/v1/namespaces/{namespace}"
    before = (await api.get(path)).ok()
    query = {"fieldSelector": f"metadata.name={namespace}"}
    async with api.watch("/api/v1/namespaces", **query) as events:
        (await api.delete(path)).ok()
        await events.until("DELETED")
    body = {"metadata": {"name": namespace}}
    after = (await api.post("/api/v1/namespaces", body)).ok()
    assert uid_of(after) != uid_of(before)


async def test_annotations_are_patched_like_any(api: RestClient, namespace: str) -> None:
    """What kubectl annotate does to a namespace reaches its watchers."""
    path = f"/api/v1/namespaces/{namespace}"
    query = {"fieldSelector": f"metadata.name={namespace}"}
    async with api.watch("/api/v1/namespaces", **query) as events:
        await events.next()
        (await api.merge(path, {"metadata": {"annotations": {"example.com/enabled": "true"}}})).ok()
        changed = await events.next()
    assert changed["object"]["metadata"]["annotations"] == {"example.com/enabled": "true"}
