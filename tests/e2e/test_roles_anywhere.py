"""The controller with nothing but a certificate: IAM Roles Anywhere is its only AWS identity."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import load_pem_x509_certificate

from testsupport.client_certificates import anchor, authority, settings
from testsupport.controller_process import ControllerProcess
from testsupport.installation import ROLE, Installation
from testsupport.tenant_identities import principals

pytestmark = pytest.mark.slow

EXPIRY = "pullkeeper_client_certificate_expiry_timestamp_seconds"


class Certified:
    """An installation whose role trusts a CA, and the folder in which the kubelet would keep the Secret's files."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.root = authority()
        self.folder = installation.folder / "certificate"
        anchor(installation.aws, self.root, ROLE)

    async def start(self) -> ControllerProcess:
        """Start the controller without any other credentials."""
        environment = self.installation.aws.environment(region=None)
        others = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        return await self.installation.start(
            {"rolesAnywhere": settings(self.folder, ROLE)},
            environment={name: value for name, value in environment.items() if name not in others},
        )

    def sessions(self) -> list[str | None]:
        """Return the outcomes of the calls of CreateSession."""
        return [call.outcome for call in self.installation.aws.calls if call.operation == "CreateSession"]

    def last_session(self) -> str:
        """Return the session that the newest token was fetched in."""
        return self.installation.aws.tokens[-1].principal.rpartition("/")[2]


@pytest.fixture
def certified(installation: Installation) -> Certified:
    """Set up the trust anchor, the profile and the role's trust in certificates."""
    return Certified(installation)


def _end(file: Path) -> float:
    return load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()


def _serial(file: Path) -> str:
    return f"{load_pem_x509_certificate(file.read_bytes()).serial_number:040x}"


async def test_certificate_is_replaced_in_mid_flight(certified: Certified) -> None:
    """Opt-in to Secret by a chain of CAs; the next session is the renewed certificate's, of another kind of key."""
    issuer = certified.root.intermediate()
    issuer.write(certified.folder)
    process = await certified.start()
    installation = certified.installation
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        assert principals(installation, first.secret) == {ROLE}
        before = certified.last_session()
        assert before == _serial(certified.folder / "tls.crt")

        assert await process.metric(EXPIRY, identity="controller") == _end(certified.folder / "tls.crt")
        issuer.write(certified.folder, ends=timedelta(days=91), key=rsa.generate_private_key(65537, 2048))
        assert await process.metric(EXPIRY, identity="controller") == _end(certified.folder / "tls.crt")
        installation.aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="renewed")
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
    assert certified.last_session() == _serial(certified.folder / "tls.crt") != before
    assert certified.sessions() == ["ok", "ok"]
    assert process.popen.poll() is None


async def test_certificate_that_is_no_good_is_explained_until_it_is_replaced(certified: Certified) -> None:
    """Expired, then of a CA that the trust anchor does not know, then right: all without a restart."""
    installation = certified.installation
    certified.root.write(certified.folder, starts=timedelta(days=-2), ends=timedelta(seconds=-5))
    await certified.start()
    team = await installation.create_namespace(enabled="true")
    expired = await installation.event(team, "TokenFetchFailed")
    assert "the client certificate has expired (CN=pullkeeper, issued by CN=root, valid until 2" in expired["note"]
    assert certified.sessions() == []

    authority().write(certified.folder)
    await installation.annotate(team, refresh_requested_at="another CA")
    refused = await installation.event(team, "AccessDenied")
    assert (
        f"refused CreateSession for {ROLE} (AccessDeniedException): IAM Roles Anywhere does not trust"
        in refused["note"]
    )
    assert await installation.secret(team) is None

    certified.root.write(certified.folder)
    await installation.annotate(team, refresh_requested_at="the right CA")
    await installation.event(team, "PullSecretCreated")
