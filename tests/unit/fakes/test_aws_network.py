"""The hosts of AWS: which exist, whose credentials they know, and what stands in the way to them."""

from __future__ import annotations

import itertools
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointVariantError, ProxyConnectionError, SSLError

from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, Session, serve_in_thread
from testsupport.fake_aws.clients import client, clients, code_of, session_clients, session_of
from testsupport.fake_aws.endpoints import Endpoint, endpoints
from testsupport.fake_aws.issuer import Issuer
from testsupport.waiting import HANG_GUARD, block_until

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"
SUBJECT = "system:serviceaccount:team-a:puller"
PARTITIONS = ("aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov")
SERVICES = ("ecr", "ecr-public", "sts")
VARIANTS = tuple(itertools.product((False, True), repeat=2))
BROKEN_OFF = (ProxyConnectionError, ConnectionClosedError, SSLError)
HELLO = b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01\x02\x00"
"""A tunnel, and the beginning of a handshake."""
API_NAMES = {"ecr": "api.ecr", "ecr-public": "api.ecr-public", "sts": "sts"}
"""What botocore's list of endpoints calls the services."""


@cache
def issuer() -> Issuer:
    return Issuer()


def options(*, fips: bool = False, dual_stack: bool = False) -> Config:
    return Config(use_fips_endpoint=fips or None, use_dualstack_endpoint=dual_stack or None)


def ask(made: Any) -> None:
    """Call what each service has."""
    made.get_caller_identity() if made.meta.service_model.service_name == "sts" else made.get_authorization_token()


def user_of(fake: AwsFake, partition: str) -> Session:
    return fake.add_user(f"arn:{partition}:iam::{ACCOUNT}:user/pullkeeper")


def reached(fake: AwsFake, partition: str) -> Iterator[tuple[str, str, bool, bool]]:
    """Send one request by botocore's own idea of the endpoint of each service, region and variant."""
    session = session_of(user_of(fake, partition))
    regions = session.get_available_regions("sts", partition_name=partition)
    for service, region, (fips, dual) in itertools.product(SERVICES, regions, VARIANTS):
        try:
            wanted = options(fips=fips, dual_stack=dual)
            with client(fake, service, region, session=session, options=wanted) as made:
                ask(made)
        except ClientError as error:
            assert code_of(error) == ("UnsupportedCommandException", 400)  # noqa: PT017 -- or none at all
        except (ProxyConnectionError, EndpointVariantError):
            continue
        yield service, region, fips, dual


def listed(partition: str) -> Iterator[tuple[str, str, bool, bool]]:
    """Read botocore's list: each endpoint that has a host of its own, and where there is none the plain one."""
    for each in boto3.Session()._session.get_component("data_loader").load_data("endpoints")["partitions"]:  # noqa: SLF001 -- the list has no other door
        for service, name in API_NAMES.items() if each["partition"] == partition else ():
            for region, entry in each["services"].get(name, {"endpoints": {}})["endpoints"].items():
                if not entry.get("deprecated") and region != "aws-global":
                    yield service, region, False, False
                    for variant in entry.get("variants", ()):
                        yield service, region, "fips" in variant["tags"], "dualstack" in variant["tags"]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_exactly_the_endpoints_that_botocore_lists_exist(fake: AwsFake, partition: str) -> None:
    """A request goes where botocore sends it, signed as botocore signs it; no other variant or region answers."""
    assert sorted(reached(fake, partition)) == sorted(listed(partition))
    assert {call.outcome for call in fake.calls} <= {"ok", "UnsupportedCommandException"}
    assert [(call.host, call.region) for call in fake.calls] == [
        (each.host, each.region) for each in (endpoints()[call.host or ""] for call in fake.calls)
    ]


def test_regions_of_the_future_do_not_exist_yet(fake: AwsFake) -> None:
    """Botocore knows their partition by the form of their name, and no endpoint there."""
    for region in ("sa-west-1", "eu-nowhere-9", "us-iso-north-7"):
        with client(fake, "ecr", region) as made, pytest.raises(ProxyConnectionError):
            ask(made)
    assert fake.calls == []


def test_the_global_endpoint_of_sts_is_in_virginia(fake: AwsFake) -> None:
    with client(fake, "sts", "aws-global") as made:
        ask(made)
    assert [(call.host, call.region) for call in fake.calls] == [("sts.amazonaws.com", "us-east-1")]


@pytest.mark.parametrize("host", [f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws"])
def test_registries_are_behind_the_same_network(fake: AwsFake, host: str) -> None:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": fake.network.url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=fake.network.ca_file)),
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        opener.open(f"https://{host}/v2/", timeout=HANG_GUARD)
    raised.value.close()
    assert raised.value.code == 401
    assert [(call.host, call.outcome) for call in fake.probes(host)] == [(host, "UNAUTHORIZED")]


@pytest.mark.parametrize(
    ("host", "there"),
    [
        (f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com", True),
        (f"{ACCOUNT}.dkr.ecr-fips.eu-west-1.amazonaws.com", False),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws", True),
        (f"{ACCOUNT}.dkr-ecr-fips.us-gov-west-1.on.aws", True),
        (f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", True),
        (f"{ACCOUNT}.dkr-ecr.us-iso-east-1.on.aws", False),
        (f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu", True),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.cn", False),
        (f"{ACCOUNT}.dkr.ecr.eu-nowhere-1.amazonaws.com", False),
        ("dkr.ecr.eu-west-1.amazonaws.com", False),
        ("example.com", False),
    ],
)
def test_a_registry_exists_where_its_api_does(fake: AwsFake, host: str, there: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    assert (fake.network.obstacle(host) is None) == there


@pytest.mark.parametrize("partition", [each for each in PARTITIONS if each != "aws"])
def test_a_partition_has_never_heard_of_the_others_credentials(fake: AwsFake, partition: str) -> None:
    (region, *_) = boto3.Session().get_available_regions("ecr", partition_name=partition)
    foreign = user_of(fake, partition)
    for there, who in ((region, fake.static_credentials), ("eu-west-1", foreign)):
        for service, code in (("ecr", ("UnrecognizedClientException", 400)), ("sts", ("InvalidClientTokenId", 403))):
            with client(fake, service, there, session=session_of(who)) as made, pytest.raises(ClientError) as raised:
                ask(made)
            assert code_of(raised.value) == code


def test_sts_refuses_a_role_of_another_partition(fake: AwsFake) -> None:
    fake.trust_issuer(issuer().url, issuer().jwks())
    role = ROLE.replace(":aws:", ":aws-cn:")
    fake.allow_role(role, trusts_subjects=SUBJECT, trusted_principals=USER_ARN)
    who: Any = {"RoleArn": role, "RoleSessionName": "test"}
    with clients(fake) as aws:
        with pytest.raises(ClientError) as by_keys:
            aws.sts.assume_role(**who)
        with pytest.raises(ClientError) as by_token:
            aws.sts.assume_role_with_web_identity(**who, WebIdentityToken=issuer().token(SUBJECT))
    for raised in (by_keys, by_token):
        assert code_of(raised.value) == ("ValidationError", 400)
        assert raised.value.response["Error"]["Message"] == "Request ARN is invalid"
    with client(fake, "sts", "cn-north-1") as there:
        there.assume_role_with_web_identity(**who, WebIdentityToken=issuer().token(SUBJECT))


def test_a_disabled_region_refuses_web_identities_too(fake: AwsFake) -> None:
    """It says for which account, which no other region's answer depends on."""
    fake.trust_issuer(issuer().url, issuer().jwks())
    fake.allow_role(ROLE, trusts_subjects=SUBJECT)
    fake.disable_region("me-south-1")
    who = {"RoleArn": ROLE, "RoleSessionName": "test", "WebIdentityToken": issuer().token(SUBJECT)}
    with client(fake, "sts", "me-south-1") as disabled, pytest.raises(ClientError) as raised:
        disabled.assume_role_with_web_identity(**who)
    assert code_of(raised.value) == ("RegionDisabledException", 403)
    assert f"account:{ACCOUNT}" in raised.value.response["Error"]["Message"]
    with client(fake, "sts", "eu-west-1") as enabled:
        enabled.assume_role_with_web_identity(**who)


def test_an_unreachable_host_is_refused_by_the_proxy_until_it_is_restored(fake: AwsFake) -> None:
    """Tunnels that are open serve it no longer either."""
    with clients(fake) as here, clients(fake, region="eu-west-2") as there:
        here.ecr.get_authorization_token()
        fake.network.unreachable("*.eu-west-1.*")
        with pytest.raises(ProxyConnectionError):
            here.ecr.get_authorization_token()
        there.ecr.get_authorization_token()
        fake.network.restore("*.eu-west-1.*")
        here.ecr.get_authorization_token()


def test_tunnels_are_broken_off_at_once(fake: AwsFake) -> None:
    """Not under the next request, which might be lost in one or answered by it yet."""
    with clients(fake) as aws:
        for number in range(1, 30):
            aws.ecr.get_authorization_token()
            fake.network.hang_up()
            assert len(fake.network.asked) == number


@pytest.mark.parametrize("how", ["hang", "swallow"])
def test_a_silent_host_delays_nobody_else(fake: AwsFake, how: str) -> None:
    """Nothing comes back before or after the tunnel is open, for as long as the client waits."""
    host = "api.ecr.eu-west-1.amazonaws.com"
    getattr(fake.network, how)(host)
    with clients(fake, attempts=1) as silent, clients(fake, region="eu-west-2") as there, ThreadPoolExecutor(1) as pool:
        held = pool.submit(silent.ecr.get_authorization_token)
        block_until(lambda: host in fake.network.asked, "the silent host to be asked")
        for _ in range(3):
            there.ecr.get_authorization_token()
        assert not held.done()
        assert fake.count(region="eu-west-1") == 0
        fake.network.hang_up()
        with pytest.raises(BROKEN_OFF):
            held.result(HANG_GUARD)


def test_what_was_said_last_about_a_host_holds(fake: AwsFake) -> None:
    fake.network.hang("*")
    fake.network.unreachable("sts.*", 502)
    assert fake.network.obstacle("sts.eu-west-1.amazonaws.com") == 502
    assert fake.network.obstacle("api.ecr.eu-west-1.amazonaws.com") not in {None, 502}
    fake.network.restore()
    assert fake.network.obstacle("sts.eu-west-1.amazonaws.com") is None


def test_an_answer_drips_until_the_fault_is_cleared(fake: AwsFake) -> None:
    """One byte after the other, each within any read timeout; the rest comes in one."""
    fault = fake.drip(HANG_GUARD, host="api.ecr.*")
    with clients(fake) as aws, ThreadPoolExecutor(1) as pool:
        late = pool.submit(aws.ecr.get_authorization_token)
        assert fault.wait_played()
        aws.sts.get_caller_identity()
        assert not late.done()
        fault.clear()
        assert late.result(HANG_GUARD)["authorizationData"]
    assert [call.fault for call in fake.calls] == ["drip", None]


def test_a_client_that_does_not_trust_the_ca_gets_nowhere(fake: AwsFake) -> None:
    config = Config(proxies={"https": fake.network.url}, retries={"total_max_attempts": 1})
    session = session_of(fake.static_credentials)
    with session_clients(session, config) as made, pytest.raises(SSLError):
        made.sts.get_caller_identity()
    with clients(fake) as aws:
        aws.sts.get_caller_identity()
    assert len(fake.calls) == 1


def test_every_endpoint_has_a_host_of_its_own() -> None:
    hosts = [each.host for each in endpoints().values()]
    assert len(set(hosts)) == len(hosts) > 100
    virginia = Endpoint(host="sts.amazonaws.com", service="sts", region="us-east-1", partition="aws")
    assert endpoints()["sts.amazonaws.com"] == virginia


def test_the_fake_ends_with_tunnels_open() -> None:
    with serve_in_thread() as fake:
        fake.network.swallow("sts.*")
        with ThreadPoolExecutor(1) as pool, clients(fake) as aws:
            aws.ecr.get_authorization_token()
            held = pool.submit(aws.sts.get_caller_identity)
            while "sts.eu-west-1.amazonaws.com" not in fake.network.asked:
                assert not held.done()
            fake.network.hang_up()
            with pytest.raises(BROKEN_OFF):
                held.result(HANG_GUARD)


@pytest.mark.parametrize("sent", [b"", b"CONNECT", b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n", HELLO])
def test_the_fake_ends_with_clients_that_have_said_half_of_it(sent: bytes) -> None:
    """Nothing of them stays open behind it, which pytest would turn into an error."""
    for _ in range(10):
        with serve_in_thread() as fake:
            where = urlsplit(fake.network.url)
            with socket.create_connection((where.hostname, where.port)) as client:
                client.sendall(sent)
