"""An apply that creates or does nothing: it names a version that no object has."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.objects import FIRST, SECOND, content_of, foreign_secret, now, pull_secret
from testsupport.rest import RestClient

NO_VERSION = "1"
"""etcd's own first revision: the API server's first object is younger."""


async def test_what_is_absent_is_created(api: RestClient, path: str, name: str) -> None:
    """A version does not keep an apply from creating."""
    assert (await api.apply(path, pull_secret(name, resourceVersion=NO_VERSION))).status == 201


async def test_what_is_there_by_the_same_manager_is_left(api: RestClient, path: str, name: str) -> None:
    """Without the version the same manager would overwrite; with it the apply is a conflict that names no field."""
    (await api.apply(path, pull_secret(name))).ok()
    answer = await api.apply(path, pull_secret(name, SECOND, resourceVersion=NO_VERSION))
    assert answer.verdict == (409, "Conflict")
    assert answer.causes == []
    assert content_of((await api.get(path)).ok()) == FIRST


@pytest.mark.parametrize("content", [FIRST, SECOND], ids=["alike", "other"])
async def test_what_is_there_by_another_manager_is_left(api: RestClient, path: str, name: str, content: str) -> None:
    """A stranger's object is a conflict, even where its content is the same."""
    (await api.post(path.rpartition("/")[0], foreign_secret(name))).ok()
    answer = await api.apply(path, pull_secret(name, content, resourceVersion=NO_VERSION))
    assert answer.verdict == (409, "Conflict")
    labels = (await api.get(path)).ok()["metadata"].get("labels", {})
    assert labels == {}


async def test_one_of_many_creates(api: RestClient, namespace: str, name: str) -> None:
    """Of several who apply a Lease at once under one manager, one is told 201 and the others 409."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    answers = await asyncio.gather(*(api.apply(path, _lease(name, f"replica-{each}")) for each in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_merge_patch_names_the_version_that_it_changes(api: RestClient, namespace: str, name: str) -> None:
    """A Lease is taken over by a merge patch: a version that is not the present one is a conflict."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    held = (await api.apply(path, _lease(name, "a"))).ok()["metadata"]
    version = {"uid": held["uid"], "resourceVersion": held["resourceVersion"]}
    bids = [{"metadata": version, "spec": {"holderIdentity": bidder}} for bidder in ("b", "c")]
    answers = await asyncio.gather(*(api.merge(path, bid, fieldManager="pullkeeper") for bid in bids))
    assert sorted(answer.status for answer in answers) == [200, 409]
    (await api.delete(path)).ok()
    assert (await api.merge(path, bids[0])).status == 404


def _lease(name: str, holder: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "resourceVersion": NO_VERSION},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": now(), "renewTime": now()},
    }
