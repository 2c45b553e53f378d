"""The simulated API server is as strict as a real one where drawn worlds rely on it."""

import pytest

from pullkeeper.domain.config.settings import Settings, parse_settings
from testsupport.simulation.permissions import Permissions
from testsupport.simulation.record import CONTROLLER, SERVER, Record, Status
from testsupport.simulation.scenarios import IRELAND, opted_in, team
from testsupport.simulation.script import Action, act_on, opt_in
from testsupport.simulation.store import SECRET_NAME, RefusedError
from testsupport.simulation.world import Run, World
from testsupport.virtual_time import HOUR, MINUTE

_SECRET = f"/api/v1/namespaces/a/secrets/{SECRET_NAME}"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/pullkeeper-system/leases/pullkeeper"
_ONE = {"fieldSelector": f"metadata.name={SECRET_NAME}"}


@pytest.mark.parametrize(
    ("verb", "path", "query"),
    [
        ("get", "/api/v1/namespaces/a/secrets/other", {}),
        ("list", "/api/v1/secrets", {}),
        ("update", _SECRET, {}),
        ("patch", "/api/v1/namespaces/a", {}),
        ("create", "/api/v1/namespaces/a/serviceaccounts/x/token", {}),
        ("get", _LEASE, {}),
    ],
)
def test_what_the_chart_does_not_grant_is_denied(verb: str, path: str, query: dict[str, str]) -> None:
    """Each denial is recorded, with what was asked for."""
    denied: list[str] = []
    with pytest.raises(RefusedError):
        Permissions(Settings(), denied).check(verb, path, query)
    assert len(denied) == 1


@pytest.mark.parametrize(
    ("verb", "path", "query"),
    [
        ("get", _SECRET, {}),
        ("list", "/api/v1/secrets", _ONE),
        ("create", "/apis/events.k8s.io/v1/namespaces/a/events", {}),
        ("create", "/api/v1/namespaces/a/serviceaccounts/x/token", {}),
        ("get", _LEASE, {}),
    ],
)
def test_what_the_chart_grants_is_counted(verb: str, path: str, query: dict[str, str]) -> None:
    """A right that is used is not reported as one that nothing needs."""
    settings = parse_settings({"leaderElection": True, "serviceAccountIdentity": {"namespaces": ["*"]}}, {})
    permissions = Permissions(settings, [])
    permissions.check(verb, path, query)
    assert sum(permissions.uses().values()) == 1


def test_an_apply_that_creates_needs_the_right_to_create() -> None:
    """With it the first write of a Secret counts for two rights, and the next for one."""
    world = World(Run(seed=1, end=8 * HOUR, actions=opted_in(1), with_permissions=True))
    world.finish()
    assert world.permissions is not None
    uses = {name: count for name, count in world.permissions.uses().items() if "secrets" in name}
    assert [uses[f"{verb} secrets named {SECRET_NAME} everywhere"] for verb in ("create", "patch")] == [1, 2]


def test_a_restore_puts_objects_and_versions_back() -> None:
    """The controller observes everything anew, and what was made since is asked for no more."""
    actions = [
        *opted_in(1),
        act_on(HOUR, "back-up", ""),
        opt_in(HOUR + MINUTE, "new", IRELAND),
        act_on(2 * HOUR, "edit", team(0)),
        act_on(3 * HOUR, "restore", ""),
    ]
    record = _record(actions, 4 * HOUR)
    restored = [each for each in record.secrets[team(0)] if each.writer == SERVER]
    assert [(each.at, each.resource_version) for each in restored] == [
        (3 * HOUR, record.secrets[team(0)][0].resource_version)
    ]
    assert record.namespaces["new"][-1].status is Status.DELETED
    assert record.happened["restore"] == 1
    assert any("resourceVersions went back" in line.text for line in record.log_lines)


def test_a_revoked_token_is_replaced_where_its_registry_is_asked() -> None:
    """Registries refuse what was issued before, and accept the next one."""
    settings = parse_settings({"verify": "continuous", "verifyInterval": "15m"}, {})
    actions = [*opted_in(1), Action(at=HOUR, do="revoke", name="", text="eu-west-1")]
    record = _record(actions, 2 * HOUR, settings)
    assert record.happened["token refused by its registry"] > 0
    last = record.secrets[team(0)][-1]
    assert (last.writer, last.at > HOUR, record.issued[last.auths[IRELAND]].at > HOUR) == (CONTROLLER, True, True)


def _record(actions: list[Action], end: float, settings: Settings | None = None) -> Record:
    world = World(Run(seed=1, end=end, actions=actions, settings=settings or Settings()))
    world.finish()
    return world.record
