"""What the adapters of the Kubernetes API have in common: media types, status codes and the response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
"""Media types that return the metadata of objects only, so that no token is sent over the wire."""

NO_VERSION = "1"
"""A resourceVersion that no object has: a server-side apply with it creates the object or changes nothing."""

FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
GONE = 410
UNPROCESSABLE = 422
_FIRST_REDIRECT = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """A response of the API server; its repr omits the body, which may be a Secret."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status < _FIRST_REDIRECT
