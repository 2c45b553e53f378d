"""The running server: what tests hold in their hands."""

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from testsupport.fake_kube import bootstrap
from testsupport.fake_kube.application import Application, break_connection
from testsupport.fake_kube.certificates import ADDRESS, write_certificates
from testsupport.fake_kube.deleting import Deleter
from testsupport.fake_kube.faults import Faults, always
from testsupport.fake_kube.lifecycle import NamespaceLifecycle
from testsupport.fake_kube.listing import Lister
from testsupport.fake_kube.objects import Clock, utcnow
from testsupport.fake_kube.rbac import Rbac
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.reviews import Reviews
from testsupport.fake_kube.routing import Handlers
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.tokens import Tokens
from testsupport.fake_kube.versions import Change
from testsupport.fake_kube.watching import Watches
from testsupport.fake_kube.writing import Writer


@dataclass(slots=True, kw_only=True)
class ApiServer:
    """A running in-memory API server. Its methods may be called from any thread."""

    url: str
    """https://127.0.0.1:PORT"""
    ca_file: str
    """The PEM file of the CA that signed the server's certificate."""
    admin_token: str
    """The bearer token of a member of system:masters."""
    faults: Faults
    state: Store
    requests: deque[RequestRecord]
    """Every request since the start (the last 100,000), in the order of arrival."""
    tokens: Tokens
    watches: Watches

    def kubeconfig(self, token: str | None = None, token_file: str | None = None) -> dict[str, Any]:
        """Give a kubeconfig for a token, for a file that holds one, or for the admin."""
        user = {"tokenFile": token_file} if token_file else {"token": token or self.admin_token}
        cluster = {"server": self.url, "certificate-authority": self.ca_file}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": user}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": "default"}}],
            "current-context": "fake",
        }

    def service_account_token(self, namespace: str, name: str, *, lifetime: timedelta = timedelta(hours=1)) -> str:
        """Sign a token for an existing ServiceAccount, of any lifetime; KeyError if there is none."""
        account = self.state.get("serviceaccounts", namespace, name)
        if account is None:
            raise KeyError(f"serviceaccount {namespace}/{name}")
        return self.tokens.issue(account, lifetime=lifetime)[0]

    def audit_versions(self, *resources: str) -> list[Change]:
        """Give every version ever stored of some resources (plurals), in the order of their writing."""
        changes = [change for resource in resources for change in self.state.history(resource)]
        return sorted(changes, key=lambda change: change.resource_version)


@asynccontextmanager
async def serve(
    *, port: int = 0, rbac: bool = True, clock: Clock = utcnow, history_limit: int = 2000
) -> AsyncIterator[ApiServer]:
    """Run a server on 127.0.0.1 for the length of the context.

    `clock` is the time of objects and tokens. `history_limit` is how many changes of each resource a
    watch can go back; what is older is 410 Expired.
    """
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="fake-kube-") as folder:
        ca_file, context = _tls(Path(folder))
        listener = socket.create_server((ADDRESS, port))
        url = f"https://{ADDRESS}:{listener.getsockname()[1]}"
        app = _application(Store(clock=clock, history_limit=history_limit), url, loop, rbac=rbac)
        bootstrap.fill(app.handlers.store)
        async with _running(app, listener, context):
            yield ApiServer(
                url=url,
                ca_file=str(ca_file),
                admin_token=app.tokens.admin_token,
                faults=app.faults,
                state=app.handlers.store,
                requests=app.requests,
                tokens=app.tokens,
                watches=app.watches,
            )


def _tls(folder: Path) -> tuple[Path, ssl.SSLContext]:
    ca_file, certificate, key = write_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return ca_file, context


def _application(store: Store, url: str, loop: asyncio.AbstractEventLoop, *, rbac: bool) -> Application:
    tokens, policy, faults = Tokens(store, store.clock), Rbac(store, enabled=rbac), Faults(store)
    NamespaceLifecycle(store, loop)
    handlers = Handlers(
        store=store,
        tokens=tokens,
        lister=Lister(store, faults),
        writer=Writer(store, policy, faults.admission),
        deleter=Deleter(store),
        reviews=Reviews(store, policy, tokens),
    )
    watches = Watches(store, loop)
    faults.on_drop_watches = watches.drop
    return Application(url=url, tokens=tokens, rbac=policy, faults=faults, handlers=handlers, watches=watches)


@asynccontextmanager
async def _running(app: Application, listener: socket.socket, context: ssl.SSLContext) -> AsyncIterator[None]:
    runner = web.AppRunner(app.aiohttp_application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context, backlog=1024).start()
    loop = asyncio.get_running_loop()
    app.faults.on_disconnect = partial(loop.call_soon_threadsafe, _disconnect_all, runner)
    try:
        yield
    finally:
        app.watches.drop(always)
        await runner.cleanup()


def _disconnect_all(runner: web.AppRunner) -> None:
    assert runner.server is not None
    for connection in list(runner.server.connections):
        break_connection(connection.transport)


@contextmanager
def serve_in_thread(
    *, port: int = 0, rbac: bool = True, clock: Clock = utcnow, history_limit: int = 2000
) -> Iterator[ApiServer]:
    """Run a server in a thread with a loop of its own. What keeps it from starting is raised here."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), Future[ApiServer]()

    async def run() -> None:
        async with serve(port=port, rbac=rbac, clock=clock, history_limit=history_limit) as server:
            ready.set_result(server)
            await stop.wait()

    thread = threading.Thread(target=_run_loop, args=(loop, run, ready), name="fake-kube", daemon=True)
    thread.start()
    try:
        yield ready.result()
    finally:
        with contextlib.suppress(RuntimeError):  # the loop is closed if it never started
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def _run_loop(
    loop: asyncio.AbstractEventLoop, run: Callable[[], Coroutine[Any, Any, None]], ready: Future[ApiServer]
) -> None:
    """Run to the end; an error before the server is ready belongs to whoever waits for it."""
    with contextlib.closing(loop):
        try:
            loop.run_until_complete(run())
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
