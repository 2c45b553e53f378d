"""The simulated cluster with all of its past states."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from testsupport.simulation.faults import Faults
from testsupport.simulation.record import Record
from testsupport.simulation.resources import Resources
from testsupport.simulation.sent import Sent
from testsupport.simulation.store import Backup, Change, Store


class Cluster(Store):
    """Remembers every state, and every change that a watch may have to tell."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.past: list[Backup] = [self.back_up()]
        self.changes: list[Change] = []
        self._resources = Resources(self, Faults(), record)
        self.listeners.append(self.changes.append)
        self.listeners.append(lambda _: self._remember())

    def do(self, sent: Sent) -> Mapping[str, Any]:
        """Carry out a request; return the body of the answer. Raises RefusedError."""
        answer = self._resources.do(sent)
        self._remember()
        return answer

    def read_as_of(self, backup: Backup, sent: Sent) -> Mapping[str, Any]:
        """Return the answer to a reading request as it was then. Raises RefusedError."""
        then = Store(Record())
        then.namespaces, then.secrets, then.accounts = (
            dict(backup.namespaces),
            dict(backup.secrets),
            dict(backup.accounts),
        )
        then.lease, then.version = backup.lease, backup.version
        return Resources(then, Faults(), then.record).do(sent)

    def put_service_account(
        self, namespace: str, name: str, annotations: Mapping[str, str], entries: tuple[str, ...] = ()
    ) -> None:
        """Create a ServiceAccount with these imagePullSecrets, or replace it by another object of its name."""
        self.put_account(namespace, name, annotations)
        if entries:
            self.store_account(replace(self.accounts[namespace, name], pull_secrets=entries))

    def _remember(self) -> None:
        if self.past[-1].version != self.version:
            self.past.append(self.back_up())
