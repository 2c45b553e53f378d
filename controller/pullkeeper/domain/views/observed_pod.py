"""A pod as observed by `pullkeeper explain`: which of its containers wait for their images, and by which Secrets."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.kube.timestamps import parse_timestamp

_PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "ImageInspectError",
        "SignatureValidationFailed",
    }
)
"""The reasons that the kubelet gives a container that waits for its image (kubernetes, pkg/kubelet/images/types.go)."""
_KINDS = ("initContainer", "container", "ephemeralContainer")
_MAX_TEXT = 2048
"""Characters of the kubelet's words that are kept: a pod's status is written by its node, its image by a tenant."""
_BACK_OFF = re.compile(r'Back-off pulling image "[^"]*"\.?')
_FAILED = "Failed to pull image"


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingContainer:
    """A container that waits for its image."""

    name: str
    image: str
    reason: str
    message: str
    """The kubelet's words, escaped and of limited length; "" where they say no more than that it backs off."""
    failed_at: datetime | None = None
    """When the last attempt failed, where an Event tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedPod:
    """A pod as last observed."""

    namespace: str
    name: str
    uid: str
    pull_secrets: tuple[str, ...]
    """The names in its `imagePullSecrets`, in order."""
    service_account: str
    node: str
    """"" while no node is assigned."""
    waiting: tuple[WaitingContainer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PullEvent:
    """An Event in which the kubelet says why a pull has failed."""

    container: str
    message: str
    at: datetime


def observe_pod(pod: Mapping[str, Any]) -> ObservedPod:
    """Parse a pod."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    return ObservedPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=str(metadata.get("uid") or ""),
        pull_secrets=pull_secret_names(spec),
        service_account=str(spec.get("serviceAccountName") or "default"),
        node=str(spec.get("nodeName") or ""),
        waiting=tuple(each for kind in _KINDS for each in _waiting(kind, spec, status)),
    )


def pull_secret_names(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in the `imagePullSecrets` of a pod's spec or of a ServiceAccount."""
    return tuple(str(each.get("name", "")) for each in holder.get("imagePullSecrets") or ())


def pull_event(event: Mapping[str, Any], pod_uid: str) -> PullEvent | None:
    """Parse an Event of core/v1; None for one that tells of no failed pull of that very pod."""
    about = event.get("involvedObject") or {}
    message = str(event.get("message") or "")
    if about.get("uid") != pod_uid or not message.startswith(_FAILED):
        return None
    last = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    try:
        at = parse_timestamp(last)
    except ValueError:
        return None
    container = str(about.get("fieldPath") or "").partition("{")[2].removesuffix("}")
    return PullEvent(container=container, message=_one_line(message), at=at)


def latest(events: Iterable[PullEvent], container: str) -> PullEvent | None:
    """Return the last of a container's events."""
    return max((each for each in events if each.container == container), key=lambda each: each.at, default=None)


def words(container: WaitingContainer, event: PullEvent | None) -> str:
    """Return what the kubelet says of a pull: while they back off, older ones tell the reason in an Event only."""
    return container.message or (event.message if event else "")


def _waiting(kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterable[WaitingContainer]:
    images = {str(each["name"]): each.get("image") for each in spec.get(f"{kind}s") or ()}
    statuses: Sequence[Mapping[str, Any]] = status.get(f"{kind}Statuses") or ()
    for each in statuses:
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL_REASONS:
            yield WaitingContainer(
                name=str(each["name"]),
                image=str(images.get(str(each["name"])) or each.get("image") or ""),
                reason=str(waiting["reason"]),
                message=_said(str(waiting.get("message") or "")),
            )


def _said(message: str) -> str:
    return "" if _BACK_OFF.fullmatch(message) else _one_line(message)


def _one_line(message: str) -> str:
    """Return words that can be shown, in one line: a registry's errors may come in several."""
    return printable(" ".join(message.split()), _MAX_TEXT)
