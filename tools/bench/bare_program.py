"""What the controller is measured against: it watches as that does, sends the same requests, and does nothing else.

It is a process of its own, says `ready` when its watches are open, and ends when its standard input does.
"""

import argparse
import asyncio
import itertools
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import botocore.session

from testsupport.objects import pull_secret, version_of
from testsupport.rest import APPLY, METADATA, METADATA_LIST, RestClient, of_name
from tools.bench.bare import AT_ONCE, PREFIX, Rotated, rotated_secrets

ROTATE, SERVE, FETCH, BOTH = "rotate", "serve", "fetch", "both"
"""Write all Secrets once; write one in each namespace that opts in; the same, with a token fetched for each; the same
without, while all other Secrets are written again and again."""
_NAMESPACES, _SECRETS = "/api/v1/namespaces", "/api/v1/secrets"
_APPLY_HEADERS = {"Content-Type": APPLY, "Accept": METADATA}
_TLS_CLOSED = 0.25
"""Seconds: aiohttp closes a session before its connections with TLS, which warn if the loop ends before them."""
_FORCED = {"fieldManager": "pullkeeper", "force": "true"}


def main() -> None:
    """Run one of the programs."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.bare_program", description=__doc__)
    parser.add_argument("work", choices=(ROTATE, SERVE, FETCH, BOTH))
    for name in ("server", "ca-file", "token-file", "secret-name"):
        parser.add_argument(f"--{name}", required=True)
    asyncio.run(_run(parser.parse_args()))


async def _run(arguments: argparse.Namespace) -> None:
    with open(arguments.token_file) as file:  # noqa: ASYNC230, PTH123 -- before anything runs
        token = file.read()
    tls = ssl.create_default_context(cafile=arguments.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls)) as http:
        api = RestClient(http=http, url=arguments.server, token=token)
        if arguments.work == ROTATE:
            await _rotate(api, arguments.secret_name)
        else:
            fetch = _fetcher() if arguments.work == FETCH else None
            rotating = await rotated_secrets(api, arguments.secret_name) if arguments.work == BOTH else []
            await _serve(api, arguments.secret_name, fetch, rotating)
    await asyncio.sleep(_TLS_CLOSED)


async def _rotate(api: RestClient, secret_name: str) -> None:
    """Apply every pull Secret once, and tell the processor seconds of that."""
    secrets = await rotated_secrets(api, secret_name)
    async with _Watches(api, secret_name) as watches:
        tasks = [asyncio.create_task(watches.read(kind)) for kind in (_NAMESPACES, _SECRETS)]
        await _say("ready")
        cpu, shared = time.process_time(), iter(secrets)
        await _apply_at_once(api, shared)
        cpu = time.process_time() - cpu
        await _say(json.dumps({"cpu": cpu, "applies": len(secrets)}))
        for task in tasks:
            task.cancel()


async def _apply_at_once(api: RestClient, secrets: Iterator[Rotated]) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_apply_all(api, secrets))


async def _apply_all(api: RestClient, secrets: Iterator[Rotated]) -> None:
    headers = {"Authorization": f"Bearer {api.token}", **_APPLY_HEADERS}
    for secret in secrets:
        async with api.http.patch(api.url + secret.path, params=_FORCED, data=secret.body(), headers=headers) as answer:
            written = json.loads(await answer.read())
            assert answer.ok, f"the API server answered the baseline with {answer.status}"
            secret.version = written["metadata"]["resourceVersion"]


def _fetcher() -> Callable[[str], None]:
    """Return what fetches a token as a role, with what need not be made for each: the session and one STS client."""
    session: Any = botocore.session.Session()
    sts = session.create_client("sts")
    sts.get_caller_identity()  # so that it has credentials

    def fetch(role: str) -> None:
        keys = sts.assume_role(RoleArn=role, RoleSessionName="bare")["Credentials"]
        ecr = session.create_client(
            "ecr",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        assert ecr.get_authorization_token()["authorizationData"]
        ecr.close()

    return fetch


async def _serve(
    api: RestClient, secret_name: str, fetch: Callable[[str], None] | None, rotating: Sequence[Rotated]
) -> None:
    """Apply a pull Secret in each namespace that opts in, with `fetch` after a token was fetched as its role.

    It serves those of the bench alone: those of hostile tenants it sees, as whoever watches must.
    """
    headers = {"Authorization": f"Bearer {api.token}", **_APPLY_HEADERS}
    body = json.dumps(pull_secret(secret_name)).encode()

    async def apply(name: str, annotations: Mapping[str, str]) -> None:
        if fetch:
            await asyncio.to_thread(fetch, annotations["pullkeeper.dev/role-arn"])
        path = f"{_NAMESPACES}/{name}/secrets/{secret_name}"
        async with api.http.patch(api.url + path, params=_FORCED, data=body, headers=headers) as answer:
            json.loads(await answer.read())
            assert answer.ok, f"the API server answered the baseline with {answer.status}"

    async with _Watches(api, secret_name) as watches, asyncio.TaskGroup() as group:
        reading = group.create_task(watches.read(_SECRETS))

        def take(event: Mapping[str, Any]) -> None:
            metadata = event["object"]["metadata"]
            annotations = metadata.get("annotations", {})
            if metadata["name"].startswith(PREFIX) and annotations.get("pullkeeper.dev/enabled") == "true":
                group.create_task(apply(metadata["name"], annotations))

        serving = group.create_task(watches.read(_NAMESPACES, take))
        writing = group.create_task(_apply_at_once(api, itertools.cycle(rotating)))
        await _say("ready")
        for task in (reading, serving, writing):
            task.cancel()


class _Watches:
    """The two watches that the controller has, both open: whole Namespaces, and the metadata of the pull Secrets."""

    def __init__(self, api: RestClient, secret_name: str) -> None:
        self._api = api
        self._query = {_NAMESPACES: {}, _SECRETS: of_name(secret_name)}
        self._stack = AsyncExitStack()
        self._open: dict[str, Any] = {}

    async def __aenter__(self) -> "_Watches":
        for path, query in self._query.items():
            listed = (await self._api.get(path, accept=METADATA_LIST, **query)).ok()
            accept = METADATA if path == _SECRETS else "application/json"
            watch = self._api.watch(path, accept=accept, resourceVersion=version_of(listed), **query)
            self._open[path] = await self._stack.enter_async_context(watch)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def read(self, path: str, take: Any = None) -> None:
        """Read and decode every event of a kind, as nobody can help who watches."""
        while True:
            event = await self._open[path].event()
            if take is not None:
                take(event)


async def _say(text: str) -> None:
    """Write a line, and wait for one that says to go on; not in a thread, which would hold up a program that fails."""
    print(text, flush=True)
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, told.set)
    await told.wait()
    loop.remove_reader(sys.stdin)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
