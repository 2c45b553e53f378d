"""Parts of the controller that are broken on purpose: each must be noticed at some boundary."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.leader_elector import LeaderElector
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.worker import Worker


class BelievesWhatItReads(Reconciler):
    """Relies on the last reply, whatever a watch tells."""

    def _differs_from_watch(self, *_: object) -> bool:
        return False


class KeepsTheLease(LeaderElector):
    """Ends without giving up the Lease."""

    async def release(self) -> None:
        """Do nothing."""


class IgnoresCancellation(Worker):
    """Goes on after the process was told to end."""

    async def run(self) -> None:
        """Go on for a minute, whatever happens."""
        with suppress(asyncio.CancelledError):
            await super().run()
        ending = asyncio.create_task(asyncio.sleep(60))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)


class StopsAtAFailure(Worker):
    """Lets a Secret that cannot be written hold up the ServiceAccounts."""

    async def _reconcile(self, name: str, record: NamespaceRecord, results: list[Result]) -> None:
        """Stop at the first error."""
        for reconciler in self._reconcilers:
            results.append(await reconciler.reconcile(name))
            self._reporter.report(name, record, results)
            if results[-1].error:
                raise results[-1].error


class ForgetsNoTimer(Worker):
    """Sets a timer for each namespace and never cancels one."""

    async def _reconcile(self, name: str, record: NamespaceRecord, results: list[Result]) -> None:
        """Leave a timer behind."""
        asyncio.get_running_loop().call_later(1e9, lambda: None)
        await super()._reconcile(name, record, results)


class KeepsATranscript(Worker):
    """Notes each result in one text: no collection of ours has more items."""

    _transcript = ""

    async def _reconcile(self, name: str, record: NamespaceRecord, results: list[Result]) -> None:
        """Note the results."""
        await super()._reconcile(name, record, results)
        self._transcript += f"{name}: {results}; "


class ForgetsNoNamespace(NamespaceRecords):
    """Keeps what it knows of namespaces that are gone."""

    def forget(self, namespace: ObservedNamespace) -> None:
        """Keep it."""


class RetriesOnce(Worker):
    """Tries what has failed once more, and never again."""

    def _back_off(self, record: NamespaceRecord, *, requires_action: bool) -> datetime:
        """Wait for ever from the second failure on."""
        at = super()._back_off(record, requires_action=requires_action)
        return at if record.failed_attempts == 1 else at + timedelta(days=1000)
