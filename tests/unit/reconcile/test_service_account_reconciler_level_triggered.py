"""The process may crash at any instant, and events come late, twice or never: the end is always the same."""

import copy
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import (
    MARK,
    ObservedServiceAccount,
    ServiceAccountPatch,
    observe_service_account,
)
from pullkeeper.reconcile.cached_kinds import service_account_cache
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.service_account_reconciler import ServiceAccountReconciler
from tests.unit.reconcile.service_account_harness import KEY, SECRET, log
from testsupport.examples import EU, NOW
from testsupport.fake_kube.patches import json_patch

OURS, TEAM = "ours", "team-a"
NAMES = ("default", "builder")


class CrashError(Exception):
    """The process dies just after the API server has done what was requested."""


@dataclass
class World:
    """One namespace in the cluster, the events on their way, and a controller that may crash."""

    annotations: dict[str, str] = field(default_factory=lambda: {"enabled": "true", KEY: "default"})
    secret: ObservedSecret | None = SECRET
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    theirs: dict[str, list[str]] = field(default_factory=dict)
    """What others have put on each ServiceAccount."""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    version: int = 1
    crashing: bool = False

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start a process that remembers nothing; it lists before it does anything."""
        self.events.clear()
        self.cache = service_account_cache(lambda _: None, lambda: None)
        listed = [observe_service_account(account, OURS) for account in self.accounts.values()]
        self.cache.handler().replace(listed, self.version, watched=True)
        self.reconciler = ServiceAccountReconciler(
            namespaces=self,
            secrets=_Secrets(self),
            service_accounts=self.cache,
            client=self,
            events=self,
            log=log,
            records=NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW),
            policy=lambda: Policy(registries=(EU,)),
            secret_name=OURS,
            clock=lambda: NOW,
        )

    def get(self, namespace: str) -> ObservedNamespace:
        return ObservedNamespace(name=namespace, resource_version=self.version, annotations=self.annotations)

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        live = self.accounts.get(account.name)
        if live is None:
            return None
        if change.operations[0]["value"] != live["metadata"]["resourceVersion"]:
            raise StaleObservationError(TEAM)
        self.put(json_patch(copy.deepcopy(live), [dict(operation) for operation in change.operations]))
        if self.crashing:
            raise CrashError
        return observe_service_account(self.accounts[account.name], OURS)

    def post(self, *_: object, **__: object) -> None: ...

    def post_on(self, *_: object) -> None: ...

    def put(self, account: dict[str, Any], kind: str = "MODIFIED") -> None:
        """Write an object as the API server does: with a new version and an event."""
        self.version += 1
        name = account["metadata"]["name"]
        self.accounts[name] = copy.deepcopy(account)
        self.accounts[name]["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((kind, copy.deepcopy(self.accounts[name])))

    def annotate(self, key: str, value: str) -> None:
        self.annotations[key] = value

    def have_secret(self, there: bool) -> None:  # noqa: FBT001 -- drawn
        self.secret = SECRET if there else None

    def create(self, name: str) -> None:
        if name not in self.accounts:
            metadata = {"name": name, "namespace": TEAM, "uid": f"{name}-{self.version}", "annotations": {"x": "y"}}
            self.theirs[name] = []
            self.put({"metadata": metadata}, "ADDED")

    def delete(self, name: str) -> None:
        if account := self.accounts.get(name):
            self.put(account, "DELETED")
            del self.accounts[name], self.theirs[name]

    def edit(self, name: str, entries: list[str], keeping: bool) -> None:  # noqa: FBT001 -- drawn
        """Put others' entries there, one of our name too where there is no mark, and perhaps take ours away."""
        if account := self.accounts.get(name):
            marked = MARK in account["metadata"]["annotations"]
            self.theirs[name] = [entry for entry in entries if entry != OURS or not marked]
            kept = [OURS] if keeping and marked and {"name": OURS} in account.get("imagePullSecrets", ()) else []
            self.put({**account, "imagePullSecrets": [{"name": entry} for entry in [*kept, *self.theirs[name]]]})

    def deliver(self, count: int, twice: bool = False) -> None:  # noqa: FBT001, FBT002 -- drawn
        """Deliver some events, in order; a watch that is opened again may bring them twice."""
        for kind, account in self.events[:count] * (1 + twice):
            (self.cache.delete if kind == "DELETED" else self.cache.upsert)(observe_service_account(account, OURS))
        del self.events[:count]

    def reconcile(self, crash: bool = False) -> None:  # noqa: FBT001, FBT002 -- drawn
        """Reconcile once; a crash comes with the first patch that succeeds."""
        self.crashing = crash
        try:
            _drive(self.reconciler.reconcile(TEAM))
        except CrashError:
            self.start()
        finally:
            self.crashing = False

    def come_to_rest(self) -> None:
        """Deliver all events, and reconcile until there is nothing left to do."""
        while self.events:
            self.deliver(len(self.events))
            self.reconcile()
        self.reconcile()
        self._check()

    def _check(self) -> None:
        """Compare each ServiceAccount with what is requested, and with what others have put there."""
        on = self.annotations.get("enabled") == "true"
        wanted = {name for name in NAMES if name in self.annotations.get(KEY, "").split(",")} if on else set()
        for name, account in self.accounts.items():
            entries = [entry["name"] for entry in account.get("imagePullSecrets", ())]
            assert [entry for entry in entries if entry != OURS] == [
                entry for entry in self.theirs[name] if entry != OURS
            ]
            if name not in wanted or OURS in self.theirs[name]:
                assert entries == self.theirs[name]
                assert account["metadata"]["annotations"] == {"x": "y"}
            elif self.secret:
                assert entries.count(OURS) == 1
                assert account["metadata"]["annotations"] == {"x": "y", MARK: OURS}


@dataclass
class _Secrets:
    world: World

    def get(self, namespace: str) -> ObservedSecret | None:
        return self.world.secret if namespace == TEAM else None


def _drive(coroutine: Coroutine[Any, Any, Result]) -> None:
    """Run a coroutine that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


names = st.sampled_from(NAMES)
happenings = st.one_of(
    st.tuples(st.just("annotate"), st.just("enabled"), st.sampled_from(["true", "false"])),
    st.tuples(st.just("annotate"), st.just(KEY), st.sampled_from(["default", "builder", "default,builder", ""])),
    st.tuples(st.just("have_secret"), st.booleans()),
    st.tuples(st.just("create"), names),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("edit"), names, st.lists(st.sampled_from(["a", "b", OURS]), max_size=3), st.booleans()),
    st.tuples(st.just("deliver"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("reconcile"), st.booleans()),
    st.sampled_from([("start",), ("come_to_rest",)]),
)
"""What may happen to a World: the name of a method, and its arguments."""


@given(st.lists(happenings, min_size=5, max_size=40))
@settings(max_examples=300, deadline=None)
def test_invariant_12_attachment_is_level_triggered(weather: list[tuple[Any, ...]]) -> None:
    """Whatever happened or was lost: at rest each ServiceAccount is as requested, and others' entries are untouched."""
    world = World()
    for name in NAMES:
        world.create(name)
    for what, *arguments in weather:
        getattr(world, what)(*arguments)
    world.come_to_rest()
