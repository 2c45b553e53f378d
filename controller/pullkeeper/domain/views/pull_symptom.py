"""What the kubelet's words about a failed pull say, whichever container runtime they come from."""

import re
from enum import StrEnum

from pullkeeper.domain.ecr.image_reference import ImageReference


class Symptom(StrEnum):
    """What the words say for certain."""

    NEVER_PULL = "never-pull"
    INVALID_NAME = "invalid-name"
    LAYERS_DENIED = "layers-denied"
    PLATFORM = "platform"
    NODE_LIMIT = "node-limit"
    """The kubelet's own limit on pulls."""
    THROTTLED = "throttled"
    EXPIRED = "expired"
    NOT_AUTHORIZED = "not-authorized"
    """IAM refuses an action on the repository."""
    UNREACHABLE = "unreachable"
    NO_CREDENTIALS = "no-credentials"
    BAD_REQUEST = "bad-request"
    FORBIDDEN = "forbidden"
    """The registry refuses, and the words do not say why."""
    REPOSITORY_MISSING = "repository-missing"
    TAG_MISSING = "tag-missing"
    IMAGE_MISSING = "image-missing"
    """The words do not say whether the repository or the image is missing."""
    UNKNOWN = "unknown"


REFUSED = frozenset({Symptom.NOT_AUTHORIZED, Symptom.FORBIDDEN})
"""The registry refuses the image; by a bare 403 it may be the token that it refuses."""
CREDENTIAL = frozenset({Symptom.NO_CREDENTIALS, Symptom.EXPIRED, Symptom.BAD_REQUEST})
"""The credentials were the matter."""
_REASONS = {"ErrImageNeverPull": Symptom.NEVER_PULL, "InvalidImageName": Symptom.INVALID_NAME}
_LAYER_BUCKET = re.compile(r"starport-layer-bucket\S*.*\b403\b")
"""ECR keeps layers in buckets of S3 with this in their name (ECR user guide, VPC endpoints)."""
_NAMES = re.compile(
    r"""(?<=reading manifest )\S+|(?<=pull access denied for )[^\s,]+|"[^"\s]*"|'[^'\s]*'|https?://\S+|arn:\S+"""
)
"""What others have chosen and the words quote: names of images, and addresses with them."""
_WORDS = tuple(
    (symptom, re.compile(pattern, re.IGNORECASE))
    for symptom, pattern in (
        (
            Symptom.PLATFORM,
            (
                r"no match for platform|no matching manifest for|no image found in .* for architecture"
                r"|does not match the (?:specified|detected) .*platform"
            ),
        ),
        (Symptom.NODE_LIMIT, r"pull QPS exceeded"),
        (Symptom.THROTTLED, r"toomanyrequests|\b429\b|rate exceeded"),
        (Symptom.EXPIRED, r"authorization token has expired"),
        (Symptom.NOT_AUTHORIZED, r"is not authorized to perform"),
        (
            Symptom.UNREACHABLE,
            (
                r"dial tcp|no such host|i/o timeout|deadline exceeded|connection re(?:fused|set)|proxyconnect|x509:"
                r"|tls: |TLS handshake|unexpected EOF|\b50[0234]\b"
            ),
        ),
        (
            Symptom.NO_CREDENTIALS,
            r"no basic auth credentials|pull access denied|\b401\b|authentication required|unauthorized:",
        ),
        (Symptom.BAD_REQUEST, r"\b400 Bad Request"),
        (Symptom.FORBIDDEN, r"\b403\b|\bdenied\b"),
        (Symptom.REPOSITORY_MISSING, r"name unknown|the repository with name|repository \S* ?not found"),
        (Symptom.TAG_MISSING, r"manifest unknown|requested image not found|manifest for .* not found"),
        (Symptom.IMAGE_MISSING, r"code = NotFound|: not found\b|\b404\b"),
    )
)
"""The first that matches counts."""


def symptom_of(reason: str, message: str, image: ImageReference) -> Symptom:
    """Return what a container's waiting reason and the kubelet's words say; names in the words decide nothing."""
    if reason in _REASONS:
        return _REASONS[reason]
    if _LAYER_BUCKET.search(message):
        return Symptom.LAYERS_DENIED
    plain = _NAMES.sub("…", message)
    plain = re.sub(rf"\S*{re.escape(image.host)}/\S*", "…:", plain)
    return next((symptom for symptom, pattern in _WORDS if pattern.search(plain)), Symptom.UNKNOWN)
