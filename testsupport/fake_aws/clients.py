"""Real boto3 clients that talk to the fake, without retries unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from testsupport.fake_aws.fake import AwsFake
from testsupport.fake_aws.records import Session
from testsupport.waiting import HANG_GUARD

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient
    from types_boto3_ecr_public import ECRPublicClient
    from types_boto3_sts import STSClient


def code_of(error: ClientError) -> tuple[str, int]:
    """Give the AWS error code and the HTTP status of an error."""
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clients:
    """One client of each service, in one region (ECR Public always in us-east-1)."""

    ecr: ECRClient
    ecr_public: ECRPublicClient
    sts: STSClient

    def call(self, service: str) -> Any:
        """Call the operation of a service that needs no argument: ecr, ecr-public or sts."""
        match service:
            case "ecr":
                return self.ecr.get_authorization_token()
            case "ecr-public":
                return self.ecr_public.get_authorization_token()
            case _:
                return self.sts.get_caller_identity()


@contextmanager
def clients(
    fake: AwsFake,
    credentials: Session | None = None,
    *,
    region: str = "eu-west-1",
    read_timeout: float = HANG_GUARD,
    attempts: int = 1,
) -> Iterator[Clients]:
    """Clients with these credentials (the fake's static ones if none are given)."""
    config = Config(
        connect_timeout=HANG_GUARD,
        read_timeout=read_timeout,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    with session_clients(_session(credentials or fake.static_credentials, region), config, fake.url) as made:
        yield made


def _session(credentials: Session, region: str) -> boto3.Session:
    return boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=region,
    )


@contextmanager
def session_clients(session: boto3.Session, config: Config, url: str | None = None) -> Iterator[Clients]:
    """Clients of a session; without a URL the environment says where."""
    made = Clients(
        ecr=session.client("ecr", endpoint_url=url, config=config),
        ecr_public=session.client("ecr-public", endpoint_url=url, config=config, region_name="us-east-1"),
        sts=session.client("sts", endpoint_url=url, config=config),
    )
    try:
        yield made
    finally:
        made.ecr.close()
        made.ecr_public.close()
        made.sts.close()
