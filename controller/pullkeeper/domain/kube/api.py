"""The values that travel between the doors to the Kubernetes API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
"""Media types that ask for an object's metadata alone, so that no token comes over the wire."""

NO_VERSION = "1"
"""A resourceVersion that no object has: an apply that names it creates, or does nothing."""

FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
GONE = 410
UNPROCESSABLE = 422
_FIRST_THAT_FAILED = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What the API server answered; the body is never shown, because it may be a Secret."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the API server did what was asked."""
        return self.status < _FIRST_THAT_FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionInfo:
    """What another client needs to reach the same API server as the same user, now."""

    server: str
    ca_path: str | None
    token: str | None = field(repr=False)
    certificate_path: str | None
    key_path: str | None
    insecure: bool
