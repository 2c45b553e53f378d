"""The judgement on one run: the invariants at every moment, the end that was asked for, and no write after it."""

from collections.abc import Callable, Iterator

from pullkeeper.domain.kube.api import FORBIDDEN
from testsupport.boundaries.journal import Plan
from testsupport.boundaries.server import READING
from testsupport.boundaries.world import Outcome, Scenario, World
from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.record import Record
from testsupport.simulation.store import SECRET_NAME

AT_EVERY_MOMENT: tuple[Callable[[Record], Iterator[str]], ...] = (
    check_tokens.never_stale,
    check_tokens.never_worse,
    check_tokens.token_is_only_in_the_secret,
    check_objects.only_ours,
    check_objects.in_place,
    check_objects.deletes_just_what_was_seen,
    check_objects.bad_input_creates_nothing,
)


def judge(scenario: Scenario, plan: Plan) -> Outcome:
    """Run a scenario with these faults and return everything that is wrong."""
    world = World(scenario, plan)
    world.finish()
    wrong = [*world.wrong, *_not_met(world, plan), *hands_off(world.record)]
    wrong += [f"{check.__name__}: {each}" for check in AT_EVERY_MOMENT for each in check(world.record)]
    wrong += [*scenario.goal(world), *_restless(world)]
    return Outcome(crossings=tuple(world.journal.crossings), wrong=tuple(wrong), writes=len(world.writes(0)))


def hands_off(record: Record) -> Iterator[str]:
    """Report each request that would change what the controller never changes: a Namespace above all."""
    for request in record.requests:
        match request.verb, request.path.split("/")[3:]:
            case verb, _ if verb in READING:
                continue
            case "patch" | "delete", ["namespaces", _, "secrets", name] if name == SECRET_NAME:
                continue
            case "patch", ["namespaces", _, "serviceaccounts", _] | [_, "namespaces", _, "leases", _]:
                continue
            case "create", ["namespaces", _, "serviceaccounts", _, "token"]:
                continue
            case _, [_, "namespaces", _, "events", *_]:
                continue
        yield f"{request.verb} {request.path}"


def _not_met(world: World, plan: Plan) -> Iterator[str]:
    for number in plan.keys() - world.journal.met:
        yield f"the run never came to point {number}"


def _restless(world: World) -> Iterator[str]:
    for request in world.writes(world.settled_at):
        if world.scenario.is_obstructed and (request.status >= FORBIDDEN or "/events/" in request.path):
            continue
        yield f"still writes at {request.at:.0f}: {request.verb} {request.path} ({request.status})"
