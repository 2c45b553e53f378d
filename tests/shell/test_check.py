"""The doctor's patience, and that no question hides another."""

import asyncio
from collections.abc import Sequence

import pytest

from controller.commands.check import bounded
from controller.core.checklist import Item, Mark, passed
from controller.core.reasons import Failure, FailureError, Reason

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

    async def ask() -> Sequence[Item]:
        raise outcome

    (item,) = await bounded("rights", ask)
    assert (item.what, item.mark, item.found) == ("rights", Mark.FAILED, found)


async def test_a_question_that_is_not_answered_is_given_up() -> None:
    """Well within the time of a `helm test`."""

    async def ask() -> Sequence[Item]:
        await asyncio.sleep(3600)
        return [passed("rights", "at last")]

    began = asyncio.get_running_loop().time()
    (item,) = await bounded("rights", ask)
    assert (item.mark, item.found) == (Mark.FAILED, "no answer within 12 s")
    assert asyncio.get_running_loop().time() - began == 12
