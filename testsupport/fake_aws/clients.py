"""Real boto3 clients that talk to the fake, without retries unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
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
    session = session_of(credentials or fake.static_credentials, region)
    config = _config(fake, read_timeout=read_timeout, attempts=attempts)
    with session_clients(session, config, fake.network.ca_file) as made:
        yield made


@contextmanager
def client(
    fake: AwsFake, service: str, region: str, *, session: boto3.Session | None = None, options: Config | None = None
) -> Iterator[Any]:  # botocore's client
    """Give one client of any service, region and endpoint variant (`use_fips_endpoint` and so on in the options)."""
    create: Any = (session or session_of(fake.static_credentials)).client
    config = _config(fake).merge(options or Config())
    made = create(service, region_name=region, config=config, verify=fake.network.ca_file)
    try:
        yield made
    finally:
        made.close()


def _config(fake: AwsFake, *, read_timeout: float = HANG_GUARD, attempts: int = 1) -> Config:
    return Config(
        connect_timeout=HANG_GUARD,
        read_timeout=read_timeout,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        proxies={"https": fake.network.url},
    )


def session_of(credentials: Session, region: str = "eu-west-1") -> boto3.Session:
    """Give a session with these credentials; what botocore knows of AWS is read once for all of them."""
    core = botocore.session.Session()
    core.register_component("data_loader", _loader())
    return boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=region,
        botocore_session=core,
    )


@cache
def _loader() -> Any:  # botocore's loader of its data
    return botocore.session.Session().get_component("data_loader")


@contextmanager
def session_clients(session: boto3.Session, config: Config, ca_file: str | None = None) -> Iterator[Clients]:
    """Clients of a session; without a CA file the environment says whom to trust."""
    made = Clients(
        ecr=session.client("ecr", verify=ca_file, config=config),
        ecr_public=session.client("ecr-public", verify=ca_file, config=config, region_name="us-east-1"),
        sts=session.client("sts", verify=ca_file, config=config),
    )
    try:
        yield made
    finally:
        made.ecr.close()
        made.ecr_public.close()
        made.sts.close()
