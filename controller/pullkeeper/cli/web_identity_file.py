"""The projected token that the controller shows to AWS, as a command finds it."""

from collections.abc import Mapping
from pathlib import Path

from pullkeeper.domain.iam.web_identity import MAX_TOKEN_LENGTH, WebIdentity, decode


def token_file(environment: Mapping[str, str]) -> str:
    """Return where the token is, "" if there is none."""
    return environment.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")


def read(path: str) -> WebIdentity:
    """Read the claims of a token; raises OSError, and ValueError for what is no token."""
    with Path(path).open("rb") as file:
        return decode(file.read(MAX_TOKEN_LENGTH + 1).decode("ascii", "replace"))
