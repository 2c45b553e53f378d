"""Settings from environment variables, and durations."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.validation import InvalidInputError
from testsupport.examples import EU


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SECRET_NAME", "other", Settings(secret_name="other")),
        ("REGISTRIES", f"{EU}", Settings(policy=Policy(registries=(EU,)))),
        ("REFRESH_FRACTION", "0.25", Settings(rotation=Rotation(fraction=0.25))),
        ("REFRESH_JITTER", "5m", Settings(rotation=Rotation(jitter=timedelta(minutes=5)))),
        ("MAX_TOKEN_AGE", "1h", Settings(rotation=Rotation(max_token_age=timedelta(hours=1)))),
        ("RELIST_INTERVAL", "1m", Settings(relist_interval=timedelta(minutes=1))),
        ("MAX_CONCURRENT_RECONCILES", "4", Settings(max_concurrent_reconciles=4)),
        ("ALLOW_NODE_INSTANCE_ROLE", "true", Settings(allow_node_instance_role=True)),
        ("HTTP_PORT", "0", Settings(http_port=0)),
        ("HTTP_HOST", "::1", Settings(http_host="::1")),
        ("LOG_FORMAT", "text", Settings(log_format="text")),
        ("LOG_LEVEL", "error", Settings(log_level="error")),
    ],
)
def test_each_setting_has_its_variable(variable: str, value: str, expected: Settings) -> None:
    """A variable sets the same value as its key."""
    assert parse_settings(None, {f"PULLKEEPER_{variable}": value}) == expected


def test_a_variable_takes_precedence_over_the_file() -> None:
    """Even if the value in the file is invalid."""
    assert parse_settings({"httpPort": "x", "httpHost": "a"}, {"PULLKEEPER_HTTP_PORT": "9"}) == Settings(
        http_port=9, http_host="a"
    )


def test_an_invalid_variable_is_named() -> None:
    """Even if the value in the file is valid."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"logLevel": "info"}, {"PULLKEEPER_LOG_LEVEL": "loud"})
    (problem,) = raised.value.problems
    assert (problem.where, problem.found) == ("PULLKEEPER_LOG_LEVEL", '"loud"')


def test_other_variables_are_ignored() -> None:
    """Only those with our prefix and a known key apply."""
    assert (
        parse_settings(None, {"HTTP_PORT": "x", "PULLKEEPERHTTP_PORT": "x", "pullkeeper_http_port": "x"}) == Settings()
    )


@pytest.mark.parametrize("link", ["tcp://10.96.0.5:8080", "udp://10.96.0.5:53"])
def test_service_links_are_ignored(link: str) -> None:
    """Kubernetes sets PULLKEEPER_PORT in pods beside a Service named pullkeeper."""
    links = {"PULLKEEPER_PORT": link, "PULLKEEPER_SERVICE_HOST": "10.96.0.5", "PULLKEEPER_SERVICE_PORT": "8080"}
    assert parse_settings(None, links) == Settings()


def written(length: timedelta) -> str:
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (seconds, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


@given(st.integers(1, 24 * 3600))
def test_durations_round_trip(seconds: int) -> None:
    """In mixed units and in seconds alone."""
    length = timedelta(seconds=seconds)
    for text in (written(length), f"{seconds}s"):
        assert parse_settings({"relistInterval": text}, {}).relist_interval == length


@given(st.text("0123456789hms .-", max_size=12))
def test_any_text_is_a_duration_or_a_problem(text: str) -> None:
    """And no duration is outside the limits."""
    with suppress(InvalidInputError):
        assert timedelta(seconds=1) <= parse_settings({"relistInterval": text}, {}).relist_interval <= timedelta(days=1)
