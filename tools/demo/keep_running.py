"""Keep everything running after the demo until Ctrl-C, and print a kubeconfig and commands to look around with."""

import asyncio
import signal
from pathlib import Path

import yaml
from rich.console import Console

from tools.demo.environment import Environment
from tools.demo.namespaces import DELETED, MISCONFIGURED

_RENEW_SECONDS = 600.0
"""Seconds between two renewals of the pod's ServiceAccount tokens: they live for an hour, and there is no kubelet."""


async def stay_up(environment: Environment, folder: Path, console: Console) -> None:
    """Print how to look around, and wait for Ctrl-C."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(environment.server.kubeconfig()))
    console.print("\n[bold]Everything keeps running until Ctrl-C; tokens live for a minute.[/bold] To look around:\n")
    for command in _commands(environment, kubeconfig):
        # Not wrapped by rich: a command must come out of the terminal's selection as one line.
        console.print(f"  {command}", soft_wrap=True, markup=False)
    console.print(f"\nThe controller's log: {environment.installation.processes[-1].log}", soft_wrap=True, markup=False)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    while not stop.is_set():
        await _renew(environment)
        try:
            await asyncio.wait_for(stop.wait(), _RENEW_SECONDS)
        except TimeoutError:
            continue


async def _renew(environment: Environment) -> None:
    await environment.installation.renew_token()
    await environment.installation.renew_web_identity()


def _commands(environment: Environment, kubeconfig: Path) -> list[str]:
    kubectl = f"kubectl --kubeconfig {kubeconfig}"
    return [
        f"{kubectl} get secrets -A",
        f"{kubectl} describe secret -n shop {environment.installation.secret_name}",
        f"{kubectl} get events -n {MISCONFIGURED}",
        f"{kubectl} annotate namespace {MISCONFIGURED} --overwrite pullkeeper.dev/registries=public.ecr.aws",
        f"{kubectl} annotate namespace default pullkeeper.dev/enabled=true",
        f"{kubectl} delete secret -n {DELETED} {environment.installation.secret_name}",
    ]
