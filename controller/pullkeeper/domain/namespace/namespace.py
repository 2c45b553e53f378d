"""What the controller observes of a Namespace. It never writes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pullkeeper.domain.namespace.annotations import ENABLED

PREFIX = "pullkeeper.dev/"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedNamespace:
    """A Namespace as last observed."""

    name: str
    uid: str = ""
    """A Namespace that is deleted and created again has another one; "" for a manifest without it."""
    resource_version: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    """The annotations under our prefix, by their key without the prefix."""
    labels: Mapping[str, str] = field(default_factory=dict)
    terminating: bool = False

    @property
    def content(self) -> tuple[Mapping[str, str], Mapping[str, str], bool]:
        """Everything that decides what pull Secret the Namespace should have."""
        return self.annotations, self.labels, self.terminating

    @property
    def is_requested(self) -> bool:
        """Whether the Namespace has any annotation of ours."""
        return bool(self.annotations)

    @property
    def opted_out(self) -> bool:
        """Whether the Namespace itself refuses a pull Secret, whatever else is set."""
        return self.annotations.get(ENABLED) == "false"


def own_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Select the annotations under our prefix, and remove the prefix from their keys."""
    return {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}


def observe_namespace(metadata: Mapping[str, Any]) -> ObservedNamespace:
    """Read the metadata of a Namespace; one with a deletion timestamp is terminating."""
    return ObservedNamespace(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=int(metadata["resourceVersion"]),
        annotations=own_annotations(metadata.get("annotations") or {}),
        labels=dict(metadata.get("labels") or {}),
        terminating=bool(metadata.get("deletionTimestamp")),
    )
