"""A `refresh` request reaches the tokens, whatever else is to be done at the same time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.reconcile.test_status_reporter import Ledger
from testsupport.examples import EU, HOUR, NOW, US, auth, managed, published, token

LATER = NOW + HOUR


class Cell:
    """One namespace and all that is around it: it asks for EU and US, with a new refresh request."""

    def __init__(self, secret: ObservedSecret | None) -> None:
        self.secret = secret
        self.annotations = {"enabled": "true", "registries": f"{EU},{US}", "refresh-requested-at": "new"}
        self.asked: list[datetime | None] = []
        self.written_ones: list[SecretRecord] = []

    def reconciler(self) -> Reconciler:
        return Reconciler(
            namespaces=_Views(self),
            secrets=_Secrets(self),
            cluster=_Cluster(self),
            tokens=_Shelf(self),
            report=StatusReporter(Ledger(), Ledger(), clock=lambda: LATER),
            policy=Policy,
            rotation=Rotation(),
            clock=lambda: LATER,
        )


class _Part:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell


class _Views(_Part):
    def get(self, name: str) -> ObservedNamespace:
        return ObservedNamespace(name=name, resource_version=1, annotations=self._cell.annotations)

    def asking_since(self, name: str) -> datetime | None:  # noqa: ARG002 -- the protocol's
        return None


class _Secrets(_Part):
    def get(self, namespace: str) -> ObservedSecret | None:  # noqa: ARG002 -- the protocol's
        return self._cell.secret

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:  # noqa: ARG002 -- the protocol's
        self._cell.secret = secret


class _Cluster(_Part):
    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:  # noqa: ARG002 -- the protocol's
        self._cell.written_ones.append(content.record)
        return managed(content.record)

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
        not_before: datetime | None = None,
    ) -> TokenResult:
        self._cell.asked.append(not_before)
        return TokenResult(token=token(issued=LATER))

    def revoked(self, record: SecretRecord) -> frozenset[RegistryHost]:  # noqa: ARG002 -- the protocol's
        return frozenset()


@pytest.mark.parametrize(
    "secret",
    [
        managed(published(EU, US)),
        managed(published(EU)),
        managed(published(EU, US, refresh_requested_at="old")),
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
    assert [each.refresh_requested_at for each in cell.written_ones] == ["new"]


async def test_an_answered_request_asks_for_nothing_more() -> None:
    """A later change takes the tokens that are there."""
    cell = Cell(managed(published(EU, refresh_requested_at="new")))
    await cell.reconciler().reconcile("team-a")
    assert cell.asked == [None, None]


async def test_the_value_that_a_first_secret_is_born_with_is_no_request() -> None:
    """Many namespaces made from one template share one token."""
    cell = Cell(None)
    await cell.reconciler().reconcile("team-a")
    assert cell.asked == [None, None]
    assert [each.refresh_requested_at for each in cell.written_ones] == ["new"]
