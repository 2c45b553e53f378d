"""Invalid annotations are reported with every problem at once and harm nobody."""

import pytest

from testsupport.installation import FAST_ROTATION, IRELAND, VIRGINIA, Installation, auths


async def test_every_problem_of_a_namespace_stands_in_one_event(installation: Installation) -> None:
    """The one Event names every problem: what was found, where, and what is expected."""
    await installation.start()
    team = await installation.create_namespace(
        enabled="yes", registries=f"https://{IRELAND}/app,nonsense", role_arn="x", enable="true"
    )
    event = await installation.event(team, "InvalidAnnotation")
    assert event["type"] == "Warning"
    for part in (
        'pullkeeper.dev/enabled: found "yes", expected "true" or "false"',
        f'pullkeeper.dev/registries: found "https://{IRELAND}/app", expected only the host, in lower case: "{IRELAND}"',
        'pullkeeper.dev/registries: found "nonsense", expected "ACCOUNT.dkr.ecr.REGION.amazonaws.com"',
        "pullkeeper.dev/enable: found a key that this version does not know",
        'pullkeeper.dev/role-arn: found "x", expected "arn:PARTITION:iam::ACCOUNT:role/NAME"',
    ):
        assert part in event["note"], event["note"]
    assert len(await installation.events(team)) == 1
    assert await installation.secret(team) is None


async def test_namespace_without_any_registry_is_reported(installation: Installation) -> None:
    """Where neither the namespace nor the installation names a registry, the Event says what to write."""
    await installation.start({"registries": []})
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "InvalidAnnotation")
    assert "no default in the settings" in event["note"]


@pytest.mark.usefixtures("short_lived")
async def test_invariant_10_bad_input_harms_nobody_else_and_not_even_its_owner(installation: Installation) -> None:
    """An annotation that breaks leaves the Secret rotating with what it has; mended, it counts at once."""
    process = await installation.start(FAST_ROTATION)
    async with installation.recording() as recorder:
        team, other = [await installation.create_namespace(enabled="true") for _ in range(2)]
        first = await recorder.created(team)
        await installation.annotate(team, registries="nonsense")
        await installation.event(team, "InvalidAnnotation")
        for name in (team, other):
            rotated = await recorder.wait(name, lambda version: version.expires_at > first.expires_at)
            assert list(auths(rotated.secret)) == [IRELAND]
        assert await process.metric("pullkeeper_namespaces", state="misconfigured") == 1
        await installation.annotate(team, registries=VIRGINIA)
        await recorder.wait(team, lambda version: list(auths(version.secret)) == [VIRGINIA])

    await process.until_metric(2, "pullkeeper_namespaces", state="ready")


async def test_one_failing_region_does_not_delay_the_others(installation: Installation) -> None:
    """The registries of other regions are written and the one that fails is added when it can be had."""
    await installation.start()
    fault = installation.aws.throttle(operation="GetAuthorizationToken", region="us-east-1")
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        first = await recorder.created(team)
        assert list(auths(first.secret)) == [IRELAND]
        await installation.event(team, "TokenFetchFailed")
        fault.clear()
        await recorder.wait(team, lambda version: len(auths(version.secret)) == 2)
