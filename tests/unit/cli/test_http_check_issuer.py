"""`pullkeeper check` on the cluster's issuer: whether AWS could verify its tokens."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.cli import check_issuer
from pullkeeper.cli.check import run_check
from pullkeeper.domain.config.policy import ANYBODY, Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.iam import roles_anywhere
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from testsupport.client_certificates import settings as anywhere
from testsupport.fake_aws.issuer import Issuer
from testsupport.fake_client import AWAY, FakeClient, Request, ok
from testsupport.published_issuer import DOCUMENT, KEYS, PublishedIssuer, published_issuer

USED = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token"}
INTERNAL = "https://kubernetes.default.svc.cluster.local"
PUBLIC = "https://oidc.example.com"


@dataclass(kw_only=True)
class Cluster:
    """The API server's side."""

    issuer: str
    keys: Any
    status: int = 200

    async def check(self, environment: Mapping[str, str] = USED, settings: Settings | None = None) -> CheckResult:
        client = FakeClient(respond=self._respond)
        (found,) = await run_check(
            check_issuer.CHECK, lambda: check_issuer.check_issuer(client, settings or Settings(), environment)
        )
        return found

    def _respond(self, request: Request) -> Response:
        if request.path == DOCUMENT:
            return ok({"issuer": self.issuer})
        assert (request.path, request.accept) == (KEYS, "application/jwk-set+json")
        return ok(self.keys, self.status)


@pytest.fixture
async def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PublishedIssuer]:
    # The server has a port; that IAM takes none is a test of its own.
    monkeypatch.setattr(check_issuer, "has_port", lambda _: False)
    async with published_issuer(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def cluster(published: PublishedIssuer) -> Cluster:
    return Cluster(issuer=published.url, keys=published.issuer.jwks())


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the address of this machine for a public one."""
    monkeypatch.setattr(check_issuer, "are_private", lambda _: False)


@pytest.mark.usefixtures("closed_connections", "public")
async def test_what_is_published_is_what_the_cluster_signs_with(cluster: Cluster) -> None:
    """Asked as anybody, without a token."""
    found = await cluster.check()
    assert found.outcome is Outcome.PASSED
    assert found.detail == f"{cluster.issuer} publishes all keys of the API server"


@pytest.mark.usefixtures("closed_connections")
async def test_a_name_that_leads_into_a_private_network_is_remarked(cluster: Cluster) -> None:
    """AWS finds other addresses under it, or none."""
    found = await cluster.check()
    assert found.outcome is Outcome.WARNING
    assert "its name leads to a private network from here" in found.detail
    assert (await cluster.check({})).outcome is Outcome.SKIPPED


@pytest.mark.usefixtures("closed_connections")
async def test_a_key_that_was_rotated_without_being_published_is_a_failure(
    cluster: Cluster, published: PublishedIssuer
) -> None:
    """AWS refuses every token; with one key of two it may."""
    rotated = Issuer(published.url, key_id="key-2").jwks()["keys"]
    cluster.keys = {"keys": [*published.issuer.jwks()["keys"], *rotated]}
    found = await cluster.check()
    assert found.outcome is Outcome.WARNING
    assert found.detail.endswith("does not publish all keys of the API server: what key-2 sign is refused")
    cluster.keys = {"keys": rotated}
    found = await cluster.check()
    assert found.outcome is Outcome.FAILED
    assert found.detail.endswith("publishes none of the keys that the API server signs with (key-2)")
    assert found.fix == "publish the key set again, see docs/outside-aws.md"


@pytest.mark.usefixtures("closed_connections")
async def test_what_is_not_used_does_not_fail(cluster: Cluster, published: PublishedIssuer) -> None:
    """It is a warning then, and what only AWS knows is a dash."""
    published.answers.clear()
    assert (await cluster.check()).outcome is Outcome.FAILED
    found = await cluster.check({})
    assert found.outcome is Outcome.WARNING
    assert found.detail.endswith("the discovery document is not there (status 404); nothing here uses it")
    assert (await cluster.check({}, Settings(policy=Policy(service_accounts=ANYBODY)))).outcome is Outcome.FAILED
    await published.stop()
    assert (await cluster.check()).outcome is Outcome.WARNING
    found = await cluster.check({})
    assert found.outcome is Outcome.SKIPPED
    assert "cannot be reached from here, maybe by AWS" in found.detail


@pytest.mark.usefixtures("closed_connections", "public")
async def test_the_issuer_of_the_controllers_token_is_the_one_that_counts(
    cluster: Cluster, published: PublishedIssuer, tmp_path: Path
) -> None:
    """It may be SPIRE; then the API server's own issuer may be internal, and its keys are not asked for."""
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    (tmp_path / "token").write_text(published.issuer.token("spiffe://example.org/x"))
    elsewhere = Cluster(issuer=INTERNAL, keys={}, status=403)
    found = await elsewhere.check(environment)
    assert (found.outcome, found.detail) == (Outcome.PASSED, f"{published.url} publishes the key of the token")
    assert (await cluster.check(environment)).detail.endswith("publishes all keys of the API server")
    rotated = Issuer(published.url, key_id="key-2")
    (tmp_path / "token").write_text(rotated.token("spiffe://example.org/x"))
    cluster.keys = {"keys": [*published.issuer.jwks()["keys"], *rotated.jwks()["keys"]]}
    for each in (elsewhere, cluster):
        found = await each.check(environment)
        assert found.outcome is Outcome.FAILED
        assert found.detail.endswith("does not publish the key of the controller's token, key-2")


@pytest.mark.usefixtures("closed_connections", "public")
@pytest.mark.parametrize("content", ["", "no token"])
async def test_a_token_that_cannot_be_read_is_not_judged_here(cluster: Cluster, tmp_path: Path, content: str) -> None:
    """The check of the token says what is wrong with it."""
    (tmp_path / "token").write_text(content)
    found = await cluster.check({"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")})
    assert found.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        (INTERNAL, "looks internal"),
        ("https://10.0.0.1", "looks internal"),
        (f"{PUBLIC}:6443", "has a port, which IAM does not take"),
        (f"{PUBLIC}?x", "has a query"),
        ("kubernetes/serviceaccount", "is no https:// URL"),
    ],
)
async def test_a_name_that_aws_cannot_use_is_told_without_asking_anybody(issuer: str, words: str) -> None:
    """Whether it works nevertheless, the check of the caller says."""
    found = await Cluster(issuer=issuer, keys={}).check()
    assert (found.outcome, words in found.detail) == (Outcome.WARNING, True)
    assert found.fix == "tokens need a public issuer, see docs/outside-aws.md"
    assert (await Cluster(issuer=issuer, keys={}).check({})).outcome is Outcome.SKIPPED


async def test_with_roles_anywhere_no_token_is_shown_to_aws(tmp_path: Path) -> None:
    """Though a webhook may have mounted one, of whatever issuer."""
    (tmp_path / "token").write_text(Issuer(f"{PUBLIC}:1").token("x"))
    given = Settings(roles_anywhere=roles_anywhere.parse(anywhere(tmp_path, "arn:aws:iam::123456789012:role/x")))
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    found = await Cluster(issuer=INTERNAL, keys={}).check(environment, given)
    assert (found.outcome, found.detail.startswith(f"skipped: {INTERNAL} looks internal")) == (Outcome.SKIPPED, True)


async def test_whoever_may_not_read_the_keys_is_told_what_to_grant() -> None:
    """People often may not; that is no failure."""
    found = await Cluster(issuer=PUBLIC, keys={}, status=403).check()
    assert found.outcome is Outcome.SKIPPED
    assert "grant get on the URL /openid/v1/jwks" in found.detail


async def test_a_key_set_of_the_api_server_that_is_none_is_a_failure() -> None:
    """Somebody else answers in its place."""
    found = await Cluster(issuer=PUBLIC, keys={"keys": []}).check()
    assert (found.outcome, "key set cannot be read: it holds no keys" in found.detail) == (Outcome.FAILED, True)


async def test_without_an_api_server_the_check_fails() -> None:
    """As the others that ask it do."""
    (found,) = await run_check("issuer", lambda: check_issuer.check_issuer(FakeClient(AWAY), Settings(), USED))
    assert found.outcome is Outcome.FAILED


async def test_the_issuer_is_escaped_and_bounded() -> None:
    """It reaches terminals."""
    found = await Cluster(issuer="https://x\x1b[2J" + "y" * 9000, keys={}).check()
    assert "\x1b" not in found.detail
    assert len(found.detail) < 400
