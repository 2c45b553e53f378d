"""The controller's own identity, in the ways in which a pod is given one."""

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
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        built.aws.allow_role(ROLE, trusts_subjects=SUBJECT)
        yield built


@pytest.fixture
def token_file(there: IdentityHarness, tmp_path: Path) -> Path:
    """Give the process IRSA, with its projected token in a file."""
    file = tmp_path / "token"
    file.write_text(there.issuer.token(SUBJECT))
    there.live(there.aws.environment(web_identity_token_file=str(file), role_arn=ROLE))
    return file


def put(file: Path, content: str | None) -> None:
    """Write a file as the kubelet would, or take it away."""
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)


@pytest.mark.usefixtures("token_file")
async def test_irsa_is_said_at_the_start(there: IdentityHarness, caplog: pytest.LogCaptureFixture) -> None:
    """The log says the way and the role, then with the first token who STS says that it is; never a key."""
    caplog.set_level("INFO")
    await there.ecr.introduce()
    for region in ("eu-west-1", "us-west-2"):
        assert (await there.fetch(region=region)).role_arn == ROLE
    assert f"AWS credentials: assume-role-with-web-identity, as {ROLE}" in caplog.messages
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/controller/pullkeeper"
    assert [line for line in caplog.messages if line.startswith("AWS caller")] == [f"AWS caller: {session}"]
    there.check_silence(caplog.text)


@pytest.mark.usefixtures("token_file")
async def test_the_caller_and_the_way_can_be_asked_for(there: IdentityHarness) -> None:
    """Whoever wants to know is told, or is told why not, in words of that call."""
    assert await there.ecr.way() == "assume-role-with-web-identity"
    assert await there.ecr.caller("eu-west-1") == f"arn:aws:sts::{ACCOUNT}:assumed-role/controller/pullkeeper"
    there.aws.deny(operation="GetCallerIdentity", times=1)
    with pytest.raises(FailureError, match=r"STS refused GetCallerIdentity for .* in eu-west-1 \(AccessDenied"):
        await there.ecr.caller("eu-west-1")
    there.aws.reset(operation="GetCallerIdentity", times=3)
    with pytest.raises(FailureError, match="asking STS in eu-west-1 who this is, as"):
        await there.ecr.caller("eu-west-1")


@pytest.mark.parametrize("content", [None, "", "no.jwt.atall"])
async def test_a_token_file_in_trouble_is_told_and_got_over(
    there: IdentityHarness, token_file: Path, content: str | None
) -> None:
    """Missing, empty or broken, it is a reason; once the kubelet has mended it the next fetch has a token."""
    put(token_file, content)
    await there.ecr.introduce()
    found = await there.failure()
    expected = {None: Reason.CREDENTIALS_MISSING, "": None, "no.jwt.atall": Reason.CREDENTIALS_INVALID}[content]
    assert expected in (None, found.reason)
    put(token_file, there.issuer.token(SUBJECT))
    assert (await there.fetch()).role_arn == ROLE


async def test_a_rotated_token_file_is_read_again(there: IdentityHarness, token_file: Path) -> None:
    """When the session has ended a new one is had with the token as it is in the file by then."""
    await there.fetch()
    put(token_file, there.issuer.token(SUBJECT, now=utcnow() - timedelta(minutes=1)))
    there.aws.expire_credentials()
    assert (await there.fetch()).role_arn == ROLE
    assert there.meters.reasons == [None, None]


async def test_pod_identity_serves(there: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The agent's credentials are the pod's role; where it gives none, the words name the association."""
    put(tmp_path / "token", "pod-identity-token")
    there.live(there.aws.environment(container_token_file=str(tmp_path / "token")))
    caplog.set_level("INFO")
    found = await there.failure()
    assert found.reason is Reason.CREDENTIALS_MISSING
    assert "check the Pod Identity association and its agent" in found.message
    there.aws.associate(ROLE, token="pod-identity-token")
    await there.ecr.introduce()
    assert (await there.fetch()).role_arn == ROLE
    assert any(line.startswith("AWS credentials: container-role") for line in caplog.messages)
    there.check_silence(caplog.text)
