"""`python -m testsupport.fake_aws`: the fake alone, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from datetime import timedelta
from typing import Final

from testsupport.fake_aws.server import serve

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


def duration(text: str) -> timedelta:
    """Give a length of time such as 60, 60s, 5m or 12h."""
    match = re.fullmatch(r"(\d+)([smh]?)", text, re.ASCII)
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time such as 60s, 5m or 12h")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m testsupport.fake_aws", description="A fake of ECR, ECR Public and STS."
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--lifetime", type=duration, default="12h", help="of the tokens: 60s, 5m, 12h")
    return parser


async def run(port: int, lifetime: timedelta) -> None:
    """Serve until a signal comes; one line on standard output says where."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(port=port) as fake:
        fake.lifetime = lifetime
        print(f"AWS fake at {fake.url} (tokens live {lifetime}; control at {fake.url}/_fake/state)", flush=True)
        await stop.wait()


if __name__ == "__main__":
    arguments = _parser().parse_args()
    asyncio.run(run(arguments.port, arguments.lifetime))
