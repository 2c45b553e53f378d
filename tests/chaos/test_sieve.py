"""Sieve's three patterns, at each step of the controller: it ends as without them, with no invariant broken.

Stale state: a replica that sees an old version of everything becomes the leader. Unobserved state: what comes and goes
is not seen. Intermediate state: the process is killed when a write has been carried out, and before it knows.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from tests.chaos.conftest import STEPS, Stage, reached
from testsupport.fault_proxy import Fault, FaultProxy, Request
from testsupport.installation import FAST_ROTATION, IRELAND, SHORT_LIFE
from testsupport.replicas import replicas
from testsupport.service_accounts import ON
from testsupport.waiting import until

MOST_ATTEMPTS = 40
"""Writes of one Secret from a stale view; without a pause between them there would be thousands."""
WRITTEN = {
    "first_secret": ("PATCH", "secrets"),
    "rotation": ("PATCH", "secrets"),
    "opt_out": ("DELETE", "secrets"),
    "repair": ("PATCH", "secrets"),
    "attach": ("PATCH", "serviceaccounts"),
}


async def test_without_a_fault_every_step_ends_as_it_should(stage: Stage) -> None:
    """What the patterns are compared with."""
    await stage.installation.start(ON)
    await stage.prepare()
    for step in STEPS:
        await stage.do(step)
    await stage.until_states(stage.done())


async def test_a_leader_that_sees_the_past_changes_nothing_that_is_newer(stage: Stage) -> None:
    """It tries, because all that it sees is due; every try names a version that is not there any more."""
    installation, seen = stage.installation, stage.proxy("two")
    installation.aws.lifetime = SHORT_LIFE
    async with replicas(installation, **FAST_ROTATION, **ON, leaseDuration="6s") as pair:
        await pair.start("one")
        await pair.leader("one")
        installation.server = seen
        await pair.start("two")
        await until(
            partial(_watches, seen, "/api/v1/secrets", "/api/v1/namespaces"), "the second replica's watches to be open"
        )
        await stage.prepare()
        await stage.until_seen(seen.view)
        seen.view.freeze((await installation.api.get("/api/v1/secrets", limit=1)).ok()["metadata"]["resourceVersion"])
        for step in STEPS:
            await stage.do(step)
        await stage.until_states(stage.done())
        pair.running["one"].kill()
        await pair.leader("two")
        for step in ("rotation", "opt_out", "repair"):
            await until(partial(_tried, stage, step), f"a write from the stale view: {step}")
        assert stage.judge.broken == []
        assert {step: await stage.state(step) for step in ("opt_out", "attach")} == {
            step: stage.done()[step] for step in ("opt_out", "attach")
        }
        assert max(_attempts(stage, step) for step in STEPS) < MOST_ATTEMPTS
        seen.view.thaw()
        # Once this is served, every opt-out has been seen; what was written just before is taken back.
        await installation.create_served_namespace("thawed")
        await stage.until_states(stage.done())


async def test_a_leader_with_a_late_watch_of_a_single_namespace_deletes_no_secret_that_is_wanted(stage: Stage) -> None:
    """With `watchNamespaces` each Namespace has a watch of its own, which may lag behind that of its Secret as well."""
    installation, late = stage.installation, stage.proxy("two")
    name = await installation.create_namespace()
    await installation.grant_within(name)
    watch = f"/api/v1/watch/namespaces/{name}"
    async with replicas(installation, watchNamespaces=[name], leaseDuration="6s", relistInterval="1h") as pair:
        await pair.start("one")
        await pair.leader("one")
        installation.server = late
        await pair.start("two")
        held = Fault(when=lambda request: request.path == watch, delay=3600)
        late.add(held)
        late.drop()
        await until(partial(_spent, held), "the second replica's watch of the Namespace to be held up")
        # What it lists when it begins anew is no event that would tell that it has seen the Secret.
        await until(partial(_watches, late, f"/api/v1/namespaces/{name}/secrets"), "its watch of Secrets to be open")
        stage.judge.wanted[name] = frozenset({IRELAND})
        await installation.annotate(name, enabled="true")
        await until(partial(_has_seen_secret, stage, late, name), "the second replica to have seen the Secret")
        reads = partial(late.requests.count, f"GET /api/v1/namespaces/{name}")
        read_before = reads()
        pair.running["one"].kill()
        await until(partial(_more, reads, read_before), "the second replica to read the Namespace")
        stage.judge.expect_deletion(name)
        (await installation.api.delete(installation.path(name))).ok()
        await until(partial(installation.secret, name), "the Secret to be back, by what was read")
        assert f"DELETE {installation.path(name)}" not in late.requests


async def test_what_came_and_went_unseen_leaves_nothing_behind(stage: Stage) -> None:
    """Each step is asked for and undone while no event arrives; the end is as if neither had happened."""
    view = stage.proxy("one").view
    await stage.installation.start(ON)
    await stage.prepare()
    before = {step: await stage.state(step) for step in STEPS}
    view.open_gap()
    for step in STEPS:
        await stage.do(step)
        await stage.undo(step)
    await stage.until_seen(view)
    assert await view.close_gap() >= len(STEPS)
    await stage.until_states(before)


async def test_of_many_changes_the_last_one_counts(stage: Stage) -> None:
    """Each step is asked for, undone, and asked for again, and only the last is seen."""
    view = stage.proxy("one").view
    await stage.installation.start(ON)
    await stage.prepare()
    view.open_gap()
    for step in STEPS:
        await stage.do(step)
        await stage.undo(step)
        await stage.do(step)
    await stage.until_seen(view)
    assert await view.close_gap() >= 2 * len(STEPS)
    await stage.until_states(stage.done())


async def test_killed_between_a_write_and_its_answer(stage: Stage) -> None:
    """At each step in turn; the next process finds it done, and writes nothing once more."""
    process = await stage.installation.start(ON)
    await stage.prepare()
    for step in STEPS:
        stage.proxy("one").add(Fault(when=partial(_writes, stage, step), unanswered=process.kill))
        await stage.do(step)
        await asyncio.to_thread(process.popen.wait)
        written = await stage.versions(step)
        process = await stage.installation.start(ON)
        await stage.until_states({step: stage.done()[step]})
        assert await stage.versions(step) == written, f"{step} was done once more"
    await stage.until_states(stage.done())


def _writes(stage: Stage, step: str, request: Request) -> bool:
    """Select the write that carries a step out."""
    method, resource = WRITTEN[step]
    return request.method == method and f"/namespaces/{stage.namespaces[step]}/{resource}/" in request.path


async def _spent(fault: Fault) -> bool:
    return fault.times <= 0


async def _more(count: Callable[[], int], before: int) -> bool:
    return count() > before


async def _has_seen_secret(stage: Stage, proxy: FaultProxy, name: str) -> bool:
    secret = await stage.installation.secret(name)
    return secret is not None and reached(proxy.view, secret["metadata"])


async def _watches(proxy: FaultProxy, *paths: str) -> bool:
    return proxy.watched().issuperset(paths)


def _attempts(stage: Stage, step: str) -> int:
    """Count the second replica's writes of a Secret."""
    return stage.proxy("two").requests.count(f"PATCH {stage.installation.path(stage.namespaces[step])}")


async def _tried(stage: Stage, step: str) -> bool:
    return _attempts(stage, step) > 0
