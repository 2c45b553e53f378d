"""Another tool that fights over our objects, as long as a period says."""

import asyncio
import random
from dataclasses import replace

from testsupport.simulation.faults import Faults, during
from testsupport.simulation.record import CONTROLLER, USER, AccountVersion, SecretVersion
from testsupport.simulation.store import SECRET_NAME, Change, Store
from testsupport.virtual_time import elapsed


class UndoingTool:
    """Undoes what the controller writes, a moment later."""

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._store = store
        self._faults = faults
        self._rng = rng
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        written = change.secret or change.account
        period = during(self._faults.undoing, elapsed(), change.namespace)
        if period is None or written is None or written.writer != CONTROLLER:
            return
        loop, pause = asyncio.get_running_loop(), self._rng.uniform(0.2, 2.0)
        if isinstance(written, SecretVersion) and not written.gone and period.reason != "detach":
            loop.call_later(pause, self._undo, written, period.reason)
        if isinstance(written, AccountVersion) and period.reason == "detach" and SECRET_NAME in written.pull_secrets:
            loop.call_later(pause, self._detach, written)

    def _undo(self, written: SecretVersion, how: str) -> None:
        current = self._store.secrets.get(written.namespace)
        if current is None or current.immutable:
            return
        self._store.record.happened[f"undone: {how}"] += 1
        if how == "delete":
            self._store.drop_secret(written.namespace, USER)
        else:
            self._store.put_secret(written.namespace, auths={}, owned=current.owned - {"data"})

    def _detach(self, written: AccountVersion) -> None:
        current = self._store.accounts.get((written.namespace, written.name))
        if current is not None:
            self._store.record.happened["undone: detach"] += 1
            left = tuple(name for name in current.pull_secrets if name != SECRET_NAME)
            self._store.store_account(replace(current, pull_secrets=left, writer=USER))
