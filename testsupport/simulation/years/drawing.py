"""Draws a world and its history from a seed: a small cluster, quiet on most days, and everything that may befall it."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pullkeeper.domain.config.settings import Settings, parse_settings
from testsupport.simulation.faults import ALL_REASONS, EXTREME, FREQUENT, NO_FAULTS, Faults, draw_faults, moments
from testsupport.simulation.geography import Geography
from testsupport.simulation.hostile import OWN_ROLE, hostilities
from testsupport.simulation.record import Period, Status
from testsupport.simulation.resources import REFUSALS
from testsupport.simulation.script import HOSTS, REGIONS, Action, act_on, season
from testsupport.simulation.world import IN_ORDER, Restart, Run
from testsupport.simulation.years import accounts, crowd
from testsupport.virtual_time import DAY, HOUR, MINUTE

_SPECIAL_KINDS = 20
_CALM = 7 * HOUR
"""Nothing fails at the end of a history, so that everything comes to rest: a relist takes up to six hours to come."""
_EVENTFUL = 120 * DAY
"""Longer histories have no more faults than one of this length."""
_SHORT_DAYS = 200.0
"""Longer histories have two namespaces at most: what they cost are mostly the rotations."""
_NAMESPACES = (1, 1, 1, 1, 1, 1, 1, 1, 2, 3)
_LATER = 0.75
"""How many of the worlds replace tokens after nine hours instead of six."""
_LASTING = frozenset({"strip", "replace", "freeze"})
"""What is done to a Secret that the controller must not, or cannot, mend."""
_UNSEEN = frozenset({"losses", "restores"})
"""Traits by which a change may be unseen until everything is listed anew."""
_DENIED = 0.5
"""In how many of the worlds that watch ServiceAccounts that is denied at times."""
_OTHER_ACCOUNT = "222222222222"
_SECOND = "arn:aws:iam::222222222222:role/pullkeeper"
_THIRD = "arn:aws:iam::111111111111:role/anywhere"
_ANYWHERE = {
    "trustAnchorArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/11111111-1111-1111-1111-111111111111",
    "profileArn": "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/11111111-1111-1111-1111-111111111111",
    "roleArn": _THIRD,
    "certificateFile": "/certificate.pem",
    "keyFile": "/key.pem",
}
AUTO = "auto-0"
"""A namespace without annotations, opted in by the settings."""
TRAITS = (
    "losses",
    "restores",
    "refusals",
    "replaced credentials",
    "slow lists",
    "watch errors",
    "undoing",
    "identities",
    "several identities",
    "attachment",
    "opt-in by settings",
    "verification",
    "other principals",
    "hostile",
)
"""What makes worlds differ; each has a few."""
KINDS = frozenset({*TRAITS, crowd.REPLICAS, crowd.CROWD, accounts.WATCHED, accounts.POLLED})
"""All that is said of worlds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A run, and what to know of it to judge its record."""

    run: Run
    traits: frozenset[str]


def draw(seed: int, *, days: float = 365.0) -> World:
    """Draw the world of a seed, with a history of so many days; one in ten is of a special kind, and short."""
    if seed % _SPECIAL_KINDS == 0:
        return World(traits=frozenset({crowd.REPLICAS}), run=crowd.draw_replicas(seed))
    if seed % _SPECIAL_KINDS == _SPECIAL_KINDS // 2:
        return World(traits=frozenset({crowd.CROWD}), run=crowd.draw_crowd(seed))
    return _draw_years(seed, days=days)


def is_short(seed: int) -> bool:
    """Whether the world of a seed is of a special kind, whatever the number of days."""
    return seed % (_SPECIAL_KINDS // 2) == 0


def _draw_years(seed: int, *, days: float) -> World:
    rng = random.Random(f"world {seed}")
    traits = frozenset(rng.sample(TRAITS, rng.randint(2, 5)))
    end, until = days * DAY, days * DAY - _CALM
    most = _NAMESPACES[-1] if days <= _SHORT_DAYS else 2
    names = [f"team-{number}" for number in range(min(rng.choice(_NAMESPACES), most))]
    known = random.Random(f"service accounts {seed}")
    asking = accounts.draw_asking(known, names) if "identities" in traits else {}
    document = {**_document(rng, traits, names), **(accounts.draw_way(known) if asking else {})}
    faults = _faults(random.Random(f"faults {seed}"), traits, names, until)
    settings = _settings(rng, traits, document)
    actions = season(
        random.Random(f"users {seed}"),
        namespaces=len(names),
        until=until,
        every=20 * DAY * _rarity(until),
        most_hosts=2,
    )
    actions += _cleaning_up(random.Random(f"cleaning up {seed}"), actions, until)
    actions = [each for action in actions for each in _with_identity(action, traits, asking)]
    special = _History(
        rng=random.Random(f"special {seed}"),
        names=names,
        document=document,
        until=until,
        undoing=faults.undoing,
    )
    actions += _special_actions(traits, special)
    if askers := accounts.askers(asking):
        faults.unwatchable = _denials(known, until) if settings.watched_names and known.random() < _DENIED else []
        moments = [*special.moments(10)]
        actions += accounts.fates(known, askers, moments, faults.unwatchable, until)
    return World(
        traits=traits | accounts.traits(settings, asking),
        run=Run(
            seed=seed,
            end=end,
            actions=sorted(actions, key=lambda action: action.at),
            faults=faults,
            geography=_geography(names),
            restarts=_restarts(random.Random(f"restarts {seed}"), traits, until),
            settings=settings,
            notices_within=None if traits & _UNSEEN else 5 * MINUTE,
            with_permissions=True,
        ),
    )


def _document(rng: random.Random, traits: frozenset[str], names: list[str]) -> dict[str, Any]:
    """Return a settings file."""
    document: dict[str, Any] = {"optIn": {"namespaces": ["auto-*" if "opt-in by settings" in traits else "none"]}}
    document["registries"] = [HOSTS[0]]
    if "identities" in traits:
        document["roles"] = [{"role": accounts.role(name), "namespaces": [name]} for name in names]
        document["serviceAccountIdentity"] = {"namespaces": ["*"]}
    if "several identities" in traits:
        second = {"webIdentity": {"roleArn": _SECOND, "tokenFile": "/token"}}
        source = rng.choice((second, {"rolesAnywhere": _ANYWHERE}))
        document["identities"] = [{"name": "second", "registries": [f"{_OTHER_ACCOUNT}.*"], **source}]
    if "attachment" in traits:
        document["serviceAccountAttachment"] = True
    if rng.random() < _LATER:
        document |= {"refreshFraction": 0.75, "maxTokenAge": "9h"}
    if "verification" in traits:
        document |= {"verify": rng.choice(("new", "continuous")), "verifyInterval": "12h"}
    return document


def _settings(rng: random.Random, traits: frozenset[str], document: Mapping[str, Any]) -> Settings:
    """Return the settings; where events get lost, a relist finds out soon."""
    interval = timedelta(hours=rng.choice((3, 6))) if traits & _UNSEEN else timedelta(hours=24)
    return replace(parse_settings(document, {}), relist_interval=interval)


def _faults(rng: random.Random, traits: frozenset[str], names: list[str], until: float) -> Faults:
    faults = draw_faults(rng, until=until, regions=REGIONS, every=60 * DAY * _rarity(until), reasons=ALL_REASONS)
    faults.rates = NO_FAULTS
    if "losses" in traits:
        faults.stormy = rng.choice((FREQUENT, EXTREME))
        faults.storms = [
            *_periods(rng, until, 12 * DAY, (6 * HOUR, DAY, 3 * DAY)),
            Period(start=until - DAY, end=until),
        ]
    faults.watch_seconds = DAY
    if "refusals" in traits:
        faults.refusing = [
            replace(period, reason=rng.choice(REFUSALS), namespace=rng.choice(("", *names)))
            for period in _periods(rng, until, 25 * DAY, (5 * MINUTE, HOUR, 5 * HOUR))
        ]
    if "replaced credentials" in traits:
        faults.unauthorized = _periods(rng, until, 30 * DAY, (5.0, MINUTE, 20 * MINUTE))
    if "slow lists" in traits:
        faults.slow_lists = [
            replace(period, reason=rng.choice(("5", "50"))) for period in _periods(rng, until, 30 * DAY, (HOUR, DAY))
        ]
    if "undoing" in traits:
        hows = ("delete", "revert", "detach") if "attachment" in traits else ("delete", "revert")
        faults.undoing = [
            replace(period, reason=rng.choice(hows), namespace=rng.choice(names))
            for period in _periods(rng, until, 30 * DAY, (5 * MINUTE, HOUR))
        ]
    if "verification" in traits:
        faults.registries = [
            replace(period, region=rng.choice(REGIONS)) for period in _periods(rng, until, 20 * DAY, (MINUTE, 6 * HOUR))
        ]
    return faults


def _periods(rng: random.Random, until: float, every: float, lengths: tuple[float, ...]) -> list[Period]:
    return [
        Period(start=start, end=min(start + rng.choice(lengths), until))
        for start in moments(rng, until, every=every * _rarity(until))
    ]


def _rarity(until: float) -> float:
    """Return how much further apart everything is in a long history, so that its other days are quiet ones."""
    return max(1.0, until / _EVENTFUL)


def _restarts(rng: random.Random, traits: frozenset[str], until: float) -> list[Restart]:
    """Draw restarts, about three in four months; at some of them somebody else is behind the controller's identity."""
    found = []
    for at in moments(rng, until, every=35 * DAY * _rarity(until)):
        other = f"arn:aws:sts::111111111111:assumed-role/controller-{rng.randint(0, 1)}"
        changes = "other principals" in traits and rng.random() < 0.3
        gap = rng.choice((0.0, 1.0, MINUTE, HOUR / 2, 7 * HOUR))
        found.append(Restart(at=at, gap=min(gap, until - at), principal=other if changes else ""))
    return found


def _cleaning_up(rng: random.Random, actions: Sequence[Action], until: float) -> Iterator[Action]:
    """Clear away, within a day, what keeps a Secret from being written: it is retried all that time."""
    for action in actions:
        if action.do in _LASTING and action.at < until - 2 * DAY:
            yield act_on(action.at + rng.choice((10 * MINUTE, HOUR, 9 * HOUR, DAY)), "free", action.name)


def _denials(rng: random.Random, until: float) -> list[Period]:
    return accounts.draw_denials(rng, moments(rng, until - 3 * DAY, every=30 * DAY * _rarity(until)), until)


def _geography(names: list[str]) -> Geography:
    trust = {
        role(name): frozenset({"controller", f"{name}/{accounts.NAME}"})
        for name in names
        for role in (accounts.role, accounts.other_role)
    }
    return Geography(trust={**trust, OWN_ROLE: frozenset({"controller", "hostile-0/*"})})


def _with_identity(action: Action, traits: frozenset[str], asking: Mapping[str, Mapping[str, str]]) -> Iterator[Action]:
    """Have each namespace ask as somebody."""
    extra = dict(asking.get(action.name, {})) if action.status is Status.OPTED_IN else {}
    if action.status is Status.OPTED_IN and "attachment" in traits:
        extra["attach-to-service-accounts"] = accounts.NAME
    if not extra:
        yield action
        return
    yield replace(action, annotations=(*action.annotations, *extra.items()))
    yield accounts.account(action.at + 0.5, action.name, accounts.role(action.name), do="ensure-account")


@dataclass(frozen=True, kw_only=True, slots=True)
class _History:
    """What the special actions of a world are drawn from."""

    rng: random.Random
    names: list[str]
    document: Mapping[str, Any]
    until: float
    undoing: Sequence[Period]
    """When another tool undoes what the controller writes."""

    def moments(self, days: float) -> list[float]:
        """Draw moments, so many days apart on average in four months, a few days before the end at the latest."""
        return moments(self.rng, self.until - 3 * DAY, every=days * DAY * _rarity(self.until))


def _restores(history: _History) -> Iterator[Action]:
    for at in history.moments(40):
        yield act_on(at, "back-up", "")
        later, how = at + history.rng.choice((HOUR, 9 * HOUR, 2 * DAY)), history.rng.choice(("", IN_ORDER))
        yield Action(at=later, do="restore", name="", text=how)


def _watch_errors(history: _History) -> Iterator[Action]:
    for at in history.moments(20):
        yield Action(at=at, do="watch-error", name="", text=history.rng.choice(("410", "500", "compacted")))


def _take_outs(history: _History) -> Iterator[Action]:
    for at in history.moments(40):
        yield Action(at=at, do="take-out", name=history.rng.choice(history.names), account=accounts.NAME)


def _chances_to_undo(history: _History) -> Iterator[Action]:
    """Have the controller write at the beginning, so that the tool which undoes what it writes has something to do."""
    for period in history.undoing:
        do = "take-out" if period.reason == "detach" else "delete"
        yield Action(at=period.start + 1.0, do=do, name=period.namespace, account=accounts.NAME)


def _slips(history: _History) -> Iterator[Action]:
    """Let the settings lose an opt-in, for less or for more than the grace."""
    yield Action(at=1.0, do="annotate", name=AUTO, status=Status.OPTED_IN, hosts=(HOSTS[0],))
    for at in history.moments(60):
        yield _slip(at, history.document, "atuo-*")
        yield _slip(at + history.rng.choice((MINUTE, 10 * MINUTE, 5 * HOUR)), history.document, "auto-*")


def _revocations(history: _History) -> Iterator[Action]:
    for at in history.moments(60):
        yield Action(at=at, do="revoke", name="", text=history.rng.choice(REGIONS))


def _hostilities(history: _History) -> Iterator[Action]:
    at = history.rng.uniform(0, max(history.until - 2 * DAY, 0))
    for action in hostilities(history.rng, ("hostile-0",), [HOUR], until=6 * HOUR):
        yield replace(action, at=at + action.at)
    yield act_on(at + DAY, "end", "hostile-0")


_SPECIAL: Mapping[str, Callable[[_History], Iterator[Action]]] = {
    "restores": _restores,
    "watch errors": _watch_errors,
    "attachment": _take_outs,
    "undoing": _chances_to_undo,
    "opt-in by settings": _slips,
    "verification": _revocations,
    "hostile": _hostilities,
}


def _special_actions(traits: frozenset[str], history: _History) -> Iterator[Action]:
    """Draw what happens once in a while, by the traits."""
    for trait, drawn in _SPECIAL.items():
        if trait in traits:
            yield from drawn(history)


def _slip(at: float, document: Mapping[str, Any], pattern: str) -> Action:
    changed = {**document, "optIn": {"namespaces": [pattern]}}
    return Action(at=at, do="settings", name=AUTO, text=json.dumps(changed))
