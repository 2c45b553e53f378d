"""`pullkeeper check`: check each precondition of the controller independently, without changing anything."""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer
from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.app import log_setup
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.check_issuer import CHECK as ISSUER
from pullkeeper.cli.check_issuer import check_issuer
from pullkeeper.cli.checks_aws import AwsChecks
from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.cli.found_settings import NAME_THEM, FoundSettings, find_settings, settings_of_file
from pullkeeper.cli.options import add_output, add_settings
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.views import check_result, explanation
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped, warned

_CHECK_TIMEOUT = 12.0
"""Seconds per check; all checks run at once, so the command takes little longer than this."""

_SETTINGS = "settings"
_API_SERVER = "API server"
_REMAINING = "permissions, Namespaces, Secrets and Lease"

EXAMPLES = (
    "",
    "-v --context prod",
    "--installation pullkeeper-system/pullkeeper -o json",
    "--explain AccessDenied",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_settings(parser)
    add_output(parser, ("text", "json"))
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show every result in full, not only what needs somebody"
    )
    parser.add_argument(
        "--explain",
        metavar="REASON",
        help="explain a reason that a log line, an Event or a metric names (or all), and check nothing",
    )


def main(options: argparse.Namespace) -> int:
    """Print the result of every check; the exit status is 1 if one failed. Or explain a reason."""
    if options.explain is not None:
        return _explain(options)
    log_setup.configure_logging(form="text", level="error")  # the results include what libraries would warn about
    results = asyncio.run(_run_checks(options))
    document = options.output == "json"
    text = check_result.as_text(results, verbose=options.verbose)
    print(json.dumps(check_result.as_document(results), indent=2) if document else text)
    return 0 if check_result.all_passed(results) else 1


def _explain(options: argparse.Namespace) -> int:
    reasons = explanation.parse(options.explain)
    document = options.output == "json"
    print(json.dumps(explanation.as_document(reasons), indent=2) if document else explanation.as_text(reasons))
    return 0


async def _run_checks(options: argparse.Namespace) -> list[CheckResult]:
    async with AsyncExitStack() as stack:
        checks: list[tuple[str, Check]] = []
        try:
            client = await stack.enter_async_context(connected(options))
        except FailureError as error:
            found, results = await _load_settings(options, None)
            results += [
                failed(_API_SERVER, str(error)),
                skipped(_REMAINING, "there are no credentials for the API server"),
            ]
        else:
            found, results = await _load_settings(options, client)
            checks += _kubernetes_checks(client, found)
        checks += AwsChecks(found.settings if found else Settings(), os.environ, clock=_now).all()
        groups = await asyncio.gather(*(run_check(name, check) for name, check in checks))
    return [*results, *(result for group in groups for result in group)]


def _kubernetes_checks(client: KubeClient, found: FoundSettings | None) -> list[tuple[str, Check]]:
    async def version() -> Sequence[CheckResult]:
        return [passed(_API_SERVER, f"reachable, version {await AccessReviewer(client).version()}")]

    async def skip() -> Sequence[CheckResult]:
        return [skipped(_REMAINING, "the settings are invalid")]

    if found is None:
        return [(_API_SERVER, version), (_REMAINING, skip)]
    issuer = partial(check_issuer, client, found.settings, os.environ)
    checks = KubernetesChecks(client, found.settings, found.installation, clock=_now)
    return [(_API_SERVER, version), *checks.all(), (ISSUER, issuer)]


async def _load_settings(
    options: argparse.Namespace, client: KubeClient | None
) -> tuple[FoundSettings | None, list[CheckResult]]:
    try:
        found = await find_settings(options, client) if client else settings_of_file(options)
    except InvalidInputError as error:
        return None, [failed(_SETTINGS, problem) for problem in error.summary]
    except FailureError as error:
        return None, [failed(_SETTINGS, str(error))]
    if found.known:
        return found, [passed(_SETTINGS, f"{found.source}: valid")]
    return found, [warned(_SETTINGS, f"the defaults, because {found.note}", NAME_THEM)]


async def run_check(name: str, check: Check) -> Sequence[CheckResult]:
    """Run one check; a failure of the check itself is its result and does not affect other checks."""
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            return await check()
    except FailureError as error:
        return [failed(name, str(error))]
    except TimeoutError:
        fix = "check DNS and egress from here: NetworkPolicy, proxy, VPC endpoint"
        return [failed(name, f"no response within {_CHECK_TIMEOUT:.0f} s", fix)]
    except Exception as error:  # noqa: BLE001 -- a response may contain anything, and the other results still count
        fix = "check what answers in place of the server: proxy, load balancer"
        return [failed(name, f"the response cannot be read ({type(error).__name__})", fix)]


def _now() -> datetime:
    return datetime.now(UTC)
