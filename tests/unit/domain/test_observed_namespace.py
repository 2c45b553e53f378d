"""What is observed of a Namespace."""

from pullkeeper.domain.namespace.namespace import NAME_LABEL, PREFIX, ObservedNamespace, observe_namespace


def test_all_that_counts_is_read() -> None:
    """And nothing else, of what the API server says of one that is deleted."""
    labels = {NAME_LABEL: "team-a", "team": "a"}
    metadata = {
        "name": "team-a",
        "uid": "7a1f",
        "resourceVersion": "42",
        "creationTimestamp": "2026-03-01T08:00:00Z",
        "deletionTimestamp": "2026-03-02T08:00:00Z",
        "annotations": {f"{PREFIX}enabled": "true", f"{PREFIX}colour": "red", "other/enabled": "false"},
        "labels": labels,
        "finalizers": ["kubernetes"],
    }
    assert observe_namespace(metadata) == ObservedNamespace(
        name="team-a",
        uid="7a1f",
        resource_version=42,
        annotations={"enabled": "true", "colour": ""},
        unknown_keys=1,
        labels=labels,
        terminating=True,
    )


def test_a_manifest_needs_no_more_than_a_name() -> None:
    """With the version that `render` gives it."""
    found = observe_namespace({"name": "team-a", "resourceVersion": "0"})
    assert found == ObservedNamespace(name="team-a", uid="", resource_version=0, terminating=False)
