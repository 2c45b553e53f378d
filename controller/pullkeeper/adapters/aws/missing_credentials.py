"""Why there are no credentials: botocore says of a source that holds none only that it goes on to the next."""

from pathlib import Path

from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from pullkeeper.adapters.aws import instance_metadata
from pullkeeper.adapters.aws.instance_metadata import MetadataProxiedError
from pullkeeper.domain.errors.text import printable

_MAX_NAME = 200
_USUAL = "~/.aws/credentials"
"""Where botocore looks if nobody names another file."""


class MissingCredentialsError(Exception):
    """A source that was named holds no credentials; the text is the program's own."""


class MissingKeysError(MissingCredentialsError):
    """The file of access keys that was named is not there, or holds none for the profile."""


class MetadataSilentError(MissingCredentialsError):
    """The instance metadata service in the controller's own pod gives no credentials."""


def why(session: Session, *, allow_node_instance_role: bool) -> Exception:
    """Return what to raise where a session has found no credentials at all."""
    if text := _about_keys(session):
        return MissingKeysError(text)
    if instance_metadata.is_only_proxied(session, allow_node_instance_role=allow_node_instance_role):
        return MetadataProxiedError()
    if url := instance_metadata.private_url(session):
        return MetadataSilentError(printable(url, _MAX_NAME))
    return NoCredentialsError()


def _about_keys(session: Session) -> str:
    """Say what is wrong with the file of keys that was named, or nothing if none was."""
    named = str(session.get_config_variable("credentials_file"))
    if named == _USUAL:
        return ""
    path = Path(named).expanduser()
    if not path.exists():
        return f"{printable(named, _MAX_NAME)}: no such file"
    profile = str(session.get_config_variable("profile") or "default")
    # A device, such as the empty one, is no file that somebody has written keys into.
    return f"{printable(named, _MAX_NAME)} has none in [{printable(profile, _MAX_NAME)}]" if path.is_file() else ""
