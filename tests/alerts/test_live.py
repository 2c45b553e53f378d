"""A real Prometheus scrapes a real controller during failures: each alert becomes pending, fires and resolves."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.alerts.prometheus import Prometheus, serve
from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from tests.e2e.conftest import aws, installation, program  # noqa: F401 -- fixtures
from testsupport.alert_rules import Overrides, definitions, file_of, rules
from testsupport.client_certificates import anchor, authority, settings
from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import AwsFake
from testsupport.fake_kube import ApiServer, matching
from testsupport.installation import IRELAND, ROLE, Installation
from testsupport.objects import foreign_secret
from testsupport.prometheus_tools import Tools, promtool
from testsupport.undoing_tool import undoing

TOKEN = "GetAuthorizationToken"
LIFE = timedelta(seconds=40)
LONG = timedelta(hours=12)
"""Where rotations would be in the way."""
SETTINGS = {"refreshJitter": "0s", "refreshFraction": 0.25, "relistInterval": "5s"}
"""With tokens of 40 s: a rotation every 10 s, so a Secret has at least 30 s left unless renewals fail."""
SHORT: Overrides = {
    "PullkeeperAbsent": {"for": "2s"},
    "PullkeeperStalled": {"for": "2s", "seconds": 10},
    "PullkeeperPullSecretExpiring": {"for": "2s", "seconds": 22},
    "PullkeeperPullSecretExpired": {"for": "2s", "seconds": 12},
    "PullkeeperTokenRefreshStale": {"for": "2s", "seconds": 20, "window": "20s"},
    "PullkeeperTokenRequestFailing": {"for": "2s", "window": "10s"},
    "PullkeeperClientCertificateExpiring": {"for": "2s"},
    "PullkeeperAwsUnavailable": {"for": "2s", "window": "20s"},
    "PullkeeperThrottled": {"for": "2s", "window": "10s"},
    "PullkeeperRegistryRejected": {"for": "2s", "window": "20s"},
    "PullkeeperSecretWriteFailing": {"for": "2s", "window": "10s", "count": 1},
    "PullkeeperNamespaceMisconfigured": {"for": "2s"},
    "PullkeeperPermissionDenied": {"for": "2s"},
    "PullkeeperSettingsInvalid": {"for": "2s"},
    "PullkeeperWritesReverted": {"for": "2s"},
    "PullkeeperOptInsLost": {"for": "2s"},
    "PullkeeperWatchesMissChanges": {"for": "2s", "window": "20s", "count": 1},
}
"""The chart's rules with shorter times, set like users would in the chart's values."""
EXPIRING = ("PullkeeperTokenRefreshStale", "PullkeeperPullSecretExpiring", "PullkeeperPullSecretExpired")
DECLARED: set[str] = set()
"""The alerts that the tests below declare to fire; the last test checks that none is missing."""


def fires(*alerts: str) -> pytest.MarkDecorator:
    """Declare which alerts a test makes fire, and have `prometheus` check it, in whichever process the test runs."""
    DECLARED.update(alerts)
    return pytest.mark.fires(*alerts)


@pytest.fixture
async def prometheus(request: pytest.FixtureRequest, tools: Tools, tmp_path: Path) -> AsyncIterator[Prometheus]:
    (declared,) = request.node.iter_markers("fires")
    async with serve(tools, tmp_path / "prometheus", file_of(rules(SHORT))) as running:
        yield running
        assert set(declared.args) <= await running.ever("firing")


async def started(
    installation: Installation,  # noqa: F811 -- the fixture's type
    prometheus: Prometheus,
    *,
    verified: bool = False,
    life: timedelta = LIFE,
) -> ControllerProcess:
    """Start the controller with one ready namespace, and check that no alert fires during two rotations, if any."""
    installation.aws.lifetime = life
    verify = {"verify": "new", "registryCaFile": installation.aws.network.ca_file} if verified else {}
    process = await installation.start(SETTINGS | verify)
    prometheus.point_to(process.port())
    team = await installation.create_namespace(enabled="true")
    await installation.event(team, "PullSecretCreated")
    if life == LIFE:
        await prometheus.sees('pullkeeper_secret_writes_total{operation="rotate",result="success"} >= 2')
    assert await prometheus.ever("firing") <= {"PullkeeperAbsent"}, "there was no leader before the start"
    await prometheus.resolves(*definitions())
    return process


@fires("PullkeeperThrottled", "PullkeeperAwsUnavailable", "PullkeeperTokenRequestFailing", *EXPIRING)
async def test_aws_denies_throttles_hangs_and_recovers(installation: Installation, prometheus: Prometheus) -> None:  # noqa: F811 -- a fixture's argument
    """Each kind of failure has its alert; if it lasts, those for expiring Secrets follow; all resolve."""
    await started(installation, prometheus)
    fake, team = installation.aws, installation.namespaces[0]
    fake.throttle(operation=TOKEN)
    await prometheus.fires("PullkeeperThrottled")
    fake.clear_faults()
    await prometheus.resolves("PullkeeperThrottled", *EXPIRING)
    fake.hang(operation=TOKEN)
    await prometheus.fires("PullkeeperAwsUnavailable")
    fake.clear_faults()
    await prometheus.resolves("PullkeeperAwsUnavailable", *EXPIRING)
    fake.deny(operation=TOKEN)
    await prometheus.fires("PullkeeperTokenRequestFailing")
    await prometheus.fires(*EXPIRING)
    fake.clear_faults()
    await installation.annotate(team, refresh_requested_at="granted")
    await prometheus.resolves(*definitions())


@fires("PullkeeperRegistryRejected")
async def test_a_registry_rejects_and_accepts_again(
    installation: Installation,  # noqa: F811 -- a fixture's argument
    prometheus: Prometheus,
    aws: AwsFake,  # noqa: F811 -- a fixture's argument
) -> None:
    """With verification enabled, the alert fires while a registry rejects tokens."""
    await started(installation, prometheus, verified=True)
    aws.refuse(host=IRELAND)
    await prometheus.fires("PullkeeperRegistryRejected")
    aws.accept(host=IRELAND)
    await prometheus.resolves(*definitions())


@fires("PullkeeperNamespaceMisconfigured", "PullkeeperSettingsInvalid")
async def test_owners_make_mistakes(installation: Installation, prometheus: Prometheus) -> None:  # noqa: F811 -- a fixture's argument
    """Invalid annotations, a conflicting Secret and an invalid settings file, until each is fixed."""
    process = await started(installation, prometheus)
    wrong = await installation.create_namespace(enabled="perhaps")
    taken = await installation.create_namespace()
    foreign = foreign_secret(installation.secret_name)
    (await installation.api.post(f"/api/v1/namespaces/{taken}/secrets", foreign)).ok()
    await installation.annotate(taken, enabled="true")
    settings = process.config.read_text()
    process.config.write_text("registries: [nonsense]")
    await prometheus.fires("PullkeeperNamespaceMisconfigured", "PullkeeperSettingsInvalid")
    firing = await prometheus.query('ALERTS{alertname="PullkeeperNamespaceMisconfigured",alertstate="firing"}')
    assert {each["metric"]["state"] for each in firing} == {"misconfigured", "conflict"}
    process.config.write_text(settings)
    await installation.annotate(wrong, enabled="true")
    await installation.api.delete(installation.path(taken))
    await prometheus.resolves(*definitions())


@fires("PullkeeperSecretWriteFailing")
async def test_api_server_rejects_writes(
    server: ApiServer,  # noqa: F811 -- a fixture's argument
    installation: Installation,  # noqa: F811 -- a fixture's argument
    prometheus: Prometheus,
) -> None:
    """The alert fires before the first Secret expires."""
    await started(installation, prometheus)
    with server.faults.fail(500, matching(verb="patch", resource="secrets")):
        await prometheus.fires("PullkeeperSecretWriteFailing")
    await prometheus.resolves(*definitions())


@fires("PullkeeperPermissionDenied")
async def test_a_right_to_write_is_missing(
    server: ApiServer,  # noqa: F811 -- a fixture's argument
    installation: Installation,  # noqa: F811 -- a fixture's argument
    prometheus: Prometheus,
) -> None:
    """The alert fires once some writes in a row are denied, and resolves with the first that is not."""
    await started(installation, prometheus)
    with server.faults.fail(403, matching(verb="patch", resource="secrets")):
        for _ in range(3):
            await installation.create_namespace(enabled="true")
        await prometheus.fires("PullkeeperPermissionDenied")
    for team in installation.namespaces:
        await installation.annotate(team, refresh_requested_at="granted")
    await prometheus.resolves(*definitions())


@fires("PullkeeperWritesReverted")
async def test_a_tool_undoes_each_write(installation: Installation, prometheus: Prometheus) -> None:  # noqa: F811 -- a fixture's argument
    """The alert fires; how it resolves, some minutes after the last write that was undone, is a case for promtool."""
    await started(installation, prometheus, life=LONG)
    async with undoing(installation, installation.namespaces[0], manager="a-tool"):
        await prometheus.fires("PullkeeperWritesReverted")


@fires("PullkeeperOptInsLost")
async def test_settings_lose_an_opt_in(installation: Installation, prometheus: Prometheus) -> None:  # noqa: F811 -- a fixture's argument
    """The alert fires while the Secrets are about to be deleted, and resolves with the slip."""
    process = await started(installation, prometheus)
    app = await installation.create_namespace("app")
    for pattern, act in ((app, prometheus.resolves), ("a-slip", prometheus.fires), (app, prometheus.resolves)):
        process.change_settings(optIn={"namespaces": [pattern]})
        if pattern == app:
            await installation.event(app, "PullSecretCreated")
        await act("PullkeeperOptInsLost")


@fires("PullkeeperClientCertificateExpiring")
async def test_certificate_is_not_renewed(installation: Installation, prometheus: Prometheus) -> None:  # noqa: F811 -- a fixture's argument
    """The alert fires before the certificate expires, and resolves with the next one, which no session has used yet."""
    root, folder = authority(), installation.folder / "certificate"
    anchor(installation.aws, root, ROLE)
    root.write(folder, starts=timedelta(days=-80), ends=timedelta(days=9))
    process = await installation.start({"rolesAnywhere": settings(folder, ROLE)})
    prometheus.point_to(process.port())
    await prometheus.fires("PullkeeperClientCertificateExpiring")
    root.write(folder)
    await prometheus.resolves("PullkeeperClientCertificateExpiring")


@fires("PullkeeperWatchesMissChanges")
async def test_watches_miss_changes(
    server: ApiServer,  # noqa: F811 -- a fixture's argument
    installation: Installation,  # noqa: F811 -- a fixture's argument
    prometheus: Prometheus,
) -> None:
    """What only a listing finds is counted."""
    await started(installation, prometheus, life=LONG)
    team = installation.namespaces[0]
    for found in range(1, 4):
        server.faults.swallow("namespaces", 1)
        await installation.label(team, change=str(found))
        await prometheus.sees(f"sum(pullkeeper_cache_differences_total) >= {found}")
    await prometheus.fires("PullkeeperWatchesMissChanges")
    await prometheus.resolves("PullkeeperWatchesMissChanges")


@fires("PullkeeperStalled", "PullkeeperAbsent")
async def test_controller_stalls_and_disappears(
    server: ApiServer,  # noqa: F811 -- a fixture's argument
    installation: Installation,  # noqa: F811 -- a fixture's argument
    prometheus: Prometheus,
) -> None:
    """One that cannot list Secrets is stalled, one that was killed is absent; both resolve with the cause."""
    with server.faults.fail(500, matching(verb="list", resource="secrets")):
        process = await installation.start(SETTINGS, ready=False)
        await process.first_answer("/healthz")
        prometheus.point_to(process.port())
        await prometheus.fires("PullkeeperStalled")
    await prometheus.resolves("PullkeeperStalled", "PullkeeperAbsent")
    process.kill()
    await prometheus.fires("PullkeeperAbsent")
    successor = await installation.start(SETTINGS)
    prometheus.point_to(successor.port())
    await prometheus.resolves(*definitions())


async def test_metrics_pass_promtool(tools: Tools, installation: Installation) -> None:  # noqa: F811 -- a fixture's argument
    """After successes and failures, the metrics pass all lints of promtool."""
    process = await installation.start()
    team = await installation.create_namespace(enabled="true")
    await installation.event(team, "PullSecretCreated")
    installation.aws.deny(operation=TOKEN)
    await installation.annotate(team, refresh_requested_at="now")
    await installation.event(team, "AccessDenied")
    assert promtool(tools, "check", "metrics", stdin=await process.scrape()) == ""


def test_every_alert_is_made_to_fire() -> None:
    """In one of the tests above."""
    assert set(definitions()) == DECLARED
