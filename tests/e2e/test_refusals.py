"""Writes that a quota, a policy or a webhook refuses: said by whom, in which words, and taken for no conflict."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from testsupport.installation import Installation
from testsupport.refusals import Refuser

pytestmark = pytest.mark.slow

WORDS = "Secrets need a cost-centre"


def refuser(installation: Installation, team: str) -> Refuser:
    return Refuser(server=installation.server, api=installation.api, namespace=team)


@asynccontextmanager
async def refusing(installation: Installation, team: str, how: str) -> AsyncIterator[None]:
    """Let writes of Secrets be refused, in the way that is named."""
    name, each = f"no-secrets-{team}", refuser(installation, team)
    ways = {
        "quota": each.quota(name),
        "policy": each.policy(name, WORDS),
        "webhook 422": each.webhook(f"{name}.hooks.example", WORDS, code=422),
    }
    async with ways[how]:
        yield


SAID = {
    "quota": ("QuotaExceeded", "the ResourceQuota no-secrets-"),
    "policy": ("AdmissionRefused", "ValidatingAdmissionPolicy 'no-secrets-"),
    "webhook 422": ("AdmissionRefused", 'admission webhook "no-secrets-'),
}


@pytest.mark.parametrize("how", SAID)
async def test_refused_first_secret_is_told_in_the_refusers_words(installation: Installation, how: str) -> None:
    """One Event that names the refuser; no right is asked for; whoever has mended it need not wait for the retry."""
    process = await installation.start()
    team = await installation.create_namespace()
    async with installation.recording() as recorder:
        async with refusing(installation, team, how):
            await installation.annotate(team, enabled="true")
            reason, refused_by = SAID[how]
            event = await installation.event(team, reason)
            assert refused_by in event["note"]
            assert ("exceeded quota" if how == "quota" else WORDS) in event["note"]
            assert "grant" not in event["note"]
            await process.until_metric(1, "pullkeeper_namespaces", state="pending")
        await installation.annotate(team, refresh_requested_at="now")
        await recorder.created(team)


@pytest.mark.parametrize("how", ["policy", "webhook 422"])
async def test_nobody_is_told_to_delete_a_live_secret(installation: Installation, how: str) -> None:
    """A change that is refused leaves the Secret that is there, and the advice would keep it."""
    await installation.start()
    team = await installation.create_served_namespace()
    before = await installation.secret(team)
    async with refusing(installation, team, how):
        await installation.annotate(team, refresh_requested_at="now")
        event = await installation.event(team, "AdmissionRefused")
        assert "delete" not in event["note"].lower()
        assert await installation.secret(team) == before
