"""Every fault of the fake, seen through boto3."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ProxyConnectionError, ReadTimeoutError

from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, serve, serve_in_thread, utcnow
from testsupport.fake_aws.clients import clients
from testsupport.waiting import HANG_GUARD, block_until

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


def refused(fake: AwsFake, service: str) -> tuple[str, int, str]:
    with clients(fake) as aws, pytest.raises(ClientError) as raised:
        aws.call(service)
    response = raised.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


@pytest.mark.parametrize(
    ("service", "options", "expected"),
    [
        ("ecr", {}, ("ThrottlingException", 400)),
        ("ecr-public", {}, ("ThrottlingException", 400)),
        ("sts", {}, ("Throttling", 400)),
        ("ecr", {"code": "RequestLimitExceeded"}, ("RequestLimitExceeded", 400)),
        ("ecr", {"code": "TooManyRequestsException", "status": 429}, ("TooManyRequestsException", 429)),
        ("sts", {"status": 429}, ("Throttling", 429)),
    ],
)
def test_throttling_has_the_code_of_the_service(
    fake: AwsFake, service: str, options: dict[str, Any], expected: tuple[str, int]
) -> None:
    fake.throttle(**options)
    assert refused(fake, service) == (*expected, "Rate exceeded")
    assert [(each.outcome, each.fault) for each in fake.calls] == [(expected[0], "throttle")]


@pytest.mark.parametrize(
    ("service", "code", "status"), [("ecr", "AccessDeniedException", 400), ("sts", "AccessDenied", 403)]
)
def test_a_denial_names_the_caller(fake: AwsFake, service: str, code: str, status: int) -> None:
    fake.deny(principal="*:user/pullkeeper")
    found = refused(fake, service)
    assert found[:2] == (code, status)
    assert found[2].startswith(f"User: {USER_ARN} is not authorized to perform: {service}:Get")


@pytest.mark.parametrize("service", ["ecr", "ecr-public", "sts"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_has_its_code_and_status(fake: AwsFake, service: str, status: int) -> None:
    fake.fail("InternalFailure", status, "down")
    assert refused(fake, service) == ("InternalFailure", status, "down")


def test_botocores_retries_are_counted_one_by_one(fake: AwsFake) -> None:
    fake.throttle(times=2)
    with clients(fake, attempts=3) as aws:
        aws.ecr.get_authorization_token()
    assert fake.count("GetAuthorizationToken") == 3
    assert fake.count("GetAuthorizationToken", faulted=True) == 2
    assert fake.count("GetAuthorizationToken", faulted=False, outcome="ok") == 1
    assert fake.faults == []


def test_a_fault_hits_its_scope_only(fake: AwsFake) -> None:
    fake.fail(operation="AssumeRole", principal=ROLE)
    fake.fail(operation="GetAuthorizationToken", region="us-west-2")
    with clients(fake) as here, clients(fake, region="us-west-2") as there:
        here.ecr.get_authorization_token()
        there.sts.get_caller_identity()
        for hit in (
            there.ecr.get_authorization_token,
            lambda: here.sts.assume_role(RoleArn=ROLE, RoleSessionName="test"),
        ):
            with pytest.raises(ClientError):
                hit()
    assert [each.faulted for each in fake.calls] == [False, False, True, True]


def test_clearing_one_fault_leaves_the_others(fake: AwsFake) -> None:
    first, second = fake.fail("First", 500), fake.fail("Second", 500)
    assert refused(fake, "ecr")[0] == "First"
    first.clear()
    assert refused(fake, "ecr")[0] == "Second"
    assert (first.played, second.played) == (1, 1)
    fake.clear_faults()
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()


def test_a_fault_is_played_at_least_once(fake: AwsFake) -> None:
    with pytest.raises(ValueError, match="at least once"):
        fake.fail(times=0)


def test_a_held_call_goes_on_when_the_fault_is_cleared_and_holds_nobody_else(fake: AwsFake) -> None:
    fault = fake.hang(operation="GetAuthorizationToken", times=1)
    with clients(fake) as aws, ThreadPoolExecutor(1) as pool:
        held = pool.submit(aws.ecr.get_authorization_token)
        assert fault.wait_played()
        assert fake.count(outcome="pending", faulted=True) == 1
        aws.sts.get_caller_identity()
        aws.ecr.get_authorization_token()
        assert not held.done()
        fault.clear()
        assert held.result(HANG_GUARD)["authorizationData"]
    assert [each.outcome for each in fake.calls] == ["ok", "ok", "ok"]


def test_a_client_that_gives_up_leaves_nothing_behind(fake: AwsFake) -> None:
    fake.hang(service="ecr")
    with clients(fake, read_timeout=0.2) as aws, pytest.raises(ReadTimeoutError):
        aws.ecr.get_authorization_token()
    block_until(lambda: fake.calls[0].outcome != "pending", "the fake to notice that the client has gone")
    assert fake.calls[0].outcome == "client gone"
    assert fake.tokens == []


def test_the_fake_shuts_down_at_once_while_a_call_hangs() -> None:
    with ThreadPoolExecutor(1) as pool:
        with serve_in_thread() as fake, clients(fake) as aws:
            fault = fake.hang()
            held = pool.submit(aws.ecr.get_authorization_token)
            assert fault.wait_played()
        with pytest.raises(ProxyConnectionError):
            held.result(HANG_GUARD)
    assert fake.calls[0].outcome == "connection reset"


def test_a_slow_answer_is_late_and_right(fake: AwsFake) -> None:
    slow = fake.slow(HANG_GUARD, operation="GetAuthorizationToken")
    with clients(fake) as aws, ThreadPoolExecutor(1) as pool:
        late = pool.submit(aws.ecr.get_authorization_token)
        assert slow.wait_played()
        aws.sts.get_caller_identity()
        assert not late.done()
        slow.clear()
        assert late.result(HANG_GUARD)["authorizationData"]
    assert [each.fault for each in fake.calls] == ["slow", None]


def test_a_delay_goes_together_with_what_follows_it(fake: AwsFake) -> None:
    fake.throttle()
    fake.slow(0.01)
    assert refused(fake, "ecr")[0] == "ThrottlingException"
    assert fake.calls[0].fault == "slow+throttle"


@pytest.mark.parametrize("service", ["ecr", "ecr-public", "sts"])
def test_a_reset_breaks_the_connection(fake: AwsFake, service: str) -> None:
    fake.reset(times=1)
    with clients(fake) as aws:
        # A connection that breaks off in a tunnel is the proxy's to botocore.
        with pytest.raises(ProxyConnectionError):
            aws.call(service)
        aws.call(service)
    assert [each.outcome for each in fake.calls] == ["connection reset", "ok"]


async def test_serve_runs_on_the_tests_own_loop() -> None:
    async with serve() as fake:
        with clients(fake) as aws:
            await asyncio.to_thread(aws.ecr.get_authorization_token)
    assert [each.outcome for each in fake.calls] == ["ok"]


def test_a_count_can_start_at_a_moment_or_anew(fake: AwsFake) -> None:
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()
        middle = utcnow()
        aws.ecr.get_authorization_token()
        assert (fake.count(), fake.count(since=middle)) == (2, 1)
    fake.forget_calls()
    assert fake.calls == []


def test_no_secret_shows_in_a_repr(fake: AwsFake) -> None:
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()
        aws.sts.assume_role(RoleArn=ROLE, RoleSessionName="test")
    shown = repr((fake.calls, fake.tokens, fake.static_credentials))
    assert not [secret for secret in fake.secrets if secret in shown]
    assert len(fake.secrets) >= 6
