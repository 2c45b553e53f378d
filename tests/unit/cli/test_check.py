"""`pullkeeper check`: the timeout of a check, and that no check affects another."""

import argparse
import asyncio
from collections.abc import Sequence

import pytest

from pullkeeper.cli.check import main, run_check
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.views.check_result import CheckResult, Outcome, passed

DENIED = FailureError(Failure(reason=Reason.KUBERNETES_DENIED, message="grant it"))


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (DENIED, "grant it (KubernetesDenied)"),
        (KeyError("gitVersion"), "the response cannot be read (KeyError)"),
    ],
)
async def test_an_error_in_a_check_is_its_result(error: Exception, detail: str) -> None:
    """A failure with its message; of an unexpected error only the type, since its message may quote anything."""

    async def check() -> Sequence[CheckResult]:
        raise error

    (result,) = await run_check("permissions", check)
    assert (result.check, result.outcome, result.detail) == ("permissions", Outcome.FAILED, detail)


async def test_a_check_without_response_times_out() -> None:
    """Well within the timeout of `helm test`."""

    async def check() -> Sequence[CheckResult]:
        await asyncio.sleep(3600)
        return [passed("permissions", "at last")]

    began = asyncio.get_running_loop().time()
    (result,) = await run_check("permissions", check)
    assert (result.outcome, result.detail) == (Outcome.FAILED, "no response within 12 s")
    assert asyncio.get_running_loop().time() - began == 12


@pytest.mark.parametrize(("output", "start"), [("text", "Throttled: AWS is throttling\n"), ("json", "{")])
def test_a_reason_is_explained_without_any_check(capsys: pytest.CaptureFixture[str], output: str, start: str) -> None:
    """No settings, no server and no AWS are needed for that."""
    assert main(argparse.Namespace(explain="Throttled", output=output)) == 0
    assert capsys.readouterr().out.startswith(start)
