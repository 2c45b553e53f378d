"""What the reconciler does about a token that a registry refuses while its Secret keeps an older one."""

from dataclasses import replace
from datetime import datetime

import pytest

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.reconcile.test_reconciler import LATER, ReconcilerHarness
from testsupport.examples import EU, HOUR, managed, published, token

REJECTED = Failure(reason=Reason.REGISTRY_REJECTED, message="no")
ON = {"enabled": "true", "registries": str(EU)}


async def asked(issued: datetime, result: TokenResult) -> list[datetime | None]:
    """Return since when each of the tokens must have been fetched that are asked for."""
    harness = ReconcilerHarness(managed(published(EU, issued=issued)), annotations=ON)
    harness.token_result = result
    await harness.reconcile()
    return harness.fresh_since


def refused(reason: Reason = Reason.REGISTRY_REJECTED) -> TokenResult:
    """Return a token that the registry must not get."""
    return TokenResult(
        token=token(issued=LATER),
        failure=replace(REJECTED, reason=reason),
        retry_at=LATER + HOUR,
        excluded=frozenset({EU}),
    )


@pytest.mark.parametrize(("age", "since"), [(11.5, -1.0), (12.0, 0.0), (12.5, -0.5)])
async def test_a_token_is_fetched_anew_for_an_entry_that_is_about_to_expire(age: float, since: float) -> None:
    """Once when a quarter of the time between its rotation and its expiry is left, and once when it expires."""
    assert await asked(LATER - age * HOUR, refused()) == [None, LATER + since * HOUR]


@pytest.mark.parametrize("age", [7, 10])
async def test_it_is_not_while_the_entry_lives_on(age: int) -> None:
    """It may be the registry that is wrong."""
    assert await asked(LATER - age * HOUR, refused()) == [None]


async def test_a_token_that_could_not_be_fetched_is_not_asked_for_again() -> None:
    """Its own backoff says when it is."""
    assert await asked(LATER - 11.5 * HOUR, refused(Reason.THROTTLED)) == [None]


async def test_nothing_is_urgent_without_an_entry() -> None:
    """A first Secret waits for the registry."""
    harness = ReconcilerHarness(annotations=ON)
    harness.token_result = refused()
    await harness.reconcile()
    assert harness.fresh_since == [None]
    assert Rotation().urgent_since(token(issued=LATER), LATER) is None
