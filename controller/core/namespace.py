"""What the controller knows of a Namespace: only what it needs, and it never writes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "pullkeeper.dev/"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceView:
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
    def asks(self) -> bool:
        """Whether anything of ours is written on it."""
        return bool(self.annotations)


def own_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Pick the annotations under our prefix and take the prefix off."""
    return {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}
