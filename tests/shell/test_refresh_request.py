"""A `refresh` request reaches the tokens, whatever else is to be done at the same time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from controller.core.credential import Password
from controller.core.identity import TokenScope
from controller.core.namespace import NamespaceView
from controller.core.observed_secret import ObservedSecret
from controller.core.policy import Policy
from controller.core.pull_secret import Published, PullSecret
from controller.core.registry_host import RegistryHost
from controller.core.schedule import Rotation
from controller.reconciler import Reconciler
from controller.report import Report
from controller.tokens import Answer
from tests.core.examples import EU, HOUR, NOW, US, auth, managed, published, token
from tests.shell.test_report import Ledger

LATER = NOW + HOUR


class Cell:
    """One namespace and all that is around it: it asks for EU and US, with a new refresh request."""

    def __init__(self, secret: ObservedSecret | None) -> None:
        self.secret = secret
        self.annotations = {"enabled": "true", "registries": f"{EU},{US}", "refresh": "new"}
        self.asked: list[datetime | None] = []
        self.written_ones: list[Published] = []

    def reconciler(self) -> Reconciler:
        return Reconciler(
            namespaces=_Views(self),
            secrets=_Secrets(self),
            cluster=_Cluster(self),
            tokens=_Shelf(self),
            report=Report(Ledger(), Ledger(), clock=lambda: LATER),
            policy=Policy,
            rotation=Rotation(),
            clock=lambda: LATER,
        )


class _Part:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell


class _Views(_Part):
    def get(self, name: str) -> NamespaceView:
        return NamespaceView(name=name, resource_version=1, annotations=self._cell.annotations)

    def asking_since(self, name: str) -> datetime | None:  # noqa: ARG002 -- the protocol's
        return None


class _Secrets(_Part):
    def get(self, namespace: str) -> ObservedSecret | None:  # noqa: ARG002 -- the protocol's
        return self._cell.secret

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:  # noqa: ARG002 -- the protocol's
        self._cell.secret = secret


class _Cluster(_Part):
    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:  # noqa: ARG002 -- the protocol's
        self._cell.written_ones.append(content.published)
        return managed(content.published)

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        raise AssertionError(f"nothing is to be deleted in {namespace}: {secret}")

    async def read_auths(self, namespace: str) -> dict[RegistryHost, Password]:  # noqa: ARG002 -- the protocol's
        return {EU: auth(), US: auth()}


class _Shelf(_Part):
    async def get(
        self,
        scope: TokenScope,  # noqa: ARG002 -- the protocol's
        hosts: Iterable[RegistryHost],  # noqa: ARG002 -- the protocol's
        *,
        since: datetime | None = None,
    ) -> Answer:
        self._cell.asked.append(since)
        return Answer(token=token(issued=LATER))

    def died(self, held: Published) -> frozenset[RegistryHost]:  # noqa: ARG002 -- the protocol's
        return frozenset()


@pytest.mark.parametrize(
    "secret",
    [
        managed(published(EU, US)),
        managed(published(EU)),
        managed(published(EU, US, refresh="old")),
        replace(managed(published(EU, US)), intact=False),
        managed(published(EU, US, issued=NOW - 11 * HOUR)),
    ],
    ids=["alone", "with a change", "after another", "with a repair", "with a rotation"],
)
async def test_a_request_asks_for_a_fresh_token_whatever_comes_with_it(secret: ObservedSecret) -> None:
    """Each region is asked for a token that is younger than the request, and then the request is answered."""
    cell = Cell(secret)
    await cell.reconciler().reconcile("team-a")
    assert cell.asked == [LATER, LATER]
    assert [each.refresh for each in cell.written_ones] == ["new"]


async def test_an_answered_request_asks_for_nothing_more() -> None:
    """A later change takes the tokens that are there."""
    cell = Cell(managed(published(EU, refresh="new")))
    await cell.reconciler().reconcile("team-a")
    assert cell.asked == [None, None]


async def test_the_value_that_a_first_secret_is_born_with_is_no_request() -> None:
    """Many namespaces made from one template share one token."""
    cell = Cell(None)
    await cell.reconciler().reconcile("team-a")
    assert cell.asked == [None, None]
    assert [each.refresh for each in cell.written_ones] == ["new"]
