"""A fake of AWS for each test, with one role."""

from collections.abc import Iterator

import pytest

from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, serve_in_thread

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    """Serve AWS with a role that the static user may assume."""
    with serve_in_thread() as running:
        running.allow_role(ROLE, trusted_principals=USER_ARN)
        yield running
