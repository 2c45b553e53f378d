"""The certificates of the connection to the API server: which CAs are trusted, and which certificate is shown."""

import logging
import ssl
from pathlib import Path

from pullkeeper.adapters import tls_context
from pullkeeper.adapters.kubernetes.login import ConnectionInfo

logger = logging.getLogger(__name__)

_Stamp = tuple[tuple[int, int, int] | None, ...]


class Certificates:
    """A TLS context that takes over its files when they change.

    CAs are added: when a cluster's CA is rotated, `ca.crt` names the old and the new one for a while, and later the
    new one alone. One that has gone is no longer trusted after a restart.
    """

    def __init__(self, info: ConnectionInfo) -> None:
        self._info = info
        self.context = tls_context.verifying(info.ca_path)
        if info.insecure:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        self._load_own()
        self._stamp = self._read_stamp()

    def reload_if_changed(self) -> None:
        """Take over changed files before a handshake; what cannot be read changes nothing, and is tried again."""
        stamp = self._read_stamp()
        if stamp != self._stamp:
            self._reload(stamp)

    def _reload(self, stamp: _Stamp) -> None:
        try:
            if self._info.ca_path:
                self.context.load_verify_locations(cafile=self._info.ca_path)
            self._load_own()
        except OSError as error:
            logger.debug("certificates of the API server cannot be read: %s", type(error).__name__)
            return
        self._stamp = stamp
        logger.info("took over changed certificates of the API server")

    def _load_own(self) -> None:
        if self._info.certificate_path:
            self.context.load_cert_chain(self._info.certificate_path, keyfile=self._info.key_path)

    def _read_stamp(self) -> _Stamp:
        return tuple(map(_stamp, (self._info.ca_path, self._info.certificate_path, self._info.key_path)))


def _stamp(path: str | None) -> tuple[int, int, int] | None:
    """Return what changes with a file, which may be a symbolic link that the kubelet redirects."""
    try:
        found = Path(path).stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
