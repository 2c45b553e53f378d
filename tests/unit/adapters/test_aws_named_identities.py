"""The controller's named identities: each with one source, apart from the others and from the environment."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.adapters.aws import Ecr
from pullkeeper.adapters.aws.caller_principal import AskSts
from pullkeeper.adapters.aws.own_identities import OwnIdentities
from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Session, own, role
from pullkeeper.domain.iam.principal import of_access_key, of_role
from pullkeeper.tokens.demand import Requester
from tests.unit.adapters.identity_harness import IdentityHarness, identity_harness
from testsupport.client_certificates import anchor, authority
from testsupport.client_certificates import settings as anywhere
from testsupport.examples import demand
from testsupport.fake_aws import ACCOUNT, USER_ARN
from testsupport.fake_aws.environment import static_keys

CHINA, BEIJING = f"arn:aws-cn:iam::{ACCOUNT}:role/pullkeeper", "cn-north-1"
GOV_USER, GOV = f"arn:aws-us-gov:iam::{ACCOUNT}:user/pullkeeper", "us-gov-west-1"
IRELAND, EDGE = "eu-west-1", f"arn:aws:iam::{ACCOUNT}:role/edge"
SUBJECT = "system:serviceaccount:pullkeeper:controller"


class World:
    """Keys in the environment, and beside them an identity of each source."""

    def __init__(self, harness: IdentityHarness, folder: Path) -> None:
        self.harness, self.aws, self.folder = harness, harness.aws, folder
        self.aws.allow_role(CHINA, trusts_subjects=SUBJECT)
        self.root = authority()
        anchor(self.aws, self.root, EDGE)
        self.root.write(folder / "certificate")
        self.user = self.aws.add_user(GOV_USER)
        self.write_token()
        self.write_keys()
        self.known: list[tuple[str, str]] = []

    def write_token(self) -> None:
        (self.folder / "token").write_text(self.harness.issuer.token(SUBJECT))

    def write_keys(self) -> None:
        lines = [f"{key.lower()} = {text}" for key, text in static_keys(self.user).items()]
        (self.folder / "keys").write_text("\n".join(["[default]", *lines, ""]))
        (self.folder / "config").write_text(
            "\n".join(["[profile gov]", f"region = {GOV}", *lines, "[profile empty]", ""])
        )

    def start(self, *changed: dict[str, Any]) -> Ecr:
        self.harness.environ("AWS_CONFIG_FILE", str(self.folder / "config"))
        given = changed or (
            self.named("china", webIdentity={"roleArn": CHINA, "tokenFile": str(self.folder / "token")}),
            self.named("edge", rolesAnywhere=anywhere(self.folder / "certificate", EDGE)),
            self.named("gov", keysFile=str(self.folder / "keys"), registries=["*.us-gov-west-1.*"], region=GOV),
            self.named("profile", profile="gov"),
        )
        self.ecr = self.harness.ecr = Ecr(
            environment=os.environ,
            registries=(),
            allow_node_instance_role=False,
            clock=self.harness.clock,
            metrics=self.harness.metrics,
            service_account_token=_none,
            identities=parse_settings({"identities": list(given)}, {}).policy.identities,
        )
        self.ecr.on_principal(lambda name, who: self.known.append((name, who)))
        return self.ecr

    def named(self, name: str, **source: Any) -> dict[str, Any]:
        return {"name": name, "registries": ["*"], **source}


async def _none(identity: Identity) -> str:
    raise AssertionError(identity)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    with identity_harness(monkeypatch) as harness:
        yield World(harness, tmp_path)


async def test_each_identity_is_itself_beside_the_others(world: World) -> None:
    """The environment's keys are nobody else's; each source is asked in its own partition."""
    world.start()
    regions = {own("china"): BEIJING, own("edge"): IRELAND, own("gov"): GOV, own("profile"): GOV, CONTROLLER: IRELAND}
    issued = await asyncio.gather(*(world.harness.fetch(identity, region) for identity, region in regions.items()))
    assert [each.role_arn or each.principal for each in issued] == [CHINA, EDGE, GOV_USER, GOV_USER, USER_ARN]
    asked = {call.host for call in world.aws.calls if call.operation == "AssumeRoleWithWebIdentity"}
    assert asked == {"sts.cn-northwest-1.amazonaws.com.cn"}


async def test_principals_are_known_by_identity_without_a_call(world: World) -> None:
    world.start()
    await world.ecr.log_credential_source()
    keys = of_access_key(world.user.access_key_id)
    known = {
        CONTROLLER.name: of_access_key(world.aws.static_credentials.access_key_id),
        own("china").name: of_role(CHINA),
        own("edge").name: of_role(EDGE),
        own("gov").name: keys,
        own("profile").name: keys,
    }
    assert (dict(world.known), world.aws.count()) == (known, 0)
    requester = Requester(namespace="team-a", first=True)
    assert {name: await world.ecr.principal(requester, Identity(name=name)) for name in known} == known
    assert (await world.ecr.fetch(TokenScope(identity=own("china"), region=BEIJING), demand())).principal == of_role(
        CHINA
    )


async def test_one_that_is_down_leaves_the_others_undisturbed(world: World) -> None:
    world.start()
    (world.folder / "token").unlink()
    failure = await world.harness.failure(own("china"), BEIJING)
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert (await world.harness.fetch(own("gov"), GOV)).principal == GOV_USER
    world.write_token()
    assert (await world.harness.fetch(own("china"), BEIJING)).role_arn == CHINA


async def test_a_role_of_its_own_is_not_that_of_the_environment(world: World) -> None:
    """Where the unnamed identity has a web identity, too."""
    world.harness.environ("AWS_ROLE_ARN", EDGE)
    world.harness.environ("AWS_ROLE_SESSION_NAME", "other")
    world.harness.environ("AWS_WEB_IDENTITY_TOKEN_FILE", str(world.folder / "absent"))
    world.start()
    assert (await world.harness.fetch(own("china"), BEIJING)).role_arn == CHINA


async def test_keys_in_a_file_are_read_anew(world: World) -> None:
    world.start()
    assert (await world.harness.fetch(own("gov"), GOV)).principal == GOV_USER
    world.user = world.aws.add_user(GOV_USER.replace("pullkeeper", "next"))
    world.write_keys()
    assert (await world.harness.fetch(own("gov"), GOV)).principal == GOV_USER.replace("pullkeeper", "next")


@pytest.mark.parametrize("source", [{"profile": "empty"}, {"profile": "absent"}, {"keysFile": "/absent"}])
async def test_an_identity_without_credentials_takes_nobody_elses(world: World, source: dict[str, Any]) -> None:
    """Neither the environment's, nor those of the pod or of its node."""
    world.aws.set_node_role(EDGE)
    world.aws.associate(EDGE, token="pod-identity-token")
    (world.folder / "pod").write_text("pod-identity-token")
    environment = world.aws.environment(container_token_file=str(world.folder / "pod"))
    for name, value in environment.items():
        world.harness.environ(name, value)
    world.start(world.named("x", **source))
    failure = await world.harness.failure(own("x"), IRELAND)
    assert failure.reason in {Reason.CREDENTIALS_MISSING, Reason.CONFIGURATION_INVALID}
    assert world.aws.tokens == []


async def test_a_role_is_assumed_by_the_identity_that_is_named(world: World) -> None:
    team = f"arn:aws-cn:iam::{ACCOUNT}:role/team"
    world.aws.allow_role(team, trusted_principals=CHINA)
    world.start()
    by_china = role(team, Session(name="pullkeeper"), assumed_by=own("china"))
    assert (await world.harness.fetch(by_china, BEIJING)).role_arn == team
    world.aws.expire_credentials(CHINA)
    world.aws.expire_credentials(team)
    assert (await world.harness.fetch(by_china, BEIJING)).role_arn == team


@pytest.mark.parametrize(
    ("identity", "region"),
    [
        (own("china"), IRELAND),
        (own("edge"), BEIJING),
        (own("gov"), IRELAND),
        (role(f"arn:aws:iam::{ACCOUNT}:role/x", Session(name="x"), assumed_by=own("china")), IRELAND),
    ],
)
async def test_another_partition_is_found_before_any_call(world: World, identity: Identity, region: str) -> None:
    world.start()
    failure = await world.harness.failure(identity, region)
    assert failure.reason is Reason.PARTITION_MISMATCH
    assert "use an identity of that partition (`identities` in the settings)" in failure.message
    assert world.aws.count() == 0


@pytest.mark.parametrize(
    ("given", "registries", "expected"),
    [
        ({"keysFile": "/x", "registries": ["*.amazonaws.com.cn"]}, [], "cn-northwest-1"),
        ({"keysFile": "/x", "registries": ["*"]}, [], "us-east-1"),
        ({"keysFile": "/x", "registries": ["*"], "region": "eu-west-3"}, [], "eu-west-3"),
        (
            {"keysFile": "/x", "registries": ["1*"]},
            ["public.ecr.aws", f"{ACCOUNT}.dkr.ecr.eu-west-2.amazonaws.com"],
            "eu-west-2",
        ),
        ({"keysFile": "/x", "registries": ["public.*"]}, ["public.ecr.aws"], "us-east-1"),
        ({"profile": "gov", "registries": ["*"]}, [f"{ACCOUNT}.dkr.ecr.eu-west-2.amazonaws.com"], GOV),
        (
            {"webIdentity": {"roleArn": CHINA, "tokenFile": "/x"}, "registries": ["*"]},
            [f"{ACCOUNT}.dkr.ecr.eu-west-2.amazonaws.com"],
            "cn-northwest-1",
        ),
    ],
)
def test_region_of_its_session_is_of_its_partition(
    world: World, given: dict[str, Any], registries: list[str], expected: str
) -> None:
    """AWS_REGION, which is the unnamed identity's, says nothing of it."""
    world.harness.environ("AWS_CONFIG_FILE", str(world.folder / "config"))
    (named,) = parse_settings({"identities": [{"name": "x", **given}]}, {}).policy.identities
    ask: AskSts = _never
    built = OwnIdentities(
        environment={"AWS_REGION": "eu-central-1"},
        registries=[registry_host.parse(each) for each in registries],
        record_request=lambda *_: None,
        clock=world.harness.clock,
        ask_sts=ask,
    )
    assert built.named(named).region == expected


@pytest.mark.parametrize(
    ("registries", "identities", "expected"),
    [
        (
            [f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", f"{ACCOUNT}.dkr.ecr.eu-west-3.amazonaws.com"],
            [],
            "eu-west-3",
        ),
        ([f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn"], [], "us-east-1"),
        (
            ["public.ecr.aws", f"{ACCOUNT}.dkr.ecr.eu-west-3.amazonaws.com"],
            [{"name": "x", "registries": ["1*"], "profile": "x"}],
            "us-east-1",
        ),
    ],
)
def test_registries_of_others_do_not_say_the_region_of_the_unnamed_identity(
    world: World, registries: list[str], identities: list[dict[str, Any]], expected: str
) -> None:
    """Its role is known to no other partition's STS, whichever registry comes first."""
    world.harness.configure(world.aws.environment(region=None))
    ecr = Ecr(
        environment={"AWS_ROLE_ARN": EDGE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"},
        registries=[registry_host.parse(each) for each in registries],
        allow_node_instance_role=False,
        clock=world.harness.clock,
        metrics=world.harness.metrics,
        service_account_token=_none,
        identities=parse_settings({"identities": identities}, {}).policy.identities,
    )
    assert ecr.region() == expected


async def _never(*_: object) -> str:
    raise AssertionError
