"""Others edit the same list at the same time: nothing of theirs is lost, and ours comes and goes."""

import asyncio
from collections.abc import Sequence

from testsupport.accounts import Account, account, start
from testsupport.installation import Installation
from testsupport.waiting import until

EDITORS = 2
ROUNDS = 500


async def test_concurrent_edits_by_others_are_never_lost(installation: Installation) -> None:
    """Two editors make 1,000 edits of one list, each by compare-and-swap, while our entry comes and goes."""
    await start(installation)
    team, ours = await installation.create_namespace(enabled="true"), installation.secret_name
    shared = await account(installation, team, "shared").create("base", note="kept")
    await installation.event(team, "PullSecretCreated")
    editing = asyncio.gather(*(_edit(shared, f"editor-{number}") for number in range(EDITORS)))
    toggles = 0
    while not editing.done():
        await _toggle(shared, wanted=toggles % 2 == 0)
        toggles += 1
    await _toggle(shared, wanted=False)
    kept = await editing
    entries = await shared.entries()
    assert [[name for name in entries if name.startswith(f"editor-{number}-")] for number in range(EDITORS)] == kept
    assert [name for name in entries if not name.startswith("editor-")] == ["base"]
    assert ours not in entries
    assert (await shared.read())["metadata"]["annotations"] == {"note": "kept"}
    assert toggles > 10, "our entry hardly came and went during the edits"


async def _toggle(shared: Account, *, wanted: bool) -> None:
    """Name the account, or do not, and wait until the controller has done as much."""
    installation, ours = shared.installation, shared.installation.secret_name
    await installation.annotate(shared.namespace, attach_to_service_accounts="shared" if wanted else "")

    async def settled() -> bool:
        found = await shared.read()
        there = {"name": ours} in found.get("imagePullSecrets", ())
        return there == wanted == ("pullkeeper.dev/attached-secret" in found["metadata"]["annotations"])

    await until(settled, f"the entry to be {'there' if wanted else 'gone'} amid the edits")


async def _edit(shared: Account, editor: str) -> list[str]:
    """Add an entry in two rounds out of three and take the oldest one away in the third; gives what must be left."""
    kept: Sequence[str] = []
    for number in range(ROUNDS):
        before, kept = kept, kept[1:] if number % 3 == 2 else [*kept, f"{editor}-{number}"]
        while not await shared.swap(before, kept):
            pass
    return list(kept)
