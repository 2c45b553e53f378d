"""The doctor's patience, and that no question hides another."""

import asyncio
from collections.abc import Sequence

import pytest

from pullkeeper.cli.check import bounded
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.views.check_result import CheckResult, Outcome, passed

DENIED = FailureError(Failure(reason=Reason.KUBERNETES_DENIED, message="grant it"))


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        (DENIED, "grant it (KubernetesDenied)"),
        (KeyError("gitVersion"), "the answer cannot be read (KeyError)"),
    ],
)
async def test_what_goes_wrong_with_a_question_is_its_finding(outcome: Exception, found: str) -> None:
    """A refusal in its own words; of what nobody has thought of only the kind, for it may quote anything."""

    async def ask() -> Sequence[CheckResult]:
        raise outcome

    (item,) = await bounded("rights", ask)
    assert (item.what, item.mark, item.found) == ("rights", Outcome.FAILED, found)


async def test_a_question_that_is_not_answered_is_given_up() -> None:
    """Well within the time of a `helm test`."""

    async def ask() -> Sequence[CheckResult]:
        await asyncio.sleep(3600)
        return [passed("rights", "at last")]

    began = asyncio.get_running_loop().time()
    (item,) = await bounded("rights", ask)
    assert (item.mark, item.found) == (Outcome.FAILED, "no answer within 12 s")
    assert asyncio.get_running_loop().time() - began == 12
