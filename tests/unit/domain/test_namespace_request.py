"""Since when a Namespace requests its current state."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.domain.namespace.namespace_request import namespace_request

CREATED = "2026-03-01T08:00:00Z"


def entry(time: str | None, *keys: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in keys}}}
    return {"manager": "kubectl", "operation": "Update", "time": time, "fieldsV1": fields}


def since(managed: list[dict[str, Any]] | None, **annotations: str) -> datetime | None:
    metadata = {
        "name": "team-a",
        "resourceVersion": "7",
        "creationTimestamp": CREATED,
        "annotations": {f"pullkeeper.dev/{key}": value for key, value in annotations.items()},
        "managedFields": managed,
    }
    found = namespace_request(metadata)
    assert found.namespace.name == "team-a"
    return found.first_requested_at


@pytest.mark.parametrize(
    ("managed", "hour"),
    [
        ([entry("2026-03-01T10:00:00Z", "pullkeeper.dev/enabled")], 10),
        (
            [
                entry("2026-03-01T10:00:00Z", "pullkeeper.dev/enabled"),
                entry("2026-03-01T11:00:00Z", "pullkeeper.dev/registries", "other"),
                entry("2026-03-01T12:00:00Z", "other"),
            ],
            11,
        ),
        ([entry(None, "pullkeeper.dev/enabled")], 8),
        ([{"manager": "x"}], 8),
        ([], 8),
        (None, 8),
    ],
)
def test_since_our_annotations_were_last_written(managed: list[dict[str, Any]] | None, hour: int) -> None:
    """From managedFields, else since the Namespace was created."""
    assert since(managed, enabled="true") == datetime(2026, 3, 1, hour, tzinfo=UTC)


def test_without_annotations_since_the_namespace_was_created() -> None:
    """The settings may opt it in."""
    assert since([entry("2026-03-01T10:00:00Z", "pullkeeper.dev/enabled")]) == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_without_any_time_the_age_is_unknown() -> None:
    """A manifest need not contain one."""
    assert namespace_request({"name": "a", "resourceVersion": "1"}).first_requested_at is None


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T12:00:00Z"])
def test_time_that_cannot_be_read_is_unknown(moment: str) -> None:
    """No text in the metadata raises an exception."""
    metadata = {"name": "a", "resourceVersion": "1", "creationTimestamp": moment}
    assert namespace_request(metadata).first_requested_at is None
