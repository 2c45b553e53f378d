"""The pull Secret: its data."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, is_authorization
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret.secret_record import UNREADABLE, SecretRecord

SECRET_TYPE = "kubernetes.io/dockerconfigjson"  # noqa: S105 -- the type's name
DATA_KEY = ".dockerconfigjson"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "pullkeeper"
_SHARED_DATA = 16
"""Contents that are kept encoded: few, for they are tokens."""
LABELS = {MANAGED_BY: MANAGER}
WRITTEN_BY = f"{PREFIX}written-by"
"""Names the installation, for people and commands; no part of the record, since it says nothing of the content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PullSecret:
    """The whole content of a pull Secret, ready to be written."""

    record: SecretRecord
    auths: Mapping[RegistryHost, Password]

    def data(self) -> dict[str, str]:
        """Encode the data: entries with `auth` alone, which takes precedence over user name and password.

        Raise ValueError for an entry that the kubelet cannot read: it would fail every pull of a pod.
        """
        return {DATA_KEY: _encoded(tuple(sorted(self.auths.items())))}


@lru_cache(maxsize=_SHARED_DATA)
def _encoded(entries: tuple[tuple[RegistryHost, Password], ...]) -> str:
    """Encode entries, which in a rotation are the same for all namespaces of an identity."""
    for host, auth in entries:
        if not is_authorization(auth.reveal()):
            raise ValueError(f"the entry of {host} is not base64 of AWS:<password>")
    auths = {host.name: {"auth": auth.reveal()} for host, auth in entries}
    return base64.b64encode(json.dumps({"auths": auths}).encode()).decode()


def read_auths(data: Mapping[str, str]) -> dict[RegistryHost, Password]:
    """Parse the entries in a Secret's data, and skip what cannot be parsed."""
    try:
        entries = json.loads(base64.b64decode(data[DATA_KEY]))["auths"].items()
    except UNREADABLE:
        return {}
    found = (_read_entry(host, entry) for host, entry in entries)
    return dict(filter(None, found))


def _read_entry(host: str, entry: object) -> tuple[RegistryHost, Password] | None:
    auth = entry.get("auth") if isinstance(entry, dict) else None
    if not isinstance(auth, str) or not is_authorization(auth):
        return None
    try:
        # Other tools, whose Secret may have been handed over, write the host with a scheme.
        return registry_host.parse(host.removeprefix("https://")), Password(auth)
    except ValueError:
        return None
