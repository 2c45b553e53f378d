"""Hostile namespaces: what a tenant's rights allow, at any pace, drawn from a seed.

A tenant may do anything with its Namespace's annotations and with everything in its namespace, and may delete the
Namespace and have another one of any name. It has no rights in anybody else's.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret.pull_secret import SECRET_TYPE
from testsupport.simulation.record import Status
from testsupport.simulation.script import Action, act_on
from testsupport.virtual_time import HOUR, MINUTE

ACCOUNT = "333333333333"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/hostile"
ROLE_KEY = "eks.amazonaws.com/role-arn"
_ECR = f"{ACCOUNT}.dkr.ecr"
_PACES = (0.05, 0.1, 1.0, 7.0, 60.0)
"""Seconds between two changes."""
_MOST = 40
"""Changes of one kind in a row, so that a run is short."""
SHARED = f"{_ECR}.eu-west-1.amazonaws.com"
"""The only healthy registry that a hostile namespace asks for with an identity of the honest ones."""
SILENT = f"{_ECR}.ap-northeast-3.amazonaws.com"
"""A registry in a region that never answers."""
_BROKEN = (
    # Regions that are not enabled, cannot be reached, or do not exist.
    f"{_ECR}.me-south-1.amazonaws.com",
    f"{_ECR}.af-south-1.amazonaws.com",
    SILENT,
    f"{_ECR}.eu-north-7.amazonaws.com",
    # Endpoints that honest regions do not have, or that cannot be reached.
    f"{ACCOUNT}.dkr.ecr-fips.eu-west-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr-fips.eu-central-1.amazonaws.com",
    f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws",
    f"{ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws",
    # Another partition.
    f"{_ECR}.cn-north-1.amazonaws.com.cn",
)
_RESTING = 0.7
"""How often what was asked for is given up within an hour; otherwise the controller goes on trying."""
_Behaviour = Callable[[random.Random, float, str], Iterator[Action]]


def annotate(at: float, name: str, **annotations: str) -> Action:
    """Replace all annotations of a hostile Namespace, which is created if need be."""
    items = tuple((key.replace("_", "-"), value) for key, value in annotations.items())
    return Action(at=at, do="annotate", name=name, status=Status.INVALID, annotations=items)


def hostilities(rng: random.Random, names: tuple[str, ...], moments: Sequence[float], *, until: float) -> list[Action]:
    """Draw what these namespaces do: each has a few kinds of hostility, half of them just before `moments`."""
    found: list[Action] = []
    for name in names:
        for behaviour in rng.sample(BEHAVIOURS, 4):
            for _ in range(rng.randint(1, 2)):
                at = rng.choice((rng.uniform(0, until), max(rng.choice(moments) - rng.uniform(0, MINUTE), 0)))
                actions = list(islice(behaviour(rng, at, name), _MOST))
                found += actions
                if rng.random() < _RESTING:
                    found.append(annotate(actions[-1].at + rng.uniform(0, HOUR), name, enabled="false"))
    return sorted((action for action in found if action.at < until), key=lambda action: action.at)


def _moments(rng: random.Random, at: float) -> Iterator[float]:
    pace = rng.choice(_PACES)
    while True:
        yield at
        at += pace


def _hosts(rng: random.Random, _: str) -> dict[str, str]:
    return {"registries": ", ".join(rng.sample(_BROKEN, rng.randint(1, len(_BROKEN))))}


def _odd_hosts(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    for moment in _moments(rng, at):
        yield annotate(moment, name, enabled="true", **_hosts(rng, name), **_identity(rng))


def _identity(rng: random.Random) -> dict[str, str]:
    return rng.choice(({}, {"role-arn": OWN_ROLE}, {"service-account-name": "own"}))


def _refresh_requests(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    wanted = {**_hosts(rng, name), **_identity(rng)}
    for number, moment in enumerate(_moments(rng, at)):
        yield annotate(moment, name, enabled="true", **wanted, **{"refresh-requested-at": str(number)})


def _made_up_regions(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    for moment in _moments(rng, at):
        regions = [f"eu-{rng.choice(('north', 'west', 'middle'))}-{rng.randint(10, 9999)}" for _ in range(100)]
        hosts = ",".join(f"{_ECR}.{region}.amazonaws.com" for region in regions)
        yield annotate(moment, name, enabled="true", registries=hosts)


def huge(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    """What the API server takes at most: 256 KiB of annotations."""
    texts: tuple[dict[str, str], ...] = (
        {"enabled": "true", "registries": "a," * 120_000},
        {"enabled": "true", "registries": f"{_ECR}.{'x' * 240_000}.amazonaws.com"},
        {"enabled": "\x1b[2J\n" * 40_000},
        {f"x{number}": "y" * 50 for number in range(4000)},
        {"enabled": "true", "attach-to-service-accounts": ",".join(f"a{number}" for number in range(20_000))},
        {"enabled": "true", "role-arn": f"arn:aws:iam::{ACCOUNT}:role/{'r' * 200_000}"},
        {"enabled": "true", "service-account-name": "s" * 200_000},
        {"enabled": "true", "registries": SHARED, "refresh-requested-at": "z" * 200_000},
    )
    for moment in islice(_moments(rng, at), 40):
        yield annotate(moment, name, **rng.choice(texts))


def _forgeries(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    for moment in _moments(rng, at):
        yield Action(at=moment, do="forge", name=name, forged=forged_secret(rng))


def forged_secret(rng: random.Random) -> dict[str, object]:
    """Return fields of a Secret that pretends to be the controller's."""
    identity = rng.choice(("controller", "system:serviceaccount:team-7:puller", OWN_ROLE, "arn:aws:iam::x", ""))
    issued, expires = rng.choice((_TODAY, ("9999-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"), ("?", "?")))
    host = rng.choice((SHARED, "111111111111.dkr.ecr.eu-central-1.amazonaws.com", "public.ecr.aws", "a" * 10_000))
    region = rng.choice(("eu-west-1", "eu-central-1", "us-east-1/public", "me-south-1"))
    annotations = {
        "registries": host,
        "identity": identity,
        "issued-at": issued,
        "expires-at": expires,
        "tokens": f'{{"{region}": {{"issued-at": "{issued}", "expires-at": "{expires}"}}}}',
    }
    notes = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    return {
        "managed": rng.random() < 0.8,
        "type": rng.choice((SECRET_TYPE, "Opaque")),
        "immutable": rng.random() < 0.1,
        "annotations": notes,
        "auths": {host: "c29tZTpib2R5"},
        "owned": frozenset({"data", "type", "label", *notes}) if rng.random() < 0.7 else frozenset(),
    }


_TODAY = ("2026-03-01T12:00:00.000Z", "2026-03-02T00:00:00.000Z")


def _destruction(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    """Undo whatever the controller does to the pull Secret of a namespace that asks for one."""
    yield annotate(at, name, enabled="true", registries=SHARED)
    for moment in _moments(rng, at):
        yield act_on(moment, rng.choice(("delete", "edit", "strip", "garble-annotations", "freeze", "free")), name)


def _identities(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    others = tuple(f"arn:aws:iam::111111111111:role/team-{number}" for number in range(4))
    for moment in _moments(rng, at):
        role = rng.choice(
            (OWN_ROLE, f"{OWN_ROLE}-{rng.randint(0, 99)}", "arn:aws-cn:iam::333333333333:role/x", *others)
        )
        yield Action(at=moment, do="account", name=name, account="own", annotations=((ROLE_KEY, role),))
        yield annotate(moment, name, enabled="true", registries=SHARED, service_account_name="own")
        yield annotate(moment, name, enabled="true", registries=SHARED, role_arn=role)


def _accounts(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    """ServiceAccounts that come and go, with a role or without."""
    yield annotate(at, name, enabled="true", registries=SHARED, service_account_name="own")
    for number, moment in enumerate(_moments(rng, at)):
        role = ((ROLE_KEY, OWN_ROLE),) if number % 2 else ()
        yield Action(at=moment, do="account", name=name, account="own", annotations=role)
        refresh = {"refresh-requested-at": str(number)}
        yield annotate(moment, name, enabled="true", registries=SHARED, service_account_name="own", **refresh)


def _remaking(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    for moment in _moments(rng, at):
        yield act_on(moment, "end", name)
        yield annotate(moment + 21, name, enabled=rng.choice(("true", "True", "")), registries=SHARED)


def squatting(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    """Make Events of the controller's names, and fail in many ways so that it has something to tell."""
    yield annotate(at, name, enabled="true")
    yield act_on(at, "squat", name)
    for number, moment in enumerate(_moments(rng, at)):
        yield annotate(moment, name, enabled=f"yes {number}", **{f"x{number}": "unknown"})


def _undecided(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    for number, moment in enumerate(_moments(rng, at)):
        yield annotate(moment, name, enabled="true" if number % 2 else "false", registries=SHARED)


def elsewhere(_: random.Random, at: float, name: str) -> Iterator[Action]:
    """Be ever new ServiceAccounts with a role of another partition, whose STS cannot be reached."""
    for number in range(_MOST):
        account, moment = f"elsewhere-{number}", at + 5.0 * number
        role = f"arn:aws-cn:iam::{ACCOUNT}:role/x"
        yield Action(at=moment, do="account", name=name, account=account, annotations=((ROLE_KEY, role),))
        yield annotate(moment, name, enabled="true", registries=SHARED, service_account_name=account)


def grumbling(_: random.Random, at: float, name: str) -> Iterator[Action]:
    """Write something else that is wrong every five seconds."""
    for number in count():
        yield annotate(at + 5.0 * number, name, enabled=f"yes {number}")


def silence(_: random.Random, at: float, name: str) -> Iterator[Action]:
    """Ask for a region that never answers, as ever new ServiceAccounts."""
    for number in range(_MOST):
        account, moment = f"silent-{number}", at + 5.0 * number
        yield Action(at=moment, do="account", name=name, account=account, annotations=((ROLE_KEY, OWN_ROLE),))
        yield annotate(moment, name, enabled="true", registries=SILENT, service_account_name=account)


def _many_accounts(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    """Make ever new ServiceAccounts, each with a role that trusts it."""
    for number, moment in enumerate(_moments(rng, at)):
        account = f"own-{number}"
        yield Action(at=moment, do="account", name=name, account=account, annotations=((ROLE_KEY, OWN_ROLE),))
        yield annotate(moment, name, enabled="true", registries=SHARED, service_account_name=account)


BEHAVIOURS: tuple[_Behaviour, ...] = (
    _odd_hosts,
    _refresh_requests,
    _made_up_regions,
    huge,
    _forgeries,
    _destruction,
    _identities,
    _accounts,
    _many_accounts,
    elsewhere,
    silence,
    _remaking,
    squatting,
    _undecided,
)


def reform(at: float, name: str) -> list[Action]:
    """Ask, in the end, for what the namespace may have."""
    return [
        act_on(at, "free", name),
        act_on(at, "delete", name),
        annotate(at + 30, name, enabled="true", registries=SHARED),
    ]


def usurpation(rng: random.Random, at: float, name: str, account: str) -> list[Action]:
    """Take over the name of a tenant that has gone, with a ServiceAccount of the same name and role."""
    role = f"arn:aws:iam::111111111111:role/{name}"
    wanted = annotate(at, name, enabled="true", registries=SHARED, service_account_name=account)
    made = Action(at=at + 0.1, do="account", name=name, account=account, annotations=((ROLE_KEY, role),))
    forged = [Action(at=at + 0.2, do="forge", name=name, forged=forged_secret(rng))] if rng.random() < 0.5 else []
    again = []
    for number in range(1, 6):
        refresh = (*wanted.annotations, ("refresh-requested-at", str(number)))
        again.append(replace(wanted, at=at + MINUTE * number, annotations=refresh))
    return [wanted, made, *forged, *again]


def pretence(rng: random.Random, at: float, name: str) -> list[Action]:
    """Never opt in rightly, but have a Secret that says so."""
    actions = [annotate(at, name, enabled="False", registries=SHARED)]
    for number in range(20):
        moment = at + number * HOUR + rng.uniform(0, MINUTE)
        actions.append(Action(at=moment, do="forge", name=name, forged={**forged_secret(rng), "managed": True}))
    return actions
