"""Run the server alone: `python -m testsupport.fake_kube --kubeconfig-out FILE [--port N]`."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from testsupport.fake_kube.server import serve


async def run(kubeconfig: Path, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serve(port=port) as server:
        await asyncio.to_thread(kubeconfig.write_text, json.dumps(server.kubeconfig(), indent=2))
        sys.stdout.write(f"Kubernetes API at {server.url}, kubeconfig in {kubeconfig}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m testsupport.fake_kube", description=__doc__)
    parser.add_argument("--kubeconfig-out", type=Path, required=True, help="where to write the admin's kubeconfig")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one by default")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.kubeconfig_out, arguments.port))


if __name__ == "__main__":
    main()
