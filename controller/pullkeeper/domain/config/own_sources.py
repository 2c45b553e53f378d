"""Where the credentials of the controller's named identities come from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pullkeeper.domain.ecr.partitions import PARTITIONS
from pullkeeper.domain.iam import role_arn, roles_anywhere
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.iam.web_identity import AUDIENCE, USUAL_AUDIENCE

KEYS = ("webIdentity", "rolesAnywhere", "profile", "keysFile")
FORM = f"just one of {', '.join(KEYS)}"
_WEB_IDENTITY_KEYS = ("roleArn", "tokenFile")
_AUDIENCE = "audience"
PROFILE = re.compile(r"[A-Za-z0-9_.@+=,/-]{1,128}")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebIdentityFile:
    """A role that is assumed with a projected token, which is read anew at each session."""

    role: RoleArn
    token_file: str
    audience: str = USUAL_AUDIENCE
    """Whom the token is for, which its OIDC provider has to know; the token itself decides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A profile of the shared configuration, whatever the environment says beside it."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysFile:
    """Access keys in the section [default] of a shared credentials file of its own."""

    path: str


OwnSource = WebIdentityFile | RolesAnywhere | Profile | KeysFile


def role_of(source: OwnSource) -> RoleArn | None:
    """Return the role that a source is known to give."""
    return source.role if isinstance(source, WebIdentityFile | RolesAnywhere) else None


def parse(given: Mapping[str, Any]) -> OwnSource:
    """Parse the only one of `KEYS` that is given; raises ValueError with what is expected of which key."""
    named = [key for key in KEYS if key in given]
    if len(named) != 1:
        raise ValueError(FORM)
    value = given[named[0]]
    match named[0]:
        case "webIdentity":
            return _parse_web_identity(value)
        case "rolesAnywhere":
            return parse_roles_anywhere(value)
        case "profile":
            return Profile(name=_parse_profile(value))
    return KeysFile(path=_parse_path("keysFile", value, "a shared credentials file"))


def parse_roles_anywhere(value: object) -> RolesAnywhere:
    """Parse an identity of IAM Roles Anywhere in a region of its partition; raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(roles_anywhere.FORM)  # noqa: TRY004 -- one kind of error for whatever is wrong with it
    found = roles_anywhere.parse(value)
    # The region decides which host is asked: it must be one of that partition.
    if not any(each.name == found.role.partition and each.has(found.region) for each in PARTITIONS):
        raise ValueError(f"trustAnchorArn: a region of partition {found.role.partition}")
    return found


def _parse_web_identity(value: object) -> WebIdentityFile:
    if not isinstance(value, Mapping) or set(value) - {_AUDIENCE} != set(_WEB_IDENTITY_KEYS):
        raise ValueError(f"webIdentity: a mapping of {', '.join(_WEB_IDENTITY_KEYS)}, and {_AUDIENCE} if need be")
    text = value["roleArn"]
    try:
        role = role_arn.parse(text if isinstance(text, str) else "")
    except ValueError as error:
        raise ValueError(f"webIdentity.roleArn: {error}") from None
    path = _parse_path("webIdentity.tokenFile", value["tokenFile"], "a ServiceAccount's token")
    audience = value.get(_AUDIENCE, USUAL_AUDIENCE)
    if not isinstance(audience, str) or not AUDIENCE.fullmatch(audience):
        raise ValueError("webIdentity.audience: a client ID of an IAM OIDC provider")
    return WebIdentityFile(role=role, token_file=path, audience=audience)


def _parse_profile(value: object) -> str:
    if isinstance(value, str) and PROFILE.fullmatch(value):
        return value
    raise ValueError("profile: the name of a profile of the shared configuration")


def _parse_path(key: str, value: object, what: str) -> str:
    if isinstance(value, str) and value.startswith("/"):
        return value
    raise ValueError(f"{key}: the path of {what}")
