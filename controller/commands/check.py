"""`pullkeeper check`: the doctor. It looks at every precondition, each for itself, and changes nothing."""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from controller.commands import logs
from controller.commands.aws_probes import AwsProbes
from controller.commands.cluster_probes import ClusterProbes
from controller.commands.config import add_config, config_from
from controller.commands.login import add_login, logged_in
from controller.core import checklist
from controller.core.checklist import Item, Probe, failed, not_asked, passed
from controller.core.problem import InvalidInputError
from controller.core.reasons import FailureError
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer
from controller.doors.inquiry import Inquiry

_PATIENCE = 12.0
"""Seconds for each question; all are asked at once, so this is about how long the whole takes at most."""

_REST = "rights, lists and Lease"


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    add_login(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to write the findings")


def main(options: argparse.Namespace) -> int:
    """Print one line for each precondition; 1 where one is not met."""
    logs.set_up(form="text", level="error")  # what the libraries would warn of is among the findings
    items = asyncio.run(_examined(options))
    print(json.dumps(checklist.as_document(items), indent=2) if options.output == "json" else checklist.as_text(items))
    return 0 if checklist.well(items) else 1


async def _examined(options: argparse.Namespace) -> list[Item]:
    settings, items = _settings(options)
    async with AsyncExitStack() as stack:
        probes: list[tuple[str, Probe]] = []
        try:
            connection = await stack.enter_async_context(logged_in(options))
            probes += _of_the_cluster(connection, settings)
        except FailureError as error:
            items += [failed("API server", str(error)), not_asked(_REST, "there is no way to log in")]
        probes += AwsProbes(settings or Settings(), os.environ, clock=_now).all()
        found = await asyncio.gather(*(bounded(what, probe) for what, probe in probes))
    return [*items, *(item for part in found for item in part)]


def _of_the_cluster(connection: ApiServer, settings: Settings | None) -> list[tuple[str, Probe]]:
    async def version() -> Sequence[Item]:
        return [passed("API server", f"answers, version {await Inquiry(connection).version()}")]

    async def nothing() -> Sequence[Item]:
        return [not_asked(_REST, "the settings cannot be read")]

    rest = ClusterProbes(connection, settings, clock=_now).all() if settings else [(_REST, nothing)]
    return [("API server", version), *rest]


def _settings(options: argparse.Namespace) -> tuple[Settings | None, list[Item]]:
    where = options.config or "the defaults, and the environment"
    try:
        settings = config_from(options.config).settings
    except InvalidInputError as error:
        return None, [failed("settings", str(problem)) for problem in error.problems]
    return settings, [passed("settings", f"{where}: valid")]


async def bounded(what: str, probe: Probe) -> Sequence[Item]:
    """Look at one precondition; whatever goes wrong with it is its own finding, and hides no other."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await probe()
    except FailureError as error:
        return [failed(what, str(error))]
    except TimeoutError:
        fix = "check DNS and egress from here: NetworkPolicy, proxy, VPC endpoint"
        return [failed(what, f"no answer within {_PATIENCE:.0f} s", fix)]
    except Exception as error:  # noqa: BLE001 -- an answer may hold anything, and the other findings count all the same
        return [failed(what, f"the answer cannot be read ({type(error).__name__})", "check what stands in between")]


def _now() -> datetime:
    return datetime.now(UTC)
