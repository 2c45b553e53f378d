"""The controller's own identity: IRSA and EKS Pod Identity."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pullkeeper.domain.errors.failures import FailureError, Reason
from tests.unit.adapters.identity_harness import IdentityHarness, identity_harness
from testsupport.fake_aws import ACCOUNT, utcnow

ROLE = f"arn:aws:iam::{ACCOUNT}:role/controller"
SUBJECT = "system:serviceaccount:pullkeeper:controller"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        built.aws.allow_role(ROLE, trusts_subjects=SUBJECT)
        yield built


@pytest.fixture
def token_file(harness: IdentityHarness, tmp_path: Path) -> Path:
    """Give the process IRSA, with its projected token in a file."""
    file = tmp_path / "token"
    file.write_text(harness.issuer.token(SUBJECT))
    harness.configure(harness.aws.environment(web_identity_token_file=str(file), role_arn=ROLE))
    return file


def write_or_remove(file: Path, content: str | None) -> None:
    """Write a file as the kubelet would, or remove it for None."""
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)


@pytest.mark.usefixtures("token_file")
async def test_credential_source_and_arn_are_logged(harness: IdentityHarness, caplog: pytest.LogCaptureFixture) -> None:
    """The source and the role at the start, the ARN with the first token; never a key."""
    caplog.set_level("INFO")
    await harness.ecr.log_credential_source()
    assert harness.aws.count() == 0
    for region in ("eu-west-1", "us-west-2"):
        assert (await harness.fetch(region=region)).role_arn == ROLE
    assert f"AWS credentials: assume-role-with-web-identity, as {ROLE}" in caplog.messages
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/controller/pullkeeper"
    assert [line for line in caplog.messages if line.startswith("AWS caller")] == [f"AWS caller: {session}"]
    harness.check_no_secret(caplog.text)


@pytest.mark.usefixtures("token_file")
async def test_credential_method_and_caller_arn(harness: IdentityHarness) -> None:
    """A failure names the call that failed."""
    assert await harness.ecr.credential_method() == "assume-role-with-web-identity"
    assert await harness.ecr.caller_arn() == f"arn:aws:sts::{ACCOUNT}:assumed-role/controller/pullkeeper"
    harness.aws.deny(operation="GetCallerIdentity", times=1)
    with pytest.raises(
        FailureError, match=r"STS at sts.eu-west-1.amazonaws.com refused GetCallerIdentity .*\(AccessDenied"
    ):
        await harness.ecr.caller_arn()
    harness.aws.reset(operation="GetCallerIdentity", times=3)
    with pytest.raises(FailureError, match="calling GetCallerIdentity of STS in eu-west-1 as"):
        await harness.ecr.caller_arn()


@pytest.mark.parametrize("content", [None, "", "no.jwt.atall"])
async def test_bad_token_file_is_reported_until_it_is_fixed(
    harness: IdentityHarness, token_file: Path, content: str | None
) -> None:
    """Missing, empty or malformed; the next fetch after the fix succeeds."""
    write_or_remove(token_file, content)
    await harness.ecr.log_credential_source()
    found = await harness.failure()
    expected = {None: Reason.CREDENTIALS_MISSING, "": None, "no.jwt.atall": Reason.CREDENTIALS_INVALID}[content]
    assert expected in (None, found.reason)
    write_or_remove(token_file, harness.issuer.token(SUBJECT))
    assert (await harness.fetch()).role_arn == ROLE


async def test_rotated_token_file_is_read_again(harness: IdentityHarness, token_file: Path) -> None:
    """A new session uses the token that is in the file by then."""
    await harness.fetch()
    write_or_remove(token_file, harness.issuer.token(SUBJECT, now=utcnow() - timedelta(minutes=1)))
    harness.aws.expire_credentials()
    assert (await harness.fetch()).role_arn == ROLE
    assert harness.metrics.reasons == [None, None]


async def test_pod_identity(harness: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The agent returns the pod's role; without an association the failure names it."""
    write_or_remove(tmp_path / "token", "pod-identity-token")
    harness.configure(harness.aws.environment(container_token_file=str(tmp_path / "token")))
    caplog.set_level("INFO")
    found = await harness.failure()
    assert found.reason is Reason.ACCESS_DENIED
    assert "check the Pod Identity association and its agent" in found.message
    harness.aws.associate(ROLE, token="pod-identity-token")
    await harness.ecr.log_credential_source()
    assert (await harness.fetch()).role_arn == ROLE
    assert any(line.startswith("AWS credentials: container-role") for line in caplog.messages)
    harness.check_no_secret(caplog.text)
