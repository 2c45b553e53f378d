"""ServiceAccounts reference the pull Secret where the namespace asks for it, and other entries stay."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from testsupport.installation import ATTACHMENT, Installation
from testsupport.service_accounts import ServiceAccount, service_account, start_with_attachment
from testsupport.waiting import until

pytestmark = pytest.mark.slow


def test_documented_rights_of_attachment_are_those_that_are_tested() -> None:
    """What docs/service-accounts.md says to grant is what these tests run under."""
    blocks = re.findall(r"```yaml\n(.*?)```", Path("docs/service-accounts.md").read_text(), re.DOTALL)
    assert yaml.safe_load(blocks[-1]) == [ATTACHMENT]


async def test_named_service_accounts_are_attached_and_reported(installation: Installation) -> None:
    """Those that the annotation names get the entry behind their own ones, others nothing."""
    await start_with_attachment(installation)
    team = await installation.create_namespace()
    builder = await service_account(installation, team, "builder").create("theirs")
    other = await service_account(installation, team, "other").create("theirs")
    await installation.annotate(team, enabled="true", attach_to_service_accounts="builder, default")
    await builder.until("theirs", installation.secret_name)
    await service_account(installation, team, "default").until(installation.secret_name)
    event = await installation.event(team, "ServiceAccountAttached")
    assert event["regarding"]["kind"] == "ServiceAccount"
    assert event["type"] == "Normal"
    assert await other.entries() == ["theirs"]
    assert await builder.mark() == installation.secret_name
    assert await other.mark() is None


async def test_later_account_is_attached_when_it_appears(installation: Installation) -> None:
    """One that is named before it exists is told of, once, as a warning; when it comes it is attached."""
    await start_with_attachment(installation)
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="late")
    event = await installation.event(team, "ServiceAccountNotFound")
    assert event["type"] == "Warning"
    assert "ServiceAccount late" in event["note"]
    late = await service_account(installation, team, "late").create()
    await late.until(installation.secret_name)


async def test_star_means_all_of_the_namespace(installation: Installation) -> None:
    """Those that are there and those that come, and none of another namespace."""
    await start_with_attachment(installation)
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="*")
    elsewhere = await installation.create_namespace(enabled="true")
    stranger = await service_account(installation, elsewhere, "builder").create()
    for name in ("default", "builder"):
        found = service_account(installation, team, name)
        await (found if name == "default" else await found.create()).until(installation.secret_name)
    assert await stranger.entries() == []


async def test_accounts_of_the_settings_count_where_the_namespace_says_nothing(installation: Installation) -> None:
    """The installation's list is hot: it is in force when the file changes, and an annotation goes before it."""
    process = await start_with_attachment(installation, attachToServiceAccounts=["builder"])
    silent = await installation.create_namespace(enabled="true")
    none = await installation.create_namespace(enabled="true", attach_to_service_accounts="")
    builder = await service_account(installation, silent, "builder").create()
    spared = await service_account(installation, none, "builder").create()
    await builder.until(installation.secret_name)
    process.change_settings(attachToServiceAccounts=["default"])
    await builder.until()
    await service_account(installation, silent, "default").until(installation.secret_name)
    assert await spared.entries() == []


async def test_invariant_11_opt_out_leaves_exactly_what_others_put_there(installation: Installation) -> None:
    """The Secret goes and our entries with it; other entries stay, of our name too where somebody else put it there."""
    await start_with_attachment(installation)
    team, ours = await installation.create_namespace(), installation.secret_name
    plain = await service_account(installation, team, "plain").create()
    before = await plain.read()
    mixed = await service_account(installation, team, "mixed").create("a", "b", note="kept")
    theirs = await service_account(installation, team, "theirs").create("a", ours)
    await installation.annotate(team, enabled="true", attach_to_service_accounts="*")
    await plain.until(ours)
    await mixed.until("a", "b", ours)
    await mixed.write("z", "a", ours, "b")
    await installation.annotate(team, enabled="false")
    await installation.event(team, "PullSecretDeleted")
    await plain.until()
    await mixed.until("z", "a", "b")
    after = await plain.read()
    for found in (before, after):
        for bookkeeping in ("resourceVersion", "managedFields"):
            found["metadata"].pop(bookkeeping, None)
    assert after == before
    assert (await mixed.read())["metadata"]["annotations"] == {"note": "kept"}
    assert await theirs.entries() == ["a", ours]
    assert await installation.secret(team) is None


async def test_account_that_is_no_longer_named_is_detached(installation: Installation) -> None:
    """The Secret stays, and the one that is still named."""
    await start_with_attachment(installation)
    team, ours = await installation.create_namespace(), installation.secret_name
    one, two = [await service_account(installation, team, name).create("x") for name in ("one", "two")]
    await installation.annotate(team, enabled="true", attach_to_service_accounts="one,two")
    await one.until("x", ours)
    await two.until("x", ours)
    await installation.annotate(team, attach_to_service_accounts="two")
    await one.until("x")
    assert await two.entries() == ["x", ours]
    assert await installation.secret(team) is not None


@pytest.mark.parametrize("signal", ["stop", "kill"])
async def test_restart_in_between_changes_nothing(installation: Installation, signal: str) -> None:
    """What was asked for while nobody was there is done afterwards, by what stands in the cluster alone."""
    process = await start_with_attachment(installation)
    ours = installation.secret_name
    leaving = await installation.create_namespace(enabled="true", attach_to_service_accounts="builder")
    staying = await installation.create_namespace(enabled="true", attach_to_service_accounts="builder")
    left = await service_account(installation, leaving, "builder").create("a")
    stayed = await service_account(installation, staying, "builder").create("a")
    for each in (left, stayed):
        await each.until("a", ours)
    if signal == "kill":
        process.kill()
    else:
        await process.stop()
    await installation.annotate(leaving, enabled=None, attach_to_service_accounts=None)
    late = await service_account(installation, staying, "late").create("b")
    await stayed.write("a")
    await installation.annotate(staying, attach_to_service_accounts="builder,late")
    await start_with_attachment(installation)
    await left.until("a")
    await stayed.until("a", ours)
    await late.until("b", ours)
    assert await left.mark() is None


async def test_accounts_follow_a_new_secret_name(installation: Installation) -> None:
    """A run under another name takes the old entry away in the patch that adds the new one, and only ours."""
    old, ours = installation.secret_name, f"{installation.secret_name}-new"
    process = await start_with_attachment(installation)
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="builder")
    builder = await service_account(installation, team, "builder").create("a")
    await builder.until("a", old)
    await process.stop()
    await builder.write("z", "a", old)
    await installation.rename_secret(ours)
    await start_with_attachment(installation)
    await builder.until("z", "a", ours)
    assert await builder.mark() == ours


async def test_unmanaged_secret_is_not_attached(installation: Installation) -> None:
    """Only a Secret of ours is named; when the obstacle is gone, it is."""
    await start_with_attachment(installation)
    team = await installation.create_namespace()
    builder = await service_account(installation, team, "builder").create()
    await installation.create_foreign_secret(team)
    await installation.annotate(team, enabled="true", attach_to_service_accounts="builder")
    await installation.event(team, "SecretConflict")
    assert await builder.entries() == []
    (await installation.api.delete(installation.path(team))).ok()
    await builder.until(installation.secret_name)


async def test_without_the_feature_the_annotation_is_reported_and_the_secret_kept_fresh(
    installation: Installation,
) -> None:
    """Off is the default: no right is asked for, the annotation is reported, and the rest is as ever."""
    process = await installation.start()
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="default")
    event = await installation.event(team, "InvalidAnnotation")
    assert "with `serviceAccountAttachment: true`" in event["note"]
    await installation.event(team, "PullSecretCreated")
    assert await service_account(installation, team, "default").entries() == []
    assert await process.metric("pullkeeper_rest_client_requests_total", resource="serviceaccounts") == 0


async def test_without_the_rights_secrets_are_kept_fresh(installation: Installation) -> None:
    """Where the feature is on and RBAC is not: it is said what to grant, and no Secret waits for it."""
    process = await installation.start({"serviceAccountAttachment": True}, ready=False)
    team = await installation.create_served_namespace(attach_to_service_accounts="default")

    await process.until_logged("refused to list ServiceAccounts (403): grant list, watch and patch")
    assert "the API server denies listing ServiceAccounts: " in (await process.probe("/readyz"))[1]
    await installation.allow_attachment()
    await service_account(installation, team, "default").until(installation.secret_name)
    await process.until_ready()


async def test_terminating_namespace_is_left_alone(installation: Installation) -> None:
    """An account that is still there while its namespace goes is written to no more."""
    await start_with_attachment(installation)
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="*")
    builder = await service_account(installation, team, "builder").create()
    await builder.until(installation.secret_name)
    keep = {"metadata": {"finalizers": ["pullkeeper.dev/test"]}}
    (await installation.api.merge(builder.path, keep)).ok()
    (await installation.api.delete(f"/api/v1/namespaces/{team}")).ok()

    async def serves_another() -> None:
        """Whatever its watches told before, it has heard when it has served a new namespace."""
        other = await installation.create_namespace(enabled="true", attach_to_service_accounts="default")
        await service_account(installation, other, "default").until(installation.secret_name)

    await serves_another()
    await builder.write("x")
    await serves_another()
    assert await builder.entries() == ["x"]
    (await installation.api.merge(builder.path, {"metadata": {"finalizers": None}})).ok()


async def test_invariant_05_hands_off_namespaces_while_attaching(installation: Installation) -> None:
    """The mark stands on the ServiceAccount: the Namespace is as its owner wrote it, before and after."""
    await start_with_attachment(installation)
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="*")
    await service_account(installation, team, "default").until(installation.secret_name)
    await installation.annotate(team, enabled=None, attach_to_service_accounts=None)
    await service_account(installation, team, "default").until()
    namespace = (await installation.api.get(f"/api/v1/namespaces/{team}")).ok()
    assert namespace["metadata"].get("annotations", {}) == {}
    assert "finalizers" not in namespace["metadata"]
    assert "pullkeeper" not in {entry["manager"] for entry in namespace["metadata"].get("managedFields", ())}


EDITORS = 2
ROUNDS = 500


async def test_concurrent_edits_by_others_are_never_lost(installation: Installation) -> None:
    """Two editors make 1,000 edits of one list, each by compare-and-swap, while our entry comes and goes."""
    await start_with_attachment(installation)
    team, ours = await installation.create_namespace(enabled="true"), installation.secret_name
    shared = await service_account(installation, team, "shared").create("base", note="kept")
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
    # Few, because each edit is a change of the namespace, and what those cost is limited.
    assert toggles > 1, "our entry hardly came and went during the edits"


async def _toggle(shared: ServiceAccount, *, wanted: bool) -> None:
    """Name the account, or do not, and wait until the controller has done as much."""
    installation, ours = shared.installation, shared.installation.secret_name
    await installation.annotate(shared.namespace, attach_to_service_accounts="shared" if wanted else "")

    async def settled() -> bool:
        found = await shared.read()
        there = {"name": ours} in found.get("imagePullSecrets", ())
        return there == wanted == ("pullkeeper.dev/attached-secret" in found["metadata"]["annotations"])

    await until(settled, f"the entry to be {'there' if wanted else 'gone'} amid the edits")


async def _edit(shared: ServiceAccount, editor: str) -> list[str]:
    """Add an entry in two rounds out of three and take the oldest one away in the third; gives what must be left."""
    kept: Sequence[str] = []
    for number in range(ROUNDS):
        before, kept = kept, kept[1:] if number % 3 == 2 else [*kept, f"{editor}-{number}"]
        while not await shared.swap(before, kept):
            pass
    return list(kept)
