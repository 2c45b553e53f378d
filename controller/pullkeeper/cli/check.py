"""`pullkeeper check`: the doctor. It looks at every precondition, each for itself, and changes nothing."""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer
from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.app import log_setup
from pullkeeper.app.config_loader import add_config, config_from
from pullkeeper.cli.checks_aws import AwsChecks
from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.cli.login import add_login, logged_in
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.views import check_result
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped

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
    log_setup.configure_logging(form="text", level="error")  # what the libraries would warn of is among the findings
    items = asyncio.run(_examined(options))
    print(
        json.dumps(check_result.as_document(items), indent=2)
        if options.output == "json"
        else check_result.as_text(items)
    )
    return 0 if check_result.all_passed(items) else 1


async def _examined(options: argparse.Namespace) -> list[CheckResult]:
    settings, items = _settings(options)
    async with AsyncExitStack() as stack:
        probes: list[tuple[str, Check]] = []
        try:
            connection = await stack.enter_async_context(logged_in(options))
            probes += _of_the_cluster(connection, settings)
        except FailureError as error:
            items += [failed("API server", str(error)), skipped(_REST, "there is no way to log in")]
        probes += AwsChecks(settings or Settings(), os.environ, clock=_now).all()
        found = await asyncio.gather(*(bounded(what, probe) for what, probe in probes))
    return [*items, *(item for part in found for item in part)]


def _of_the_cluster(connection: KubeClient, settings: Settings | None) -> list[tuple[str, Check]]:
    async def version() -> Sequence[CheckResult]:
        return [passed("API server", f"answers, version {await AccessReviewer(connection).version()}")]

    async def nothing() -> Sequence[CheckResult]:
        return [skipped(_REST, "the settings cannot be read")]

    rest = KubernetesChecks(connection, settings, clock=_now).all() if settings else [(_REST, nothing)]
    return [("API server", version), *rest]


def _settings(options: argparse.Namespace) -> tuple[Settings | None, list[CheckResult]]:
    where = options.config or "the defaults, and the environment"
    try:
        settings = config_from(options.config).settings
    except InvalidInputError as error:
        return None, [failed("settings", str(problem)) for problem in error.problems]
    return settings, [passed("settings", f"{where}: valid")]


async def bounded(what: str, probe: Check) -> Sequence[CheckResult]:
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
