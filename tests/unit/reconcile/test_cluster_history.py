"""Versions that go back: everybody is told, in order, and the log says it once."""

import pytest

from pullkeeper.reconcile.cluster_history import ClusterHistory


def test_everybody_starts_anew_and_the_log_says_why_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever notices it, and however many there are."""
    calls: list[str] = []
    history = ClusterHistory(lambda: calls.append("count"))
    for name in ("caches", "reflectors"):
        history.add(lambda name=name: calls.append(name))  # type: ignore[misc] # the default binds the loop's value
    history.went_back("leases", 12)
    assert calls == ["count", "caches", "reflectors"]
    assert caplog.messages == [
        "leases: resourceVersions went back to 12, as when etcd is restored: everything is observed anew"
    ]
