"""A process whose name look-ups hang, as on a node whose DNS swallows what it is asked."""

from pathlib import Path

from testsupport.fake_aws.network import NOT_PROXIED

_AT_THE_START = """
import pathlib, socket, threading

look_up = socket.getaddrinfo

def hang(host, *arguments, **options):
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.endswith(".amazonaws.com"):
        with pathlib.Path({record!r}).open("a") as record:
            record.write(name + "\\n")
        threading.Event().wait()
    return look_up(host, *arguments, **options)

socket.getaddrinfo = hang
"""


class SilentNames:
    """The environment of such a process. Names of AWS are looked up where NO_PROXY has them, and are not answered."""

    def __init__(self, folder: Path, *domains: str) -> None:
        self._record = folder / "names"
        self._record.touch()
        (folder / "sitecustomize.py").write_text(_AT_THE_START.format(record=str(self._record)))
        not_proxied = ",".join((NOT_PROXIED, *domains))
        self.environment = {"PYTHONPATH": str(folder), "NO_PROXY": not_proxied, "no_proxy": not_proxied}

    def asked(self) -> list[str]:
        """Return the names that were looked up, in order."""
        return self._record.read_text().split()
