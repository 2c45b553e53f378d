"""No credentials at all: which source was named, what it lacks, and what to do about that one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients
from pullkeeper.domain.errors.failures import Reason
from tests.unit.adapters.aws_harness import client_config
from tests.unit.adapters.identity_harness import IdentityHarness, identity_harness

KEYS = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
CONTENTS: dict[str, tuple[str | None, str]] = {
    "no file": (None, "keys: no such file"),
    "empty": ("", "keys has none in [default]"),
    "no keys": ("[default]\nregion = eu-west-1\n", "keys has none in [default]"),
    "another profile": (f"[prod]\n{KEYS}", "keys has none in [default]"),
}


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config())
    with identity_harness(monkeypatch) as built:
        yield built


def without_keys(harness: IdentityHarness) -> dict[str, str]:
    return {name: value for name, value in harness.aws.environment().items() if "KEY" not in name}


@pytest.mark.parametrize("case", CONTENTS)
async def test_a_file_of_keys_that_holds_none_is_named(harness: IdentityHarness, tmp_path: Path, case: str) -> None:
    """Not a role for the ServiceAccount, which nobody wanted; the Secret's key is the likely mistake."""
    content, words = CONTENTS[case]
    if content is not None:
        (tmp_path / "keys").write_text(content)
    harness.configure(without_keys(harness) | {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys")})
    failure = await harness.failure()
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert f"no access keys were found ({tmp_path}/{words})" in failure.message
    assert "chart: aws.existingSecret" in failure.message


async def test_a_helper_that_does_not_serve_is_named(harness: IdentityHarness) -> None:
    """By the address at which it should."""
    endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "false"}
    harness.configure(without_keys(harness) | endpoint)
    failure = await harness.failure()
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert "nothing serves credentials in the controller's own pod (http://127.0.0.1:1)" in failure.message


async def test_where_nothing_was_named_a_role_is_asked_for(harness: IdentityHarness) -> None:
    """An empty device in the place of a file is none that somebody named."""
    harness.configure(without_keys(harness))
    assert (
        "no AWS credentials were found: give the controller's ServiceAccount a role"
        in (await harness.failure()).message
    )
