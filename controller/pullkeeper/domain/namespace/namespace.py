"""What the controller observes of a Namespace. It never writes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pullkeeper.domain.namespace.annotations import (
    ENABLED,
    KNOWN,
    MAX_ANNOTATIONS,
    MAX_LABELS,
    MAX_LENGTHS,
    MAX_UNKNOWN,
)

PREFIX = "pullkeeper.dev/"
NAME_LABEL = "kubernetes.io/metadata.name"
"""Of every Namespace, set by the API server: its name."""
_SHARED = 512
"""So many sets of annotations are remembered, so that namespaces that say the same hold one of them."""
_MAX_SHARED = 1024
"""Characters; longer ones, as a tenant may write, are not remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedNamespace:
    """A Namespace as last observed."""

    name: str
    uid: str = ""
    """A Namespace that is deleted and created again has another one; "" for a manifest without it."""
    resource_version: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    """The annotations under our prefix, by their key without the prefix, within limits: see `own_annotations`."""
    unknown_keys: int = 0
    """How many annotations under our prefix have a key that this version does not know."""
    labels: Mapping[str, str] = field(default_factory=dict)
    excess_labels: bool = False
    """The Namespace has more labels than are read, and `labels` is empty: no selector applies to it."""
    terminating: bool = False

    @property
    def content(self) -> tuple[object, ...]:
        """Everything that decides what pull Secret the Namespace should have; compared, never read."""
        return self.annotations, self.unknown_keys, self.labels, self.excess_labels, self.terminating

    @property
    def is_requested(self) -> bool:
        """Whether the Namespace has any annotation of ours."""
        return bool(self.annotations)

    @property
    def opted_out(self) -> bool:
        """Whether the Namespace itself refuses a pull Secret, whatever else is set."""
        return self.annotations.get(ENABLED) == "false"


def own_annotations(annotations: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Select the annotations under our prefix by their key without it; also return how many keys are unknown.

    Whoever may write a Namespace may write 256 KiB of annotations to it. So a value that is too long is cut to one
    character more than it may have, and unknown keys are represented by the first few of them, without values; by none
    beside more than MAX_ANNOTATIONS annotations.
    """
    own = {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}
    unknown = sorted(own.keys() - set(KNOWN)) if len(annotations) <= MAX_ANNOTATIONS else []
    known = {key: own[key][: MAX_LENGTHS[key] + 1] for key in KNOWN if key in own}
    return known | dict.fromkeys(unknown[:MAX_UNKNOWN], ""), len(unknown)


def observe_namespace(metadata: Mapping[str, Any]) -> ObservedNamespace:
    """Read the metadata of a Namespace; one with a deletion timestamp is terminating."""
    annotations, unknown_keys = own_annotations(metadata.get("annotations") or {})
    labels = _labels(metadata["name"], metadata.get("labels") or {})
    excess_labels = len(labels) > MAX_LABELS
    return ObservedNamespace(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=int(metadata["resourceVersion"]),
        annotations=_shared_annotations(annotations),
        unknown_keys=unknown_keys,
        labels={} if excess_labels else labels,
        excess_labels=excess_labels,
        terminating=bool(metadata.get("deletionTimestamp")),
    )


def _labels(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Copy the labels; the one that repeats the name takes no memory beside it."""
    repeated = {NAME_LABEL: name} if labels.get(NAME_LABEL) == name else {}
    return repeated | {key: value for key, value in labels.items() if key not in repeated}


def _shared_annotations(own: dict[str, str]) -> Mapping[str, str]:
    size = sum(len(key) + len(value) for key, value in own.items())
    return share_annotations(tuple(own.items())) if size <= _MAX_SHARED else own


@lru_cache(maxsize=_SHARED)
def share_annotations(own: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Return the one mapping of these items; `observe_namespace` bounds their length."""
    return dict(own)
