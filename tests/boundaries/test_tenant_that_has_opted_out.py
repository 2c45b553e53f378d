"""What a tenant costs that has opted out and goes on writing Secrets that look like ours."""

from collections import Counter

from testsupport.boundaries.scenarios import IRELAND, opt_in, opt_out
from testsupport.boundaries.world import NAMESPACE, Scenario, World
from testsupport.simulation.record import USER
from testsupport.virtual_time import MINUTE

_BEGUN, _SECONDS = MINUTE, 600
_MOST_DELETIONS = 30
"""A few at once, and then as the pauses before repairs allow: up to a minute each."""


def _write_one(world: World) -> None:
    world.cluster.put_secret(NAMESPACE, managed=True, auths={IRELAND: "bWluZTphbGw="})


def test_each_deletion_costs_one_read_of_one_namespace() -> None:
    """Each Secret is newer than what is known of the Namespace; nobody else's Namespace is listed for it."""
    world = World(
        Scenario(
            name="opted out",
            actions=[(0.0, opt_in), (_BEGUN / 2, opt_out), *((_BEGUN + at, _write_one) for at in range(_SECONDS))],
            window=(0.0, 0.0),
            goal=lambda _: iter(()),
            calls=frozenset(),
            quiet=0.0,
        ),
        {},
    )
    world.finish()
    costs = Counter(
        request.verb if request.verb != "list" else request.path.rpartition("/")[2]
        for request in world.record.requests
        if _BEGUN <= request.at < _BEGUN + _SECONDS
    )
    assert world.record.secrets[NAMESPACE][-1].writer != USER
    assert 3 < costs["delete"] < _MOST_DELETIONS
    assert costs["namespaces"] <= costs["delete"] + 1  # and one listing of all, for the relist
    assert costs["secrets"] <= 1
