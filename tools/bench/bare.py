"""The bare baselines: loops that send the same requests to the same server and do nothing else."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from testsupport.objects import pull_secret, version_of
from testsupport.rest import METADATA, METADATA_LIST, RestClient

_NAMESPACES = "/api/v1/namespaces"
AT_ONCE = 16
"""As many as the controller's own default `maxConcurrentReconciles`."""
_KEY = ".dockerconfigjson"
_KEPT = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations")

Request = tuple[str, bytes]
"""Path and body."""


async def rotation_requests(user: RestClient, secret_name: str) -> list[Request]:
    """Make the apply of every pull Secret that there is."""
    query = {"fieldSelector": f"metadata.name={secret_name}"}
    secrets = (await user.get("/api/v1/secrets", **query)).ok()["items"]
    return [_request(secret, random.Random(number)) for number, secret in enumerate(secrets)]


@asynccontextmanager
async def bare_first_secrets(user: RestClient, secret_name: str) -> AsyncIterator[None]:
    """Apply a pull Secret in each namespace that opts in while the block runs."""
    listed = (await user.get(_NAMESPACES, accept=METADATA_LIST)).ok()
    task = asyncio.create_task(_serve(user, secret_name, version_of(listed)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _serve(user: RestClient, secret_name: str, version: str) -> None:
    async with user.watch(_NAMESPACES, accept=METADATA, resourceVersion=version) as watch:
        while True:
            metadata = (await watch.next())["object"]["metadata"]
            if metadata.get("annotations", {}).get("pullkeeper.dev/enabled") == "true":
                path = f"{_NAMESPACES}/{metadata['name']}/secrets/{secret_name}"
                (await user.apply(path, pull_secret(secret_name), force=True, accept=METADATA)).ok()


def _request(secret: Mapping[str, Any], rng: random.Random) -> Request:
    metadata = {key: secret["metadata"][key] for key in _KEPT}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": secret["type"],
        "data": {_KEY: _other_tokens(secret["data"][_KEY], rng)},
    }
    path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
    return path, json.dumps(body).encode()


def _other_tokens(data: str, rng: random.Random) -> str:
    auths = json.loads(base64.b64decode(data))["auths"]
    for entry in auths.values():
        entry["auth"] = base64.b64encode(rng.randbytes(len(base64.b64decode(entry["auth"])))).decode()
    return base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
