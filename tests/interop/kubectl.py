"""The real kubectl, for commands that a page tells people to type."""

import shlex
from pathlib import Path

import yaml

from tests.interop.network import Outcome, run
from testsupport.installation import Server
from testsupport.interop_tools import Tools
from testsupport.recipes import Step
from testsupport.waiting import until


class RealKubectl:
    """Runs each command as it is written, as the administrator of an API server."""

    def __init__(self, tools: Tools, server: Server, folder: Path) -> None:
        self._tools = tools
        self._folder = folder
        cluster = {"server": server.url, "certificate-authority": server.ca_file}
        config = {
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": server.admin_token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))

    async def run(self, step: Step) -> None:
        """Run one command; a `get` again and again until it prints what the page shows, something or nothing."""
        if step.words[1] != "get":
            outcome = await self._run(step)
            assert outcome.status == 0, outcome.text
            return

        async def as_shown() -> bool:
            outcome = await self._run(step)
            return outcome.status == 0 and bool(outcome.text) is step.prints

        await until(as_shown, f"`{shlex.join(step.words)}` to print {'something' if step.prints else 'nothing'}")

    async def _run(self, step: Step) -> Outcome:
        environment = {**self._tools.environment(), "KUBECONFIG": "kubeconfig", "HOME": str(self._folder)}
        command = [self._tools.path("kubectl"), *step.words[1:]]
        return await run(["env", f"--chdir={self._folder}", *command], environment=environment)
