"""The environment of a process that is to use the fake instead of AWS."""

from __future__ import annotations

import os

from testsupport.fake_aws.records import Session


def configuration(region: str | None) -> dict[str, str]:
    """Everything but network and credentials. The machine's own AWS configuration is kept out."""
    regions = {} if region is None else {"AWS_DEFAULT_REGION": region, "AWS_REGION": region}
    return {**regions, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def static_keys(session: Session) -> dict[str, str]:
    """Give a set of credentials as variables."""
    keys = {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
    }
    return keys | ({"AWS_SESSION_TOKEN": session.session_token} if session.session_token else {})


def web_identity(token_file: str, role_arn: str) -> dict[str, str]:
    """Give what EKS' webhook sets for IRSA."""
    return {
        "AWS_WEB_IDENTITY_TOKEN_FILE": token_file,
        "AWS_ROLE_ARN": role_arn,
        "AWS_ROLE_SESSION_NAME": "pullkeeper",
    }


def pod_identity(url: str, token_file: str) -> dict[str, str]:
    """Give what EKS sets for Pod Identity."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
    }


def instance_metadata(url: str, *, enabled: bool) -> dict[str, str]:
    """Point to the metadata endpoint, or keep botocore from asking for one.

    By a name: the node's service has no loopback address, which would tell of a service in the pod.
    """
    if not enabled:
        return {"AWS_EC2_METADATA_DISABLED": "true"}
    endpoint = url.replace("127.0.0.1", "localhost")
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}
