"""A token that is revoked after it was fetched, when some registries have accepted it already."""

from dataclasses import replace

import pytest

from pullkeeper.domain.config.settings import parse_settings
from testsupport.simulation import check_tokens
from testsupport.simulation.record import Record
from testsupport.simulation.scenarios import QUIET, quiet
from testsupport.simulation.script import HOSTS, Action, opt_in
from testsupport.simulation.world import Run, simulate
from testsupport.virtual_time import HOUR

pytestmark = pytest.mark.slow

ONE, OTHER = (host for host in HOSTS if ".eu-west-1." in host)
POLICY = {"verify": "new", "refreshFraction": 0.75, "maxTokenAge": "9h"}


def run(*others: Action) -> Run:
    """Return two days of two namespaces that share a token, for the registries of two accounts."""
    settings = replace(parse_settings(POLICY, {}), relist_interval=QUIET.relist_interval)
    return quiet([opt_in(1.0, "team-0", ONE), opt_in(1.5, "team-1", OTHER), *others], 48 * HOUR, settings=settings)


def revoked_between_two_registries() -> Record:
    """Revoke the second token when the one namespace has it and the other has not yet asked for it."""
    record = simulate(run())
    issued = sorted(token.at for token in record.issued.values())[1]
    first = min(versions[1].at for versions in record.secrets.values())
    later = max(versions[1].at for versions in record.secrets.values())
    assert issued <= first < later - 1
    revoke = Action(at=(first + later) / 2, do="revoke", name="", text="eu-west-1")
    return simulate(run(revoke))


def test_an_entry_that_is_kept_does_not_expire_for_the_sake_of_a_token_that_was_revoked() -> None:
    """It is fetched anew, once, before the entry that is kept instead of it expires."""
    record = revoked_between_two_registries()
    assert record.happened["token refused by its registry"] > 0
    rotation = parse_settings(POLICY, {}).rotation
    assert list(check_tokens.never_stale(record, rotation)) == []
    assert [secret for secret, until in record.lives() if until > expiry(record, secret.auths)] == []
    assert len(record.aws_calls) <= len(simulate(run()).aws_calls) + 2


def expiry(record: Record, auths: object) -> float:
    """Return when the first token of a Secret expires."""
    assert isinstance(auths, dict)
    return min(record.issued[auth].expires_at for auth in auths.values())
