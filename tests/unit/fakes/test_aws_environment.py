"""The ways in which a process comes to its credentials: keys, IRSA, Pod Identity, the node's role."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, serve_in_thread
from testsupport.fake_aws.clients import session_clients
from testsupport.fake_aws.issuer import Issuer
from testsupport.waiting import HANG_GUARD

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/puller"
SUBJECT = "system:serviceaccount:team-a:puller"
SHORT = Config(
    connect_timeout=HANG_GUARD, read_timeout=HANG_GUARD, retries={"total_max_attempts": 1, "mode": "standard"}
)


@cache
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        running.trust_issuer(issuer().url, issuer().jwks())
        running.allow_role(ROLE, trusts_subjects="system:serviceaccount:team-?:*")
        yield running


def use(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> boto3.Session:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


def method_and_caller(session: boto3.Session) -> tuple[str | None, str]:
    credentials = session.get_credentials()
    with session_clients(session, SHORT) as aws:
        aws.ecr.get_authorization_token()
        aws.ecr_public.get_authorization_token()
        return credentials.method if credentials else None, aws.sts.get_caller_identity()["Arn"]


def test_the_environment_alone_points_a_process_at_the_fake(fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> None:
    session = use(monkeypatch, fake.environment())
    assert method_and_caller(session) == ("env", USER_ARN)
    assert [call.service for call in fake.calls] == ["ecr", "ecr-public", "sts"]


def test_the_environment_names_no_endpoint_and_no_region_unless_told_to(fake: AwsFake) -> None:
    """As in a pod: names follow from regions and hosts."""
    there = set(fake.environment())
    assert not [name for name in there if "ENDPOINT" in name]
    assert there - set(fake.environment(region=None)) == {"AWS_REGION", "AWS_DEFAULT_REGION"}


def test_irsa_works_from_the_environment(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(issuer().token(SUBJECT))
    session = use(monkeypatch, fake.environment(web_identity_token_file=str(file), role_arn=ROLE))
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/puller/pullkeeper"
    assert method_and_caller(session) == ("assume-role-with-web-identity", arn)


def test_the_node_role_comes_from_instance_metadata(fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.set_node_role(ROLE)
    method, arn = method_and_caller(use(monkeypatch, fake.environment(instance_metadata=True)))
    assert method == "iam-role"
    assert arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/puller/i-")
    assert fake.count("GetMetadataToken") == 1
    assert fake.count("GetInstanceCredentials") == 2


def test_without_a_node_role_there_are_no_credentials(fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert use(monkeypatch, fake.environment(instance_metadata=True)).get_credentials() is None


@pytest.mark.parametrize("fixed", [True, False])
def test_pod_identity_checks_the_token(
    fake: AwsFake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fixed: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    token = "a-fixed-token" if fixed else issuer().token(SUBJECT, audience="pods.eks.amazonaws.com")
    fake.associate(ROLE, token=token if fixed else None, subject=None if fixed else SUBJECT)
    file = tmp_path / "token"
    file.write_text(token)
    session = use(monkeypatch, fake.environment(container_token_file=str(file)))
    method, arn = method_and_caller(session)
    assert method == "container-role"
    assert arn.endswith(":assumed-role/puller/eks-fake-pod")


def test_pod_identity_refuses_a_wrong_token(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.associate(ROLE, token="right")
    (tmp_path / "token").write_text("wrong")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    session = use(monkeypatch, fake.environment(container_token_file=str(tmp_path / "token")))
    with pytest.raises(CredentialRetrievalError):
        session.get_credentials()
    assert fake.count("GetContainerCredentials", outcome="AccessDeniedException") == 3
