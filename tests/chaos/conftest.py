"""Replicas behind proxies that show what a test lets them see, and one namespace for each step of the controller."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import api  # noqa: F401 -- a fixture
from tests.e2e.conftest import aws  # noqa: F401 -- a fixture
from testsupport import fault_proxy
from testsupport.chaos.cluster import utcnow
from testsupport.chaos.judge import Judge
from testsupport.chaos.watcher import Watcher
from testsupport.control_plane.plane import ControlPlane
from testsupport.fake_aws import AwsFake
from testsupport.fault_proxy import FaultProxy, Front
from testsupport.installation import IRELAND, Installation, auths, install
from testsupport.proxied_view import View
from testsupport.rest import RestClient
from testsupport.service_accounts import ServiceAccount, service_account
from testsupport.tls_shapes import Authority
from testsupport.token_leaks import assert_no_leak
from testsupport.waiting import until

State = tuple[list[str] | None, list[str], bool]
"""The hosts of the pull Secret, if there is one, the pull Secrets of the ServiceAccount, and whether it was rotated."""
STEPS = ("first_secret", "rotation", "opt_out", "repair", "attach")


@dataclass(kw_only=True)
class Stage:
    """An installation, and a namespace for each step, which all have a ServiceAccount."""

    installation: Installation
    fronts: dict[str, Front]
    judge: Judge
    namespaces: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    _first_auths: dict[str, str] = field(default_factory=dict)
    _backup: dict[str, Any] | None = None

    def proxy(self, name: str) -> FaultProxy:
        """Return the proxy before which a replica is."""
        return self.fronts[name].proxy

    async def prepare(self) -> None:
        """Have a served namespace for each step but the first Secret, whose namespace is not opted in."""
        for step in STEPS:
            name = await self.installation.create_namespace(step.replace("_", "-"))
            self.namespaces[step] = name
            self.accounts[step] = service_account(self.installation, name, "builder")
            await self.accounts[step].create("theirs")
            if step != "first_secret":
                self.judge.wanted[name] = frozenset({IRELAND})
                await self.installation.annotate(name, enabled="true")
                await self.installation.event(name, "PullSecretCreated")
        self._first_auths = auths(await self.installation.secret(self.namespaces["rotation"]) or {})

    async def do(self, step: str) -> None:
        """Ask for a step."""
        await getattr(self, f"_{step}")(self.namespaces[step])

    async def undo(self, step: str) -> None:
        """Ask for the opposite."""
        await getattr(self, f"_undo_{step}")(self.namespaces[step])

    async def state(self, step: str) -> State:
        """Return what a step has come to."""
        secret = await self.installation.secret(self.namespaces[step])
        rotated = step == "rotation" and secret is not None and auths(secret) != self._first_auths
        return list(auths(secret)) if secret else None, await self.accounts[step].entries(), rotated

    async def versions(self, step: str) -> list[str]:
        """Return the resourceVersions of the step's ServiceAccount and of its Secret, if there is one."""
        found = [await self.accounts[step].read(), await self.installation.secret(self.namespaces[step])]
        return [each["metadata"]["resourceVersion"] for each in found if each]

    async def until_seen(self, view: View) -> None:
        """Wait until watches have brought every namespace and every Secret as it is now."""
        get = self.installation.api.get

        async def seen() -> bool:
            secrets = [await self.installation.secret(name) for name in self.namespaces.values()]
            namespaces = [(await get(f"/api/v1/namespaces/{name}")).ok() for name in self.namespaces.values()]
            return all(reached(view, shown["metadata"]) for shown in [*namespaces, *filter(None, secrets)])

        await until(seen, "watches to have brought everything")

    async def until_judged(self, namespace: str) -> None:
        """Wait until the judge has seen the namespace's Secret."""

        async def judged() -> bool:
            return namespace in self.judge.held

        await until(judged, f"the Secret in {namespace} to be seen")

    async def until_states(self, expected: dict[str, State]) -> None:
        """Wait until every step has come to this; a namespace opted in afterwards is served, and it still is so."""

        async def reached() -> bool:
            return {step: await self.state(step) for step in expected} == expected

        await until(reached, f"the states {expected}")
        await self.installation.create_served_namespace("after")
        assert {step: await self.state(step) for step in expected} == expected

    def done(self) -> dict[str, State]:
        """Return what the steps come to."""
        ours = self.installation.secret_name
        served: State = [IRELAND], ["theirs"], False
        return dict.fromkeys(STEPS, served) | {
            "rotation": ([IRELAND], ["theirs"], True),
            "opt_out": (None, ["theirs"], False),
            "attach": ([IRELAND], ["theirs", ours], False),
        }

    async def _first_secret(self, name: str) -> None:
        self.judge.wanted[name] = frozenset({IRELAND})
        await self.installation.annotate(name, enabled="true")

    async def _undo_first_secret(self, name: str) -> None:
        self.judge.wanted.pop(name)
        await self.installation.annotate(name, enabled=None)

    async def _rotation(self, name: str) -> None:
        await self.installation.annotate(name, refresh_requested_at="now")

    async def _undo_rotation(self, name: str) -> None:
        await self.installation.annotate(name, refresh_requested_at=None)

    async def _opt_out(self, name: str) -> None:
        self.judge.wanted.pop(name)
        await self.installation.annotate(name, enabled="false")

    async def _undo_opt_out(self, name: str) -> None:
        self.judge.wanted[name] = frozenset({IRELAND})
        await self.installation.annotate(name, enabled="true")

    async def _repair(self, name: str) -> None:
        self.judge.expect_deletion(name)
        self._backup = await self.installation.secret(name)
        (await self.installation.api.delete(self.installation.path(name))).ok()

    async def _undo_repair(self, name: str) -> None:
        """Put the Secret back as a backup tool does: another object with the same content."""
        assert self._backup is not None
        kept = {key: self._backup["metadata"][key] for key in ("name", "labels", "annotations")}
        path = self.installation.path(name).rpartition("/")[0]
        (await self.installation.api.post(path, {**self._backup, "metadata": kept})).ok()

    async def _attach(self, name: str) -> None:
        await self.installation.annotate(name, attach_to_service_accounts="builder")

    async def _undo_attach(self, name: str) -> None:
        await self.installation.annotate(name, attach_to_service_accounts=None)


def reached(view: View, metadata: Mapping[str, Any]) -> bool:
    """Whether a watch has brought an object in this version or a newer one."""
    version = view.reached.get((metadata.get("namespace", ""), metadata["name"]), 0)
    return version >= int(metadata["resourceVersion"])


@pytest.fixture(scope="session")
def server(plane: ControlPlane) -> ControlPlane:
    """Serve the real one, whatever --server says."""
    return plane


@pytest.fixture
async def stage(plane: ControlPlane, api: RestClient, aws: AwsFake, tmp_path: Path) -> AsyncIterator[Stage]:  # noqa: F811 -- a fixture's arguments
    """Install the controller behind two proxies, with a judge of every version; nothing may be broken at the end."""
    installation = await install(plane, api, aws, tmp_path)
    await installation.allow_attachment()
    authority = Authority(tmp_path, name="first")
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    judge = Judge(token_of=aws.token_of, clock=utcnow)
    context = authority.server_context()
    async with fault_proxy.before(plane, context=context) as one, fault_proxy.before(plane, context=context) as two:
        installation.server = one.proxy
        async with Watcher.open(api, installation.secret_name, judge):
            yield Stage(installation=installation, fronts={"one": one, "two": two}, judge=judge)
            judge.sweep()
            judge.wanted.clear()
            await installation.leave()
    await assert_no_leak(installation)
    assert judge.broken == []
    assert judge.versions > 0
