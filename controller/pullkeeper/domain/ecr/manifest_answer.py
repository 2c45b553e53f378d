"""What a registry answers to the question for an image's manifest."""

from dataclasses import dataclass
from enum import StrEnum


class ManifestAnswer(StrEnum):
    """Whether a token may have an image."""

    FOUND = "found"
    MISSING = "missing"
    """There is no such repository or no such image in it; the token was accepted."""
    DENIED = "denied"
    """The token was accepted or has expired, and does not get the image."""
    REJECTED = "rejected"
    """The token itself is not accepted."""
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    """No answer of the registry itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestResult:
    """An answer and its reason: a status or the type of an error, never any content of the response."""

    answer: ManifestAnswer
    why: str


_ANSWERS = {
    200: ManifestAnswer.FOUND,
    400: ManifestAnswer.REJECTED,
    401: ManifestAnswer.REJECTED,
    403: ManifestAnswer.DENIED,
    404: ManifestAnswer.MISSING,
    429: ManifestAnswer.THROTTLED,
}


def manifest_result(status: int, *, from_registry: bool) -> ManifestResult:
    """Interpret a response to `HEAD /v2/REPOSITORY/manifests/REFERENCE`; one of a middlebox says nothing."""
    if not from_registry:
        return ManifestResult(answer=ManifestAnswer.UNKNOWN, why=f"status {status}, not from the registry")
    return ManifestResult(answer=_ANSWERS.get(status, ManifestAnswer.UNKNOWN), why=f"status {status}")
