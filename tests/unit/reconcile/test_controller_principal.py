"""Another principal behind the controller's identity: every Secret of it is rotated, spread, and no other one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.iam.principal import Current
from pullkeeper.reconcile.controller_principal import ControllerPrincipal
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.reconcile.test_reconciler import LATER, ROLE, THROTTLED, ReconcilerHarness
from testsupport.examples import EU, HOUR, NOW, ROLE_A, ROLE_B, managed, published, record_of, token

ON = {"enabled": "true", "registries": str(EU)}
OF_A = managed(published(EU, principal=ROLE_A))
TURN = Rotation().spread("team-a", LATER)
INSTANT = timedelta(microseconds=1)
WHENEVER = timedelta(minutes=10)


def harness_of_b() -> ReconcilerHarness:
    """Return a namespace whose Secret is role A's, while the controller has become role B."""
    harness = ReconcilerHarness(OF_A, ON)
    harness.token_result = TokenResult(token=token(issued=LATER, principal=ROLE_B))
    harness.learned = ROLE_B
    harness.controller.record(CONTROLLER.name, ROLE_B)
    return harness


async def test_tokens_of_the_old_principal_are_rotated_in_the_namespaces_turn() -> None:
    """It is queued at once, waits for its turn, and then holds the new one's token and says so."""
    harness = harness_of_b()
    assert harness.enqueued == ["team-a"]
    harness.now = TURN - INSTANT
    assert (await harness.reconcile()).requeue_at == TURN
    assert (harness.scopes, harness.written) == ([], [])
    harness.now = TURN
    assert (await harness.reconcile()).failures == ()
    assert [scope.identity.principal for scope in harness.scopes] == [ROLE_B]
    assert [record.principals for record in harness.written] == [{"controller": ROLE_B}]
    assert harness.recorded.writes == [("rotate", "success")]
    assert [reason for _, reason, _ in harness.recorded.events] == ["PullSecretUpdated"]
    assert await harness.reconcile() == await harness.reconcile()
    assert len(harness.written) == 1


async def test_old_token_stays_while_the_new_principal_gets_none() -> None:
    """It is tried again when the failure says, and the Secret is left as it is."""
    harness = harness_of_b()
    harness.now = TURN
    harness.token_result = TokenResult(failure=THROTTLED, retry_at=TURN + HOUR)
    result = await harness.reconcile()
    assert (result.failures, result.requeue_at, harness.written) == ((THROTTLED,), TURN + HOUR, [])


@pytest.mark.parametrize("known", ["", ROLE_A])
async def test_restart_with_the_same_or_an_unknown_principal_does_nothing(known: str) -> None:
    """No token is asked for and nothing is written; a Secret of before says no principal."""
    for held in ("", ROLE_A):
        harness = ReconcilerHarness(managed(published(EU, principal=held)), ON)
        harness.learned = ROLE_B
        if known:
            harness.controller.record(CONTROLLER.name, known)
        harness.now = LATER + HOUR
        assert (await harness.reconcile()).requeue_at is not None
        assert (harness.enqueued, harness.scopes, harness.written) == ([], [], [])


async def test_principal_that_is_learned_with_a_token_is_the_key_of_that_token() -> None:
    """Where only STS knows it: not before a token is wanted, and then the Secret says it."""
    harness = ReconcilerHarness(None, ON)
    harness.learned = ROLE_B
    harness.token_result = TokenResult(token=token(issued=LATER, principal=ROLE_B))
    await harness.reconcile()
    assert [scope.identity.principal for scope in harness.scopes] == [ROLE_B]
    assert [record.principals for record in harness.written] == [{"controller": ROLE_B}]


async def test_secrets_of_other_identities_are_left_alone() -> None:
    """A role's token is the role's, whoever assumes it."""
    harness = ReconcilerHarness(managed(record_of(published(EU).held, ROLE)), ON | {"role-arn": ROLE})
    harness.policy = Policy(roles=(RoleGrant(role=ROLE),))
    harness.controller.record(CONTROLLER.name, ROLE_B)
    harness.now = TURN
    await harness.reconcile()
    assert (harness.enqueued, harness.scopes) == ([], [])


def test_tokens_of_another_principal_are_not_what_is_requested() -> None:
    """They are not verified any more: they are about to be replaced."""
    harness = ReconcilerHarness(OF_A, ON)
    assert [each.validity for each in harness.reconciler.published()] == list(published(EU).validities)
    harness.controller.record(CONTROLLER.name, ROLE_B)
    assert list(harness.reconciler.published()) == []


def test_change_is_logged_with_the_number_of_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Once, whatever their number; without any there is nothing to say."""
    caplog.set_level("INFO")
    others = [replace(OF_A, namespace=f"team-{number}") for number in range(300)]
    secrets = [*others, managed(published(EU)), managed(published(EU, principal=ROLE_B)), managed(None)]
    enqueued: list[str] = []
    found = ControllerPrincipal(
        secrets=lambda: secrets, enqueue=enqueued.append, jitter=timedelta(minutes=10), clock=lambda: NOW
    )
    found.record(CONTROLLER.name, ROLE_B)
    line = f"the controller's identity is {ROLE_B} now: 300 pull Secrets with tokens of another principal are rotated"
    assert caplog.messages == [f"{line} within 0:10:00"]
    assert enqueued == [secret.namespace for secret in others]
    secrets.clear()
    found.record(CONTROLLER.name, ROLE_A)
    assert len(caplog.messages) == 1


def test_leader_spreads_from_when_it_leads() -> None:
    """A follower may have known for hours, and would rotate all at once."""
    now = NOW
    found = ControllerPrincipal(secrets=list, enqueue=lambda _: None, jitter=WHENEVER, clock=lambda: now)
    found.record(CONTROLLER.name, ROLE_B)
    now = NOW + HOUR
    found.start_leading()
    assert found.current(CONTROLLER) == Current(name=ROLE_B, since=NOW + HOUR)
