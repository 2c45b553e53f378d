"""Connection of a command to the API server, with the caller's own credentials."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pullkeeper.adapters.kubernetes.client import KubeClient, connect


@asynccontextmanager
async def connected(options: argparse.Namespace) -> AsyncIterator[KubeClient]:
    """Connect by --kubeconfig, KUBECONFIG or the pod's ServiceAccount; raises FailureError without credentials."""
    kubeconfig = options.kubeconfig or os.environ.get("KUBECONFIG") or None
    client = await connect(kubeconfig=kubeconfig, context=options.context, record_request=_ignore_request)
    try:
        yield client
    finally:
        await client.close()


def _ignore_request(verb: str, resource: str, status: int) -> None:
    """Record nothing: a command has no metrics."""
