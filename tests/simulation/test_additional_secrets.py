"""The invariants of the design for additional Secrets, which live beside the pull Secrets of a faulty season."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import Matcher
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr import registry_host
from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.faults import Faults
from testsupport.simulation.record import CONTROLLER, Period, Record, SecretVersion
from testsupport.simulation.scenarios import FRANKFURT, IRELAND, faultless_season, faulty_season, opted_in, quiet, team
from testsupport.simulation.script import opt_in
from testsupport.simulation.world import simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

pytestmark = pytest.mark.slow

SEED = 1
NAMES = ("argocd", "basic")
ALL = Matcher(names=("*",))
ADDITIONAL = (
    AdditionalSecret(
        name="argocd", shape=ShapeName.ARGOCD_REPO_CREDS, registry=registry_host.parse(IRELAND), namespaces=ALL
    ),
    AdditionalSecret(name="basic", shape=ShapeName.BASIC_AUTH, registry=registry_host.parse(FRANKFURT), namespaces=ALL),
)
SETTINGS = Settings(additional_secrets=ADDITIONAL)
QUIET = replace(SETTINGS, relist_interval=timedelta(hours=6))
each_name = pytest.mark.parametrize("name", NAMES)


@cache
def faulty() -> Record:
    return simulate(replace(faulty_season(SEED), settings=SETTINGS))


@cache
def faultless() -> Record:
    return simulate(replace(faultless_season(SEED), settings=SETTINGS))


def of(name: str, record: Record) -> Record:
    """Return the record of one additional Secret, with the namespaces as asking for its registry alone, if at all."""
    (host,) = (each.registry.name for each in ADDITIONAL if each.name == name)
    found = record.of_secrets_named(name)
    namespaces = {
        namespace: [replace(each, hosts=tuple(own for own in each.hosts if own == host)) for each in versions]
        for namespace, versions in found.namespaces.items()
    }
    return replace(found, namespaces=namespaces)


@each_name
def test_the_season_has_met_them(name: str) -> None:
    """Users and faults had a part in what happened to them, and so had rotations: the rest of the tests is not idle."""
    versions = [each for each, _ in of(name, faulty()).lives()]
    assert len(versions) > 200
    assert {each.writer for each in versions} > {CONTROLLER, "user"}
    assert {each.gone for each in versions} == {each.managed for each in versions} == {True, False}


@each_name
def test_never_stale_and_never_worse(name: str) -> None:
    """As the pull Secret: invariants 1 and 2."""
    record = of(name, faulty())
    assert list(check_tokens.never_stale(record)) == []
    assert list(check_tokens.never_worse(record)) == []


@each_name
def test_only_ours_and_in_place(name: str) -> None:
    """As the pull Secret: invariants 3 and 4, and 10 of what is new."""
    record = of(name, faulty())
    assert list(check_objects.only_ours(record)) == []
    assert list(check_objects.in_place(record)) == []
    assert list(check_objects.bad_input_creates_nothing(record)) == []


def test_the_token_is_nowhere_else() -> None:
    """Invariant 7: no text has it, and nothing but Secrets, Events and their own names are written."""
    assert list(check_tokens.token_is_only_in_the_secret(faulty())) == []
    written = {request.path.split("/")[-1] for request in faulty().requests if "/secrets/" in request.path}
    assert written == {"ecr-pull-secret", *NAMES}


@each_name
def test_it_ends_where_it_would_without_faults(name: str) -> None:
    """Invariant 12: there and alive where the pull Secret is for its registry, and nowhere else."""
    ends = {}
    for record in (of(name, faulty()), of(name, faultless())):
        found = check_objects.end_states(record)
        ends[id(record)] = {namespace: end.owner for namespace, end in found.items() if end.owner != "foreign"}
        for namespace, owner in ends[id(record)].items():
            hosts = record.namespaces[namespace][-1].hosts if record.namespaces[namespace] else ()
            secret = record.secret_at(namespace, record.end)
            wanted = bool(hosts) and record.namespaces[namespace][-1].status == "opted in"
            assert (owner == "managed") is wanted, namespace
            assert secret is None or all(record.issued[auth].expires_at > record.end for auth in secret.auths.values())


def test_they_cost_no_call_to_aws() -> None:
    """Invariant 8: each is due with the pull Secret and shares its token, and a rotation writes each of them once."""
    plain = simulate(quiet(opted_in(20, IRELAND, FRANKFURT), 2 * DAY))
    record = simulate(quiet(opted_in(20, IRELAND, FRANKFURT), 2 * DAY, settings=QUIET))
    assert len(record.aws_calls) == len(plain.aws_calls)
    for name in NAMES:
        for number in range(20):
            pull, other = record.secrets[team(number)], record.additional[name][team(number)]
            assert len(other) == len(pull) == len(plain.secrets[team(number)])


def test_one_that_is_refused_leaves_the_others_their_times() -> None:
    """The same cluster, with writes of one name refused for days: no other one is ever written later than it would be.

    But earlier: whoever retries may find that the token cache has a younger token.
    """
    actions = [opt_in(number / 100, team(number), IRELAND, FRANKFURT) for number in range(5)]
    run = quiet(actions, 2 * DAY, settings=QUIET)
    refusing = Faults(refusing=[Period(start=0, end=2 * DAY, reason="webhook")], refused_name="argocd")
    calm, refused = simulate(run), simulate(replace(run, faults=refusing))
    assert not any(refused.additional["argocd"].values())
    assert refused.happened["refused: webhook"] > 2 * DAY / HOUR
    for mine, theirs in ((calm.secrets, refused.secrets), (calm.additional["basic"], refused.additional["basic"])):
        for number in range(5):
            longest = [max(gaps(found[team(number)])) for found in (mine, theirs)]
            assert longest[1] < longest[0] + MINUTE


def gaps(versions: list[SecretVersion]) -> list[float]:
    return [later.at - earlier.at for earlier, later in pairwise(versions)]
