"""A run: the cluster, AWS, the users, the faults, and the controller, which is killed and restarted."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError
from testsupport import virtual_time
from testsupport.simulation.api_server import ApiServer
from testsupport.simulation.aws import CONTROLLER, Aws
from testsupport.simulation.botocore_stand_in import simulated_botocore
from testsupport.simulation.faults import Faults
from testsupport.simulation.geography import Geography
from testsupport.simulation.logs import recorded_logs
from testsupport.simulation.permissions import Permissions
from testsupport.simulation.process import Process
from testsupport.simulation.record import Period, Record
from testsupport.simulation.registries import Registries
from testsupport.simulation.script import Action
from testsupport.simulation.store import Backup, Store
from testsupport.simulation.undoing_tool import UndoingTool
from testsupport.simulation.users import Users
from testsupport.simulation.watches import NamespaceFeed
from testsupport.virtual_time import elapsed, sleep_until

IN_ORDER = "in order"
"""How watches end at a restore if they do not break."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """The controller is killed at `at` and restarted `gap` seconds later."""

    at: float
    gap: float = 0.0
    principal: str = ""
    """Who is behind the controller's identity from then on, if somebody else."""


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
    """Number of controllers that are active at the same time, unless the settings have them elect a leader."""
    cuts: tuple[tuple[Period, ...], ...] = ()
    """For each controller when what it sends and what it is sent arrives only later."""
    notices_within: float | None = None
    """Seconds after which the controller must know of any change; those between two relists if None."""
    with_permissions: bool = False
    """Whether the API server allows exactly what the chart grants for these settings."""


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
        relist_interval = run.notices_within or run.settings.relist_interval.total_seconds()
        self.record = Record(
            aws_down=list(faults.aws),
            kube_down=[*faults.kube, *faults.unauthorized],
            obstacles=[*faults.refusing, *faults.undoing],
            end=run.end,
            replicas=run.at_once,
            relist_interval=relist_interval,
        )
        self.store = Store(self.record)
        self.permissions = Permissions(run.settings, self.record.denied) if run.with_permissions else None
        self.server = ApiServer(self.store, faults, _rng(run.seed, "server"), permissions=self.permissions)
        self.server.on_write = self._on_write
        self.aws = Aws(self.record, faults, run.geography, _rng(run.seed, "aws"))
        self.registries = Registries(self.record, faults)
        self._tool = UndoingTool(self.store, faults, _rng(run.seed, "tool"))
        self._users = Users(self.store)
        self._settings = run.settings
        self._backup: Backup | None = None
        self.processes: list[Process] = []
        self._feed = NamespaceFeed(self.store, faults, _rng(run.seed, "feed"))
        self._controllers = _rng(run.seed, "controller")
        self._running: list[asyncio.Task[None]] = []

    def finish(self) -> None:
        """Run it to its end."""
        with recorded_logs(self.record), simulated_botocore(self.aws):
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
        self.processes = [self._process(number) for number in range(self._run.at_once)]
        self._running = [asyncio.create_task(process.run()) for process in self.processes]

    def _process(self, number: int) -> Process:
        cuts = self._run.cuts[number] if number < len(self._run.cuts) else ()
        return Process(
            self.server.replica(cuts),
            self._feed.watch,
            self._controllers,
            settings=self._settings,
            mutation=self._run.mutation,
            registries=self.registries,
            record=self.record,
            holder_id=f"simulation-{number}-{elapsed():.0f}",
        )

    def _on_write(self) -> None:
        """Take note of whoever believes to lead while somebody sends a write."""
        leading = sum(process.container.leader_elector.is_leader() for process in self.processes)
        self.record.most_leaders = max(self.record.most_leaders, leading)

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
        self.record.happened["restart"] += 1
        self.record.controller_down.append(Period(start=elapsed(), end=elapsed() + restart.gap))
        await asyncio.sleep(restart.gap)
        if restart.principal:
            self.aws.principals[CONTROLLER] = restart.principal
            self.record.happened["principal changed"] += 1
        self._start()

    async def _kill(self) -> None:
        """Cancel every task at once, as SIGKILL does. Requests that were sent still arrive."""
        for process in self.processes:
            self.record.memory.append(process.shown())
            self.record.states = dict(process.metrics.states)
            self.record.usage.append(process.usage())
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _apply(self, action: Action) -> None:
        self.record.stirred.append(elapsed())
        match action.do:
            case "back-up":
                self._backup = self.store.back_up()
            case "restore" if self._backup is not None:
                self._restore(self._backup, how=action.text)
            case "settings":
                self._reload(action.text)
            case "watch-error":
                self._break_watches(action.text)
            case "revoke":
                self.registries.revoke(action.text)
            case "distrust":
                self.aws.distrusted.add(action.account)
            case "measure":
                self.record.usage += [process.usage() for process in self.processes]
            case _:
                self._users.act(action)

    def _break_watches(self, how: str) -> None:
        """End every watch with an error of this code, or in good order when what they would go on from is compacted."""
        if how == "compacted":
            self.store.version += 1  # an object of somebody else's
            self.server.streams.forget()
            self.server.streams.end()
        else:
            self.server.streams.fail(int(how))

    def _restore(self, backup: Backup, *, how: str) -> None:
        """Put etcd back; the API server starts anew, so that every watch breaks, or ends `in order`.

        What has ended in good order goes on where it was.
        """
        self.record.happened["restore"] += 1
        self.store.restore(backup)
        self.server.streams.forget()
        (self.server.streams.end if how == IN_ORDER else self.server.streams.disconnect)()
        self._feed.reopen()

    def _reload(self, text: str) -> None:
        """Put another settings file in place; what cannot be read is in force for nobody, at a restart either."""
        self.record.happened["settings changed"] += 1
        for process in self.processes:
            process.container.policy_reloader.take_over(text.encode())
        self._users.follow_settings(opts_in='"auto-*"' in text)
        with suppress(InvalidInputError):
            self._settings = replace(self._settings, policy=parse_settings(json.loads(text), {}).policy)


def _rng(seed: int, part: str) -> random.Random:
    """Give each part its own generator, so that one more draw in one part does not change the others."""
    return random.Random(f"{seed} {part}")
