"""The bare baseline: the same applies, to the same server, from a loop that does nothing else."""

import asyncio
import base64
import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from testsupport.rest import APPLY, METADATA, RestClient

AT_ONCE = 16
"""As many as the controller's own default `maxConcurrentReconciles`."""
_KEY = ".dockerconfigjson"
_KEPT = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations")

Request = tuple[str, bytes]
"""Path and body."""


async def applies_per_second(user: RestClient, secret_name: str) -> float:
    """Apply every pull Secret once, as the controller would, with other tokens of the same size."""
    query = {"fieldSelector": f"metadata.name={secret_name}"}
    secrets = (await user.get("/api/v1/secrets", **query)).ok()["items"]
    requests = [_request(secret, random.Random(number)) for number, secret in enumerate(secrets)]
    shared = iter(requests)
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_work(user, shared))
    return len(requests) / (time.monotonic() - started)


async def _work(user: RestClient, requests: Iterator[Request]) -> None:
    """Take from what all share until nothing is left."""
    headers = {"Authorization": f"Bearer {user.token}", "Content-Type": APPLY, "Accept": METADATA}
    parameters = {"fieldManager": "pullkeeper", "force": "true"}
    for path, body in requests:
        async with user.http.patch(user.url + path, params=parameters, data=body, headers=headers) as answer:
            json.loads(await answer.read())
            _check(answer)


def _check(answer: aiohttp.ClientResponse) -> None:
    assert answer.ok, f"the API server answered the baseline with {answer.status}"


def _request(secret: Mapping[str, Any], chance: random.Random) -> Request:
    metadata = {key: secret["metadata"][key] for key in _KEPT}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": secret["type"],
        "data": {_KEY: _other_tokens(secret["data"][_KEY], chance)},
    }
    path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
    return path, json.dumps(body).encode()


def _other_tokens(data: str, chance: random.Random) -> str:
    auths = json.loads(base64.b64decode(data))["auths"]
    for entry in auths.values():
        entry["auth"] = base64.b64encode(chance.randbytes(len(base64.b64decode(entry["auth"])))).decode()
    return base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
