"""A run: the cluster, AWS, the users, the faults, and the controller, which is killed and restarted."""

import asyncio
import logging
import random
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport import virtual_time
from testsupport.simulation.api_server import ApiServer
from testsupport.simulation.aws import Aws
from testsupport.simulation.botocore_stand_in import simulated_botocore
from testsupport.simulation.faults import Faults
from testsupport.simulation.geography import Geography
from testsupport.simulation.process import Process
from testsupport.simulation.record import USER, LogLine, Period, Record, Status
from testsupport.simulation.script import Action
from testsupport.simulation.store import Store
from testsupport.simulation.watches import NamespaceFeed
from testsupport.virtual_time import elapsed, sleep_until

_ENDING_SECONDS = 20.0
_FOREIGN = {"docker.io": "c29tZTpib2R5"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """The controller is killed at `at` and restarted `gap` seconds later."""

    at: float
    gap: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The input of a run; the same values give the same record."""

    seed: int
    end: float
    actions: Sequence[Action] = ()
    faults: Faults = field(default_factory=Faults)
    geography: Geography = field(default_factory=Geography)
    restarts: Sequence[Restart] = ()
    settings: Settings = field(default_factory=Settings)
    mutation: Mapping[str, object] = field(default_factory=dict)
    """Broken classes by the name of the class in the container's module that they replace."""
    at_once: int = 1
    """Number of controllers that are active at the same time, as if leader election had failed."""


def simulate(run: Run) -> Record:
    """Run it and return the record."""
    world = World(run)
    world.finish()
    return world.record


class World:
    """One run in progress."""

    def __init__(self, run: Run) -> None:
        self._run = run
        faults = run.faults
        relist_interval = run.settings.relist_interval.total_seconds()
        self.record = Record(
            aws_down=list(faults.aws), kube_down=list(faults.kube), end=run.end, relist_interval=relist_interval
        )
        self.store = Store(self.record)
        self.server = ApiServer(self.store, faults, _rng(run.seed, "server"))
        self.aws = Aws(self.record, faults, run.geography, _rng(run.seed, "aws"))
        self.processes: list[Process] = []
        self._feed = NamespaceFeed(self.store, faults, _rng(run.seed, "feed"))
        self._controllers = _rng(run.seed, "controller")
        self._running: list[asyncio.Task[None]] = []

    def finish(self) -> None:
        """Run it to its end."""
        with _recorded_logs(self.record), simulated_botocore(self.aws):
            virtual_time.run(self._live())

    def reconciliations(self) -> list[float]:
        """Return when the controller reconciled any namespace since its last start."""
        return [at for process in self.processes for at in process.metrics.reconciled_at]

    async def _live(self) -> None:
        """Carry out the script and the restarts in order of time."""
        for period in self._run.faults.kube:
            asyncio.get_running_loop().call_at(period.start, self.server.streams.disconnect)
        self._start()
        events: list[tuple[float, Action | Restart]] = [(each.at, each) for each in self._run.actions]
        events += [(each.at, each) for each in self._run.restarts]
        for at, event in sorted(events, key=lambda pair: pair[0]):
            await self._sleep_until(at)
            if isinstance(event, Restart):
                await self._restart(event)
            else:
                self._apply(event)
        await self._sleep_until(self._run.end)
        await self._kill()

    def _start(self) -> None:
        self.processes = [self._process() for _ in range(self._run.at_once)]
        self._running = [asyncio.create_task(process.run()) for process in self.processes]

    def _process(self) -> Process:
        return Process(
            self.server,
            self._feed.watch,
            self._controllers,
            settings=self._run.settings,
            mutation=self._run.mutation,
        )

    async def _sleep_until(self, at: float) -> None:
        """Sleep; raise what the controller raises if it ends on its own."""
        if not self._running:
            await sleep_until(at)
        elif at > elapsed():
            done, _ = await asyncio.wait(self._running, timeout=at - elapsed(), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _restart(self, restart: Restart) -> None:
        await self._kill()
        self.record.controller_down.append(Period(start=elapsed(), end=elapsed() + restart.gap))
        await asyncio.sleep(restart.gap)
        self._start()

    async def _kill(self) -> None:
        """Cancel every task at once, as SIGKILL does. Requests that were sent still arrive."""
        for process in self.processes:
            self.record.texts.append(process.shown())
            self.record.states = dict(process.metrics.states)
            self.record.usage.append(process.usage())
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _apply(self, action: Action) -> None:
        match action.do:
            case "annotate":
                annotations = {PREFIX + key: value for key, value in action.annotations}
                self._annotate(action, annotations)
            case "end" if (
                current := self.store.namespaces.get(action.name)
            ) and current.status is not Status.TERMINATING:
                self.store.put_namespace(action.name, Status.TERMINATING, current.hosts, current.annotations)
                asyncio.get_running_loop().call_later(_ENDING_SECONDS, self._delete_namespace, action.name)
            case "delete":
                self.store.drop_secret(action.name, USER)
            case "account" if self._exists(action.name):
                self.store.put_account(action.name, action.account, dict(action.annotations))
            case "distrust":
                self.aws.distrusted.add(action.account)
            case "squat" if self._exists(action.name):
                self.store.squatted.add(action.name)
            case "forge" if self._exists(action.name):
                self.store.put_secret(action.name, **action.forged)
            case "measure":
                self.record.usage += [process.usage() for process in self.processes]
            case "replace" if self._exists(action.name):
                self.store.drop_secret(action.name, USER)
                self.store.put_secret(action.name, auths=dict(_FOREIGN))
            case _:
                self._edit_secret(action)

    def _annotate(self, action: Action, annotations: dict[str, str]) -> None:
        current = self.store.namespaces.get(action.name)
        if current is None or current.status is not Status.TERMINATING:
            self.store.put_namespace(action.name, action.status, action.hosts, annotations)

    def _edit_secret(self, action: Action) -> None:
        secret = self.store.secrets.get(action.name)
        if secret is None:
            return
        notes = dict(secret.annotations)
        match action.do:
            case "edit" if not secret.immutable:
                self.store.put_secret(action.name, auths=dict(_FOREIGN), owned=secret.owned - {"data"})
            case "edit-annotations":
                notes[f"{PREFIX}expires-at"] = "2099-01-01T00:00:00.000Z"
                self.store.put_secret(action.name, annotations=notes, owned=secret.owned - {f"{PREFIX}expires-at"})
            case "garble-annotations":
                notes[f"{PREFIX}tokens"] = "{}"
                self.store.put_secret(action.name, annotations=notes, owned=secret.owned - {f"{PREFIX}tokens"})
            case "strip":
                self.store.put_secret(action.name, managed=False, owned=secret.owned - {"label"})
            case "freeze":
                self.store.put_secret(action.name, immutable=True)
            case "free" if secret.immutable or not secret.managed:
                self.store.drop_secret(action.name, USER)

    def _exists(self, name: str) -> bool:
        current = self.store.namespaces.get(name)
        return current is not None and current.status is not Status.TERMINATING

    def _delete_namespace(self, name: str) -> None:
        self.store.put_namespace(name, Status.DELETED, (), {})


def _rng(seed: int, part: str) -> random.Random:
    """Give each part its own generator, so that one more draw in one part does not change the others."""
    return random.Random(f"{seed} {part}")


class _LogRecorder(logging.Handler):
    """Records every log record with its arguments and traceback."""

    def __init__(self, record: Record) -> None:
        super().__init__(logging.DEBUG)
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        """Record one log record."""
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        text = record.getMessage()
        self._record.texts.append(f"{record.levelname} {text} {record.args!r} {trace}")
        if record.levelno >= logging.INFO:
            self._record.log_lines.append(LogLine(at=elapsed(), level=record.levelname, text=text))


@contextmanager
def _recorded_logs(record: Record) -> Iterator[None]:
    logger = logging.getLogger("pullkeeper")
    recorder, level, propagate = _LogRecorder(record), logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = propagate
