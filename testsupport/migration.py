"""Migration of a namespace from another tool by a recipe of docs/migrating.md, and what must hold meanwhile."""

from typing import Protocol

from testsupport.competing_tools import CompetingTool, CronJob, ExternalSecrets, LoginRenew, RegistryCreds
from testsupport.installation import FAST_ROTATION, IRELAND, Installation, auths
from testsupport.recipes import Step, recipe
from testsupport.secret_recorder import SecretRecorder, Version

RECIPES: dict[str, type[CompetingTool]] = {
    "From a cron job": CronJob,
    "From k8s-ecr-login-renew": LoginRenew,
    "From registry-creds": RegistryCreds,
    "From External Secrets": ExternalSecrets,
}


class Runner(Protocol):
    """Runs commands: kubectl, or its requests."""

    async def run(self, step: Step) -> None:
        """Run a step to its end."""
        ...


async def move(installation: Installation, heading: str, kubectl: Runner) -> None:
    """Run a recipe and check that the Secret stays the same object, always holds a valid token, and then rotates."""
    await installation.start(FAST_ROTATION)
    team = await installation.create_namespace()
    tool = tool_in(installation, team, RECIPES[heading])
    async with installation.recording() as recorder:
        await tool.renew()
        await follow(kubectl, recipe(heading, names_of(installation, team)), tool)
        assert not tool.active
        last = await rotated(recorder, team)
        assert_no_gap(installation, recorder.of(team))
    assert {version.uid for version in recorder.of(team)} == {last.uid}
    assert list(auths(last.secret)) == [IRELAND]
    assert not last.secret["metadata"].get("ownerReferences")


def tool_in(installation: Installation, team: str, kind: type[CompetingTool], name: str = "") -> CompetingTool:
    """Return a tool that keeps a Secret in the namespace, by default under our name."""
    name = name or installation.secret_name
    return kind(installation.api, installation.aws, namespace=team, name=name, host=IRELAND)


async def follow(kubectl: Runner, steps: list[Step], tool: CompetingTool) -> None:
    """Run a recipe; between two steps the other tool writes, until it is stopped."""
    for step in steps:
        if tool.active:
            await tool.renew()
        await (kubectl.run(step) if step.on_a_kind_of_ours() else tool.told(step.words))


def assert_no_gap(installation: Installation, versions: list[Version]) -> None:
    """Fail unless each version holds a token that stays valid until the next version."""
    expiries = {token.authorization_token: token.expires_at for token in installation.aws.tokens}
    assert versions
    assert {version.kind for version in versions} <= {"ADDED", "MODIFIED"}
    for version, after in zip(versions, [*versions[1:], versions[-1]], strict=True):
        held = {host.removeprefix("https://"): auth for host, auth in auths(version.secret).items()}
        assert expiries[held[IRELAND]] > after.seen_at


def names_of(installation: Installation, team: str) -> dict[str, str]:
    """Map the page's names to the test's."""
    return {"team-a": team, "regcred": installation.secret_name}


async def rotated(recorder: SecretRecorder, team: str) -> Version:
    """Wait until Pullkeeper replaces a token of its own, and return that version."""
    ours = await recorder.wait(team, lambda version: "pullkeeper.dev/expires-at" in version.annotations)
    return await recorder.wait(
        team,
        lambda version: "pullkeeper.dev/expires-at" in version.annotations and version.expires_at > ours.expires_at,
    )
