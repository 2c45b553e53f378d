"""How a command beside `run` reaches the cluster: as whoever calls it."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pullkeeper.adapters.kubernetes.client import KubeClient, connect


def add_login(parser: argparse.ArgumentParser) -> None:
    """Let a command choose its login, as kubectl does."""
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="log in with this kubeconfig (default: KUBECONFIG, else as the pod that this is)",
    )
    parser.add_argument("--context", metavar="NAME", help="the kubeconfig's context to use")


@asynccontextmanager
async def logged_in(options: argparse.Namespace) -> AsyncIterator[KubeClient]:
    """Give a connection to the API server; raises FailureError where there is no way to log in."""
    kubeconfig = options.kubeconfig or os.environ.get("KUBECONFIG") or None
    connection = await connect(kubeconfig=kubeconfig, context=options.context, observe=_uncounted)
    try:
        yield connection
    finally:
        await connection.close()


def _uncounted(verb: str, resource: str, status: int, seconds: float) -> None:
    """A command has no metrics."""
