"""A namespace with several identities: each token is asked for once, and one that fails disturbs no other."""

from dataclasses import replace

from pullkeeper.domain.config.policy import Policy, RoleGrant
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
