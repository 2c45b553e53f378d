"""The bare baselines: loops that send the same requests to the same server and do nothing else."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from testsupport.objects import pull_secret, version_of
from testsupport.rest import METADATA, METADATA_LIST, RestClient, of_name

_NAMESPACES = "/api/v1/namespaces"
AT_ONCE = 16
"""As many as the controller's own default `maxConcurrentReconciles`."""
PREFIX = "bench"
"""With which the names of honest namespaces begin."""
_KEY = ".dockerconfigjson"
_KEPT = ("name", "namespace", "uid", "labels", "annotations")
_VERSION = "@version"
_TOKENS = 2
"""Other tokens for each Secret: an apply of what is there already would write nothing."""


@dataclass(kw_only=True, slots=True)
class Rotated:
    """A pull Secret that is given another token again and again."""

    path: str
    bodies: Iterator[bytes]
    version: str
    """What the next apply is based on."""

    def body(self) -> bytes:
        """Return the next apply."""
        return next(self.bodies).replace(_VERSION.encode(), self.version.encode())


async def rotated_secrets(user: RestClient, secret_name: str) -> list[Rotated]:
    """Prepare the applies of every pull Secret that there is."""
    query = of_name(secret_name)
    secrets = (await user.get("/api/v1/secrets", **query)).ok()["items"]
    return [_rotated(secret, random.Random()) for secret in secrets]


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


def _rotated(secret: Mapping[str, Any], rng: random.Random) -> Rotated:
    metadata = {key: secret["metadata"][key] for key in _KEPT}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "resourceVersion": _VERSION},
        "type": secret["type"],
    }
    tokens = [_other_tokens(secret["data"][_KEY], rng) for _ in range(_TOKENS)]
    return Rotated(
        path=f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}",
        bodies=cycle([json.dumps({**body, "data": {_KEY: token}}).encode() for token in tokens]),
        version=secret["metadata"]["resourceVersion"],
    )


def _other_tokens(data: str, rng: random.Random) -> str:
    auths = json.loads(base64.b64decode(data))["auths"]
    for entry in auths.values():
        entry["auth"] = base64.b64encode(rng.randbytes(len(base64.b64decode(entry["auth"])))).decode()
    return base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
