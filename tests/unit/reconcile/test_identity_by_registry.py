"""A namespace with several identities: each token is asked for once, and one that fails disturbs no other."""

from dataclasses import replace

import pytest

from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.reconcile.test_reconciler import LATER, THROTTLED, ReconcilerHarness
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, US, managed, times, token

ONE, OTHER = "arn:aws:iam::123456789012:role/one", "arn:aws:iam::210987654321:role/other"
NAMES = {EU: ONE, US: ONE, EU_OTHER_ACCOUNT: OTHER}
ASKING = {"enabled": "true", "role-arn": f"{ONE},{OTHER}", "registries": ",".join(map(str, NAMES))}
OLD = SecretRecord(held=dict.fromkeys(NAMES, times(issued=LATER - 8 * HOUR)), identities=NAMES)


def harness_of(held: SecretRecord | None) -> ReconcilerHarness:
    harness = ReconcilerHarness(managed(held) if held else None, ASKING)
    harness.policy = Policy(roles=(RoleGrant(role="arn:aws:iam::*:role/*"),))
    return harness


async def test_each_identity_gets_one_token_for_each_region() -> None:
    """The record tells them apart, and a second look finds nothing to do."""
    harness = harness_of(None)
    await harness.reconcile()
    asked = {(scope.identity.name, scope.label) for scope in harness.scopes}
    assert asked == {(ONE, "eu-west-1"), (ONE, "us-west-2"), (OTHER, "eu-west-1")}
    assert (len(harness.scopes), [record.identities for record in harness.written]) == (3, [NAMES])
    await harness.reconcile()
    assert (len(harness.scopes), len(harness.written)) == (3, 1)


async def test_restart_with_everything_fresh_asks_for_nothing() -> None:
    """The annotations of the Secret are enough."""
    harness = harness_of(replace(OLD, held=dict.fromkeys(NAMES, times(issued=LATER))))
    assert (await harness.reconcile()).failures == ()
    assert (harness.scopes, harness.written) == ([], [])


async def test_identity_that_is_down_leaves_the_others_undisturbed() -> None:
    """They are renewed in time; its own entry stays, and is tried again when the failure says."""
    harness = harness_of(OLD)
    harness.results_as[OTHER] = TokenResult(failure=THROTTLED, retry_at=LATER + HOUR)
    result = await harness.reconcile()
    assert (result.failures, result.requeue_at) == ((THROTTLED,), LATER + HOUR)
    fresh, old = token(issued=LATER).validity, OLD.held[EU_OTHER_ACCOUNT]
    assert [record.held for record in harness.written] == [{EU: fresh, US: fresh, EU_OTHER_ACCOUNT: old}]


async def test_published_tokens_are_of_their_own_identities() -> None:
    """Each is verified as the identity that it was fetched as; one of another is none that is requested."""
    harness = harness_of(replace(OLD, identities={**NAMES, US: OTHER}))
    published = {each.host: each.scope.identity.name for each in harness.reconciler.published()}
    assert published == {EU: ONE, EU_OTHER_ACCOUNT: OTHER}


@pytest.mark.parametrize("restarted", [False, True])
async def test_role_that_is_withdrawn_leaves_the_others_rotating(*, restarted: bool) -> None:
    """No token is asked for as it, and the last one stays; that is reported. A restart changes nothing of it."""
    harness = harness_of(replace(OLD, held=dict.fromkeys(NAMES, times(issued=LATER))))
    if not restarted:
        assert (await harness.reconcile()).failures == ()
    harness.now, harness.token_result = LATER + 8 * HOUR, TokenResult(token=token(issued=LATER + 8 * HOUR))
    harness.policy = Policy(roles=(RoleGrant(role=ONE),))
    result = await harness.reconcile()
    assert [failure.reason for failure in result.failures] == [Reason.ROLE_NOT_ALLOWED]
    assert OTHER in result.failures[0].message
    assert {scope.identity.name for scope in harness.scopes} == {ONE}
    fresh = token(issued=harness.now).validity
    (written,) = harness.written
    assert (written.held, written.identities) == ({EU: fresh, US: fresh, EU_OTHER_ACCOUNT: times(issued=LATER)}, NAMES)
    assert {each.host for each in harness.reconciler.published()} == {EU, US}
    assert result.requeue_at is not None
    assert result.requeue_at > harness.now + HOUR
    again = await harness.reconcile()
    assert (again.failures, len(harness.scopes), len(harness.written)) == (result.failures, 2, 1)
    assert again.requeue_at == result.requeue_at


async def test_role_that_is_allowed_again_is_used_even_while_annotations_are_invalid() -> None:
    """What was withdrawn meanwhile is not forgotten."""
    harness = harness_of(replace(OLD, held=dict.fromkeys(NAMES, times(issued=LATER))))
    await harness.reconcile()
    allowed, harness.policy = harness.policy, Policy(roles=(RoleGrant(role=ONE),))
    await harness.reconcile()
    harness.annotate({**ASKING, "enabled": "yes"})
    harness.policy, harness.now = allowed, LATER + 8 * HOUR
    harness.token_result = TokenResult(token=token(issued=harness.now))
    await harness.reconcile()
    assert {scope.identity.name for scope in harness.scopes} == {ONE, OTHER}


async def test_repair_of_what_a_withdrawn_role_has_left() -> None:
    """An edited Secret gets the tokens that may be had, and keeps its entry; a deleted one has none to keep."""
    withdrawn = Policy(roles=(RoleGrant(role=ONE),))
    harness = harness_of(OLD)
    harness.secrets.upsert(replace(managed(OLD), intact=False, resource_version=8))
    harness.policy = withdrawn
    await harness.reconcile()
    assert [set(record.held) for record in harness.written] == [set(NAMES)]
    harness = harness_of(None)
    harness.policy = withdrawn
    assert [failure.reason for failure in (await harness.reconcile()).failures] == [Reason.ROLE_NOT_ALLOWED]
    assert harness.written == []
