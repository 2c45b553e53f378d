"""Who is behind the controller's identity: told from every source of credentials, at the cost of few calls."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import caller_principal
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.iam.principal import of_access_key, of_role
from pullkeeper.tokens.demand import Requester
from tests.unit.adapters.identity_harness import BLUE, IdentityHarness, as_role, identity_harness
from tests.unit.adapters.test_aws_identities import PULLER
from testsupport.examples import demand
from testsupport.fake_aws import ACCOUNT, USER_ARN
from testsupport.fake_aws.environment import static_keys

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/controller"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/another"
SUBJECT = "system:serviceaccount:pullkeeper:controller"
FIRST = Requester(namespace="team-a", first=True)
CALLER = "GetCallerIdentity"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        for role in (ROLE, OTHER):
            built.aws.allow_role(role, trusts_subjects=SUBJECT, trusted_principals=USER_ARN)
        yield built


def configure(harness: IdentityHarness, environment: Mapping[str, str]) -> list[str]:
    """Create the Ecr anew; return the principals that become known, as they do."""
    harness.configure(environment)
    known: list[str] = []
    harness.ecr.on_principal(lambda _, name: known.append(name))
    return known


def without_keys(harness: IdentityHarness) -> dict[str, str]:
    return {name: value for name, value in harness.aws.environment().items() if "KEY" not in name}


def irsa(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    (folder / "token").write_text(harness.issuer.token(SUBJECT))
    return harness.aws.environment(web_identity_token_file=str(folder / "token"), role_arn=ROLE)


def keys(harness: IdentityHarness, _: Path) -> dict[str, str]:
    return harness.aws.environment()


def shared_file(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    (folder / "credentials").write_text(_section("default", harness))
    return without_keys(harness) | {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}


def profile_with_role(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    profile = f"[profile puller]\nrole_arn = {ROLE}\nsource_profile = base\n"
    (folder / "config").write_text(f"{profile}{_section('profile base', harness)}")
    return without_keys(harness) | {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "puller"}


def profile_with_web_identity(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    (folder / "token").write_text(harness.issuer.token(SUBJECT))
    lines = f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {folder / 'token'}\n"
    (folder / "config").write_text(lines)
    return without_keys(harness) | {"AWS_CONFIG_FILE": str(folder / "config")}


def keys_beside_a_role(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    return irsa(harness, folder) | harness.aws.environment()


def pod_identity(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    (folder / "token").write_text("pod-identity-token")
    harness.aws.associate(ROLE, token="pod-identity-token")
    return harness.aws.environment(container_token_file=str(folder / "token"))


def process(harness: IdentityHarness, folder: Path) -> dict[str, str]:
    session = harness.aws.static_credentials
    given = {"Version": 1, "AccessKeyId": session.access_key_id, "SecretAccessKey": session.secret_access_key}
    (folder / "keys.json").write_text(json.dumps(given))
    (folder / "config").write_text(f"[default]\ncredential_process = cat {folder / 'keys.json'}\n")
    return without_keys(harness) | {"AWS_CONFIG_FILE": str(folder / "config")}


def _section(name: str, harness: IdentityHarness) -> str:
    return "".join([f"[{name}]\n", *(f"{key.lower()} = {text}\n" for key, text in _static(harness).items())])


def _static(harness: IdentityHarness) -> dict[str, str]:
    return static_keys(harness.aws.static_credentials)


@pytest.mark.parametrize(
    ("source", "role"),
    [
        (irsa, ROLE),
        (profile_with_role, ROLE),
        (profile_with_web_identity, ROLE),
        (keys, ""),
        (shared_file, ""),
        (keys_beside_a_role, ""),
    ],
)
async def test_principal_is_known_from_the_configuration_without_a_call(
    harness: IdentityHarness, tmp_path: Path, source: object, role: str
) -> None:
    """At the start, and so a restart with another one is noticed at once; its tokens say it, without another call."""
    assert callable(source)
    known = configure(harness, source(harness, tmp_path))
    await harness.ecr.log_credential_source()
    expected = of_role(role) if role else of_access_key(harness.aws.static_credentials.access_key_id)
    assert (known, await harness.ecr.principal(FIRST), harness.aws.count()) == ([expected], expected, 0)
    token = await harness.ecr.fetch(TokenScope(identity=CONTROLLER, region="eu-west-1"), demand())
    assert (token.principal, known) == (expected, [expected])


@pytest.mark.parametrize(("source", "expected"), [(pod_identity, of_role(ROLE)), (process, USER_ARN)])
async def test_principal_that_only_sts_knows_is_asked_once_for_the_first_token(
    harness: IdentityHarness, tmp_path: Path, source: object, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A start asks nothing: a restart with everything fresh makes no call."""
    caplog.set_level("INFO")
    assert callable(source)
    known = configure(harness, source(harness, tmp_path))
    await harness.ecr.log_credential_source()
    assert (known, harness.aws.count()) == ([], 0)
    assert await harness.ecr.principal(FIRST) == expected
    for region in ("eu-west-1", "us-east-1"):
        token = await harness.ecr.fetch(TokenScope(identity=CONTROLLER, region=region), demand())
        assert token.principal == expected
    assert (known, harness.aws.count(CALLER)) == ([expected], 1)
    assert len([line for line in caplog.messages if line.startswith("AWS caller")]) == 1


async def test_new_association_is_noticed_with_the_keys_that_come_from_it(
    harness: IdentityHarness, tmp_path: Path
) -> None:
    """With the next token after the keys were renewed; not before, and at one more call."""
    known = configure(harness, pod_identity(harness, tmp_path))
    scope = TokenScope(identity=CONTROLLER, region="eu-west-1")
    assert (await harness.ecr.fetch(scope, demand())).principal == of_role(ROLE)
    harness.aws.surroundings.associations.clear()
    harness.aws.associate(OTHER, token="pod-identity-token")
    assert (await harness.ecr.fetch(scope, demand())).principal == of_role(ROLE)
    harness.aws.expire_credentials()
    assert (await harness.ecr.fetch(scope, demand())).principal == of_role(OTHER)
    assert (known, harness.aws.count(CALLER)) == ([of_role(ROLE), of_role(OTHER)], 2)


async def test_sts_that_hangs_delays_tokens_a_little_and_leaves_the_principal_unknown(
    harness: IdentityHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a network without STS tokens are fetched as before; it is not asked again for the same keys."""
    monkeypatch.setattr(caller_principal, "_SECONDS", 0.2)
    known = configure(harness, pod_identity(harness, tmp_path))
    harness.aws.hang(operation=CALLER)
    assert await harness.ecr.principal(FIRST) == ""
    for region in ("eu-west-1", "us-east-1"):
        token = await harness.ecr.fetch(TokenScope(identity=CONTROLLER, region=region), demand())
        assert token.principal == ""
    assert (known, harness.aws.count(CALLER)) == ([], 1)


async def test_missing_credentials_leave_the_principal_unknown(harness: IdentityHarness) -> None:
    """The failure is that of the token."""
    known = configure(harness, without_keys(harness))
    assert (await harness.ecr.principal(FIRST), await harness.ecr.principal(FIRST), known) == ("", "", [])


@pytest.mark.parametrize("identity", [as_role(BLUE), PULLER])
async def test_tokens_of_other_identities_do_not_say_the_controllers_principal(
    harness: IdentityHarness, identity: Identity
) -> None:
    """A role's name is its principal; a ServiceAccount's is the role that was looked up."""
    token = await harness.ecr.fetch(TokenScope(identity=identity, region="eu-west-1"), demand())
    assert token.principal == identity.principal
    assert os.environ["AWS_ACCESS_KEY_ID"] not in repr(token)


async def test_replaced_keys_in_a_file_are_used_from_the_next_token_on(
    harness: IdentityHarness, tmp_path: Path
) -> None:
    """The old ones need not fail first: nobody could retire them while they are in use."""
    second = f"arn:aws:iam::{ACCOUNT}:user/second"
    configure(harness, shared_file(harness, tmp_path))
    scope = TokenScope(identity=CONTROLLER, region="eu-west-1")
    for _ in range(2):
        await harness.ecr.fetch(scope, demand())
    file, old, new = tmp_path / "credentials", harness.aws.static_credentials, harness.aws.add_user(second)
    text = file.read_text().replace(old.access_key_id, new.access_key_id)
    (tmp_path / "new").write_text(text.replace(old.secret_access_key, new.secret_access_key))
    (tmp_path / "new").rename(file)
    token = await harness.ecr.fetch(scope, demand())
    assert [each.principal for each in harness.aws.tokens] == [USER_ARN, USER_ARN, second]
    assert token.principal == of_access_key(new.access_key_id)
