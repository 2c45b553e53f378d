"""kopf with an empty handler for Namespaces: what a restart of the controller is measured against.

It says `ready` when kopf has handed over as many Namespaces as there are, and goes on until it is ended.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import kopf


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.bare_kopf", description=__doc__)
    for name in ("server", "ca-file", "token-file"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--namespaces", type=int, required=True)
    arguments = parser.parse_args()
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 250  # as the controller's
    asyncio.run(kopf.operator(registry=_registry(arguments), settings=settings, clusterwide=True, standalone=True))


def _registry(arguments: argparse.Namespace) -> kopf.OperatorRegistry:
    handlers, missing = kopf.OperatorRegistry(), {"namespaces": arguments.namespaces}
    token = Path(arguments.token_file).read_text().strip()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=arguments.server, ca_path=arguments.ca_file, scheme="Bearer", token=token)

    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def handle(**_: Any) -> None:
        missing["namespaces"] -= 1
        if missing["namespaces"] == 0:
            print("ready", flush=True)

    return handlers


if __name__ == "__main__":
    main()
