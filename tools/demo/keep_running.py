"""After the show, for who wants to look around: a kubeconfig, the commands, and everything left up until Ctrl-C."""

import asyncio
import signal
from pathlib import Path

import yaml
from rich.console import Console

from tools.demo.environment import Stage
from tools.demo.namespaces import DELETED, MISCONFIGURED

_RENEW_SECONDS = 600.0
"""The pod's ServiceAccount tokens live for an hour; the kubelet, which would renew them, is not played."""


async def stay_up(stage: Stage, folder: Path, console: Console) -> None:
    """Print how to look around, and wait for Ctrl-C."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(stage.server.kubeconfig()))
    console.print("\n[bold]It stays up, with tokens of a minute, until Ctrl-C.[/bold] To look around:\n")
    for command in _commands(stage, kubeconfig):
        # Not wrapped by rich: a command must come out of the terminal's selection as one line.
        console.print(f"  {command}", soft_wrap=True, markup=False)
    console.print(f"\nThe controller's log: {stage.installation.processes[-1].log}", soft_wrap=True, markup=False)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    while not stop.is_set():
        await _renew(stage)
        try:
            await asyncio.wait_for(stop.wait(), _RENEW_SECONDS)
        except TimeoutError:
            continue


async def _renew(stage: Stage) -> None:
    await stage.installation.renew_token()
    await stage.installation.renew_web_identity()


def _commands(stage: Stage, kubeconfig: Path) -> list[str]:
    kubectl = f"kubectl --kubeconfig {kubeconfig}"
    return [
        f"{kubectl} get secrets -A",
        f"{kubectl} describe secret -n shop {stage.installation.secret_name}",
        f"{kubectl} get events -n {MISCONFIGURED}",
        f"{kubectl} annotate namespace {MISCONFIGURED} --overwrite pullkeeper.dev/registries=public.ecr.aws",
        f"{kubectl} annotate namespace default pullkeeper.dev/enabled=true",
        f"{kubectl} delete secret -n {DELETED} {stage.installation.secret_name}",
    ]
