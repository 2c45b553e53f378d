"""One pull Secret over three partitions, each with an identity of the controller's own: none depends on another."""

import json
from typing import Any

import pytest

from testsupport.fake_aws import ACCOUNT
from testsupport.fake_aws.environment import static_keys
from testsupport.installation import FAST_ROTATION, IRELAND, ROLE, Installation, auths
from testsupport.secret_recorder import SecretRecorder, Version
from testsupport.tenant_identities import issued_to

pytestmark = pytest.mark.slow

BEIJING = f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn"
GOV = f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com"
CHINA_ROLE = f"arn:aws-cn:iam::{ACCOUNT}:role/pullkeeper"
GOV_USER = f"arn:aws-us-gov:iam::{ACCOUNT}:user/pullkeeper"
HOLDERS = {IRELAND: ROLE, BEIJING: CHINA_ROLE, GOV: GOV_USER}
ERRORS = "pullkeeper_token_request_errors_total"


async def _settings(installation: Installation) -> dict[str, Any]:
    """Return settings with a role by web identity in each of two partitions, and keys in a file in the third."""
    issuer = (await installation.api.get("/.well-known/openid-configuration")).ok()["issuer"]
    installation.aws.allow_role(CHINA_ROLE, trusts_subjects=installation.subject, issuer=issuer)
    keys = static_keys(installation.aws.add_user(GOV_USER))
    lines = [f"{name.lower()} = {value}\n" for name, value in keys.items()]
    (installation.folder / "keys").write_text("".join(["[default]\n", *lines]))
    (installation.folder / "china-token").write_text((installation.folder / "aws-token").read_text())
    web_identity = {"roleArn": CHINA_ROLE, "tokenFile": str(installation.folder / "china-token")}
    identities = [
        {"name": "china", "registries": ["*.amazonaws.com.cn"], "webIdentity": web_identity},
        {
            "name": "gov",
            "registries": ["*.us-gov-west-1.amazonaws.com"],
            "keysFile": str(installation.folder / "keys"),
            "region": "us-gov-west-1",
        },
    ]
    return {"registries": list(HOLDERS), "identities": identities}


def _entries(version: Version) -> dict[str, str]:
    return auths(version.secret)


async def _rotated(recorder: SecretRecorder, team: str, before: dict[str, str], *hosts: str) -> dict[str, str]:
    """Wait for a new version whose entries of these registries are others than before; return all of its entries."""
    earlier = recorder.of(team)

    def matches(version: Version) -> bool:
        entries = _entries(version)
        return version not in earlier and all(entries[host] != before[host] for host in hosts)

    found = await recorder.wait(team, matches)
    return _entries(found)


@pytest.mark.usefixtures("short_lived")
async def test_one_pull_secret_over_three_partitions(installation: Installation) -> None:
    """It rotates; while one identity is down, the others do so undisturbed, and its entry stays as it was."""
    process = await installation.start({**FAST_ROTATION, **await _settings(installation)})
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = _entries(await recorder.wait(team, lambda version: set(_entries(version)) == set(HOLDERS)))
        assert issued_to(installation, first) == HOLDERS
        second = await _rotated(recorder, team, first, *HOLDERS)
        assert issued_to(installation, second) == HOLDERS
        assert _asked(installation, "sts") == {"sts.eu-west-1.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"}

        token = (installation.folder / "china-token").read_text()
        (installation.folder / "china-token").unlink()
        installation.aws.expire_credentials(CHINA_ROLE)
        event = await installation.event(team, "TokenFetchFailed")
        assert "controller's identity china" in event["note"]
        before = _entries(recorder.of(team)[-1])
        third = await _rotated(recorder, team, before, IRELAND, GOV)
        assert third[BEIJING] == before[BEIJING]
        assert await process.metric(ERRORS, identity="controller/china") > 0

        (installation.folder / "china-token").write_text(token)
        fourth = await _rotated(recorder, team, third, *HOLDERS)
        assert issued_to(installation, fourth) == HOLDERS
        versions = recorder.of(team)
        assert {version.uid for version in versions} == {versions[0].uid}
        _check_record(versions[-1])


def _asked(installation: Installation, service: str) -> set[str | None]:
    return {call.host for call in installation.aws.calls if call.service == service}


def _check_record(version: Version) -> None:
    """The annotations say which identity has which registry, and who is behind it where that can be told."""
    identities: dict[str, Any] = json.loads(version.annotations["pullkeeper.dev/identity"])
    assert identities == {"controller": [IRELAND], "controller/china": [BEIJING], "controller/gov": [GOV]}
    principals: dict[str, str] = json.loads(version.annotations["pullkeeper.dev/principal"])
    assert principals["controller/china"] == CHINA_ROLE.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")


async def test_restart_with_everything_fresh_makes_no_call(installation: Installation) -> None:
    """Each identity's principal is known from the settings, and is that of the record."""
    settings = await _settings(installation)
    process = await installation.start(settings)
    team = await installation.create_served_namespace()
    await process.until_metric(1, "pullkeeper_namespaces", state="ready")
    await process.stop()
    installation.aws.forget_calls()
    again = await installation.start(settings)
    await again.until_metric(1, "pullkeeper_namespaces", state="ready")
    secret = await installation.secret(team)
    assert secret is not None
    assert set(auths(secret)) == set(HOLDERS)
    assert installation.aws.count() == 0


async def test_a_registry_of_another_partition_is_refused_before_any_call(installation: Installation) -> None:
    """Its neighbours in the same pull Secret are served."""
    await installation.start({"registries": [IRELAND, BEIJING]})
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "are of partition aws, cn-north-1 is of aws-cn: use an identity of that partition" in event["note"]
    await installation.event(team, "PullSecretCreated")
    secret = await installation.secret(team)
    assert secret is not None
    assert set(auths(secret)) == {IRELAND}
    assert {call.region for call in installation.aws.calls} == {"eu-west-1"}
