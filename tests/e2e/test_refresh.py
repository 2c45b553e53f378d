"""`pullkeeper refresh`: somebody with a right to the Namespace asks for a fresh token, and is told when it is there."""

import re

import pytest

from testsupport.access import create_user, rule
from testsupport.command_line import CommandResult, kubeconfig, pullkeeper
from testsupport.installation import Installation, auths

pytestmark = pytest.mark.slow

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"


async def refresh(installation: Installation, team: str, *arguments: str, token: str = "") -> CommandResult:
    options = ("--context", "here", "--secret-name", installation.secret_name, "-n", team)
    environment = {"KUBECONFIG": kubeconfig(installation, token)}
    return await pullkeeper(installation, "refresh", *options, *arguments, environment=environment)


async def test_refresh_reports_the_fresh_token(installation: Installation) -> None:
    """With a right to get and patch the one Namespace, and to see the metadata of its pull Secret, and no more."""
    await installation.start()
    team = await installation.create_served_namespace()
    before = await installation.secret(team)
    rights = (
        rule("secrets", "list", name=installation.secret_name),
        rule("namespaces", "patch", name=team),
        rule("namespaces", "get", name=team),
    )
    tenant = await create_user(installation.api, team, *rights)
    ended = await refresh(installation, team, token=tenant.token or "")
    said = rf"namespace/{team}: refreshed in \d+\.\d s: issued {MOMENT}, valid until {MOMENT}\n"
    assert (ended.status, ended.err) == (0, "")
    assert re.fullmatch(said, ended.out)
    after = await installation.secret(team)
    assert before is not None
    assert after is not None
    assert auths(after) != auths(before)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    value = after["metadata"]["annotations"]["pullkeeper.dev/refresh-requested-at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ-[0-9a-f]{6}", value)


async def test_refresh_reports_the_controllers_warning(installation: Installation) -> None:
    """A warning that comes after the request is its answer."""
    await installation.start()
    team = await installation.create_served_namespace()
    installation.aws.deny(operation="GetAuthorizationToken")
    ended = await refresh(installation, team)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(
        f"namespace/{team}: not refreshed: AccessDenied: ECR refused GetAuthorizationToken for "
    )
    assert 'allow ecr:GetAuthorizationToken on "*" to that role' in ended.err


async def test_without_a_controller_the_wait_ends(installation: Installation) -> None:
    """After the time that was given, with what to look for."""
    team = await installation.create_namespace(enabled="true")
    ended = await refresh(installation, team, "--timeout", "0.3")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"namespace/{team}: not refreshed within 0.3 s; there is no warning: check that the controller is running; "
        "the request remains and is answered as soon as possible\n"
    )


async def test_refresh_without_success_reports_the_last_warning(installation: Installation) -> None:
    """It may be older than the request: what repeats is not posted anew each time."""
    process = await installation.start()
    team = await installation.create_namespace(enabled="true", registries="nonsense")
    await installation.event(team, "InvalidAnnotation")
    await process.stop()
    ended = await refresh(installation, team, "--timeout", "0.3")
    assert ended.status == 1
    assert re.search(r"; last warning, \d+s ago: InvalidAnnotation: pullkeeper\.dev/registries: found", ended.err)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({}, "not opted in: annotate it with pullkeeper.dev/enabled=true"),
        ({"enabled": "false"}, "not opted in: annotate it with pullkeeper.dev/enabled=true"),
        (None, "there is no such namespace"),
    ],
)
async def test_refresh_writes_nothing_where_no_controller_would_answer(
    installation: Installation, annotations: dict[str, str] | None, words: str
) -> None:
    """That is told at once."""
    team = "no-such-namespace" if annotations is None else await installation.create_namespace(**annotations)
    ended = await refresh(installation, team)
    assert (ended.status, ended.out, ended.err) == (1, "", f"namespace/{team}: {words}\n")
    answer = await installation.api.get(f"/api/v1/namespaces/{team}")
    assert "pullkeeper.dev/refresh-requested-at" not in (answer.body["metadata"].get("annotations") or {})


async def test_without_the_right_to_the_namespace_it_says_so(installation: Installation) -> None:
    """The controller's own rights are not used, nor would they do."""
    team = await installation.create_namespace(enabled="true")
    ended = await refresh(installation, team, token=(installation.folder / "token").read_text())
    assert (ended.status, ended.out) == (1, "")
    assert f"the API server refused to get Namespace {team} (403): grant get on namespaces" in ended.err
