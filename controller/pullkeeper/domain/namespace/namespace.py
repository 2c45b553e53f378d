"""What the controller knows of a Namespace: only what it needs, and it never writes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "pullkeeper.dev/"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedNamespace:
    """A Namespace as it was last seen."""

    name: str
    resource_version: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Ours alone, by their key without the prefix."""
    labels: Mapping[str, str] = field(default_factory=dict)
    terminating: bool = False

    @property
    def content(self) -> tuple[Mapping[str, str], Mapping[str, str], bool]:
        """Everything of it that matters to what it should have."""
        return self.annotations, self.labels, self.terminating

    @property
    def is_requested(self) -> bool:
        """Whether anything of ours is written on it."""
        return bool(self.annotations)


def own_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Pick the annotations under our prefix and take the prefix off."""
    return {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}


def observe_namespace(metadata: Mapping[str, Any]) -> ObservedNamespace:
    """Translate a Namespace's metadata; a deletion timestamp means that it is on its way out."""
    return ObservedNamespace(
        name=metadata["name"],
        resource_version=int(metadata["resourceVersion"]),
        annotations=own_annotations(metadata.get("annotations") or {}),
        labels=dict(metadata.get("labels") or {}),
        terminating=bool(metadata.get("deletionTimestamp")),
    )
