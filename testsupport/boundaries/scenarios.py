"""What happens at the boundaries that are gone through: one scenario for each thing that the controller does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from pullkeeper.domain.config.policy import Grant, Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from testsupport.boundaries.world import NAMESPACE, Scenario, World
from testsupport.simulation.record import USER, SecretVersion, Status
from testsupport.simulation.store import SECRET_NAME
from testsupport.virtual_time import HOUR, MINUTE

IRELAND, FRANKFURT = (f"111111111111.dkr.ecr.{region}.amazonaws.com" for region in ("eu-west-1", "eu-central-1"))
BLUE = "arn:aws:iam::111111111111:role/blue"
GREEN = "arn:aws:iam::111111111111:role/green"
FOREIGN = {"docker.io": "c29tZTpib2R5"}
ACCOUNT = "default"
_PULLER = "puller"
_THEN = 30.0
"""Second of the action, when what was there before has come to rest."""
_RELIST = 10 * MINUTE
_APPLY, _LISTS, _ASK = "patch secrets", frozenset({"list secrets", "list namespaces"}), "aws GetAuthorizationToken"
_WHO = "aws GetCallerIdentity"
_ROLES = Policy(roles=(RoleGrant(role=BLUE), RoleGrant(role=GREEN)), service_accounts=Grant())


def current(world: World) -> SecretVersion | None:
    """Return the Secret of the namespace."""
    return world.cluster.secrets.get(NAMESPACE)


def served(world: World, *hosts: str, role: str = "") -> Iterator[str]:
    """Report unless the Secret has a live token of the role for each host, and nothing else.

    Unless it is given, it is that of the ServiceAccount, or the controller's own.
    """
    role = role or (_role_of_account(world) if world.scenario.service_account else "the controller")
    secret = current(world)
    if secret is None or not secret.managed or set(secret.auths) != set(hosts):
        yield f"ended with {secret and sorted(secret.auths)} instead of {sorted(hosts)}"
        return
    for host, auth in secret.auths.items():
        token = world.record.issued.get(auth)
        if token is None or token.expires_at <= world.end:
            yield f"ended with a dead token of {host}"
        elif role not in token.key:
            yield f"ended with a token of {token.key} instead of {role}"


def _role_of_account(world: World) -> str:
    return world.cluster.accounts[NAMESPACE, world.scenario.service_account].annotations[ROLE_ANNOTATION]


def without(world: World) -> Iterator[str]:
    """Report a Secret."""
    if current(world) is not None:
        yield "ended with a Secret"


def untouched(world: World) -> Iterator[str]:
    """Report unless the foreign Secret is as its owner wrote it."""
    secret = current(world)
    if secret is None or secret.managed or secret.auths != FOREIGN or secret.writer != USER:
        yield f"ended with {secret}"


def attached(world: World, *, ours: bool) -> Iterator[str]:
    """Report unless the ServiceAccount has the foreign entry and, if so, exactly one of ours."""
    expected = ["other", *([SECRET_NAME] if ours else [])]
    if world.entries(ACCOUNT) != expected:
        yield f"ended with imagePullSecrets {world.entries(ACCOUNT)} instead of {expected}"


def put_foreign(world: World) -> None:
    """Let somebody put a Secret of their own in the place of ours."""
    world.cluster.drop_secret(NAMESPACE, USER)
    world.cluster.put_secret(NAMESPACE, auths=dict(FOREIGN))


def delete(world: World) -> None:
    """Let somebody delete the Secret."""
    world.cluster.drop_secret(NAMESPACE, USER)


def opt_in(world: World) -> None:
    """Opt the namespace in."""
    world.opt_in(IRELAND)


def opt_out(world: World) -> None:
    """Opt the namespace out."""
    world.annotate(Status.OPTED_OUT, (), enabled="false")


def change_role(world: World) -> None:
    """Have the tokens fetched as another role."""
    world.opt_in(IRELAND, role_arn=GREEN)


def _opt_in() -> Scenario:
    return Scenario(
        name="opt in",
        actions=[(0.0, lambda world: world.annotate(Status.OPTED_OUT, ())), (_THEN, opt_in)],
        window=(0.0, _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND),
        calls=frozenset({*_LISTS, "watch secrets", _APPLY, _ASK, "create events", "event namespaces", "event secrets"}),
    )


def _start() -> Scenario:
    return Scenario(
        name="start",
        actions=[(0.0, opt_in)],
        window=(0.0, _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND),
        calls=frozenset({*_LISTS, "watch secrets", _APPLY, _ASK, _WHO, "event secrets"}),
    )


def _rotate() -> Scenario:
    return Scenario(
        name="rotate",
        actions=[(0.0, lambda world: world.opt_in(IRELAND, FRANKFURT))],
        window=(6 * HOUR, 6 * HOUR + 12 * MINUTE),
        goal=lambda world: served(world, IRELAND, FRANKFURT),
        calls=frozenset({*_LISTS, _APPLY, _ASK, "event secrets"}),
    )


def _repair() -> Scenario:
    return Scenario(
        name="repair",
        actions=[(0.0, opt_in), (_THEN, delete)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND),
        calls=frozenset({*_LISTS, _APPLY, "event secrets"}),
    )


def _opt_out() -> Scenario:
    return Scenario(
        name="opt out",
        actions=[(0.0, opt_in), (_THEN, opt_out)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=without,
        calls=frozenset({*_LISTS, "delete secrets", "event secrets", "event namespaces"}),
    )


def _conflict() -> Scenario:
    return Scenario(
        name="conflict",
        actions=[(0.0, opt_in), (_THEN, put_foreign), (_THEN + 3 * MINUTE, delete)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND),
        calls=frozenset({*_LISTS, _APPLY, "create events", "event secrets"}),
    )


def _identity() -> Scenario:
    return Scenario(
        name="identity change",
        actions=[(0.0, lambda world: world.opt_in(IRELAND, role_arn=BLUE)), (_THEN, change_role)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND, role=GREEN),
        calls=frozenset({*_LISTS, _APPLY, _ASK, "aws AssumeRole", "event namespaces"}),
        settings=Settings(policy=_ROLES),
        roles=(BLUE, GREEN),
    )


def _make_account(world: World) -> None:
    world.cluster.put_service_account(NAMESPACE, _PULLER, {ROLE_ANNOTATION: BLUE})


def _move_account(world: World) -> None:
    world.cluster.put_service_account(NAMESPACE, _PULLER, {ROLE_ANNOTATION: GREEN})


def _as_account(scenario: Scenario, how: str = "", *, watched: bool = False) -> Scenario:
    """Have the tokens fetched as a ServiceAccount, whose role is watched or read in turn; `how` ends its name."""
    settings = replace(scenario.settings, policy=_ROLES)
    if watched:
        settings = replace(settings, watched_service_accounts=ServiceAccountNames(names=frozenset({_PULLER})))
    return replace(
        scenario,
        name=f"{scenario.name}{how}",
        actions=[(0.0, _make_account), *scenario.actions],
        calls=scenario.calls - {_WHO} | ({"list serviceaccounts"} if watched else set()),
        settings=settings,
        roles=(BLUE, GREEN),
        service_account=_PULLER,
    )


def _account_identity() -> Scenario:
    return Scenario(
        name="ServiceAccount's role changed",
        actions=[(0.0, opt_in), (_THEN, _move_account)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND, role=GREEN),
        calls=frozenset(
            {*_LISTS, _APPLY, _ASK, "get serviceaccounts", "create token", "aws AssumeRoleWithWebIdentity"}
        ),
    )


def _attach() -> Scenario:
    def begin(world: World) -> None:
        world.opt_in(IRELAND)
        world.cluster.put_service_account(NAMESPACE, ACCOUNT, {}, ("other",))

    return Scenario(
        name="attach",
        actions=[(0.0, begin), (_THEN, lambda world: world.opt_in(IRELAND, attach_to_service_accounts=ACCOUNT))],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: (*served(world, IRELAND), *attached(world, ours=True)).__iter__(),
        calls=frozenset({*_LISTS, "list serviceaccounts", "patch serviceaccounts", "event serviceaccounts"}),
        settings=Settings(service_account_attachment=True),
    )


def _detach() -> Scenario:
    scenario = _attach()
    (at, begin), (_, attach) = scenario.actions
    return replace(
        scenario,
        name="detach and opt out",
        actions=[(at, begin), (1.0, attach), (_THEN, opt_out)],
        goal=lambda world: (*without(world), *attached(world, ours=False)).__iter__(),
        calls=frozenset({*_LISTS, "list serviceaccounts", "patch serviceaccounts", "delete secrets"}),
    )


def _reload() -> Scenario:
    before, after = (f"registries: [{', '.join(hosts)}]\n" for hosts in ((IRELAND,), (IRELAND, FRANKFURT)))

    def reload(world: World) -> None:
        world.file.text = after

    return Scenario(
        name="settings reload",
        actions=[(0.0, lambda world: world.annotate(Status.OPTED_IN, (IRELAND,), enabled="true")), (_THEN, reload)],
        window=(_THEN, _THEN + _RELIST + MINUTE),
        goal=lambda world: served(world, IRELAND, FRANKFURT),
        calls=frozenset({*_LISTS, _APPLY, _ASK, "event secrets"}),
        document=before,
    )


def _leadership() -> Scenario:
    def leave(world: World) -> None:
        """Kill whoever leads, and change what is asked for, and as whom, at the same moment."""
        _move_account(world)
        for replica in tuple(world.running.values()):
            if replica.leads():
                replica.kill()
        world.opt_in(IRELAND, FRANKFURT)

    return Scenario(
        name="leadership change",
        actions=[(0.0, opt_in), (_THEN, leave)],
        window=(_THEN - 5, _THEN + 2 * MINUTE),
        goal=lambda world: served(world, IRELAND, FRANKFURT, role=GREEN),
        calls=frozenset({_APPLY, _ASK, "get leases", "patch leases", "event secrets"}),
        settings=Settings(leader_election=True, lease_duration=timedelta(seconds=60)),
        replicas=("a", "b"),
        quiet=_RELIST + MINUTE,
    )


def _as_accounts() -> Iterator[Scenario]:
    """Give the scenarios in which a ServiceAccount's role is read in turn, or watched; attaching some watches all."""
    for build in (_account_identity, _leadership):
        yield _as_account(build())
        yield _as_account(build(), ", watched", watched=True)
    for build in (_start, _opt_out):
        yield _as_account(build(), " as a ServiceAccount")
    for build in (_start, _opt_out, _attach, _detach):
        yield _as_account(build(), " as a ServiceAccount, watched", watched=True)


_BUILDERS = (_start, _opt_in, _rotate, _repair, _opt_out, _conflict, _identity, _attach, _detach, _reload)
SCENARIOS = {scenario.name: scenario for scenario in (*(build() for build in _BUILDERS), *_as_accounts())}
