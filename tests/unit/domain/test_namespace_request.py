"""Since when a Namespace asks for what it asks for."""

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
def test_it_is_the_last_time_that_one_of_our_annotations_was_written(
    managed: list[dict[str, Any]] | None, hour: int
) -> None:
    """By the API server's own bookkeeping; where that tells nothing, since the Namespace was made."""
    assert since(managed, enabled="true") == datetime(2026, 3, 1, hour, tzinfo=UTC)


def test_where_nothing_of_ours_is_written_it_is_since_the_namespace_was_made() -> None:
    """The installation may have opted it in."""
    assert since([entry("2026-03-01T10:00:00Z", "pullkeeper.dev/enabled")]) == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_namespace_without_a_time_is_of_no_age() -> None:
    """A file that somebody has written need not say one."""
    assert namespace_request({"name": "a", "resourceVersion": "1"}).first_requested_at is None
