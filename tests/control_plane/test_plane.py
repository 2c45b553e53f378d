"""What the tests of the cluster tier rely on in the control plane itself."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testsupport.control_plane.plane import ControlPlane, start
from testsupport.control_plane.probe import Probe
from testsupport.waiting import block_until

READY = "/readyz"

ROOT = Path(__file__).parents[2]


@pytest.fixture
def probe(plane: ControlPlane) -> Probe:
    return Probe(url=plane.url, ca_file=plane.ca_file, token=plane.admin_token)


def test_kubeconfig_names_the_server_and_the_user(plane: ControlPlane) -> None:
    """A kubeconfig is for the administrator, a token, or a file that is read anew."""
    assert plane.kubeconfig()["clusters"][0]["cluster"]["server"] == plane.url
    assert plane.kubeconfig()["users"][0]["user"] == {"token": plane.admin_token}
    assert plane.kubeconfig(token="t")["users"][0]["user"] == {"token": "t"}
    assert plane.kubeconfig(token_file="f")["users"][0]["user"] == {"tokenFile": "f"}


def test_written_kubeconfig_is_private(plane: ControlPlane) -> None:
    """Nobody else on the machine may read the token."""
    path = plane.write_kubeconfig()
    assert json.loads(path.read_text()) == plane.kubeconfig()
    assert path.stat().st_mode & 0o777 == 0o600


def test_frozen_server_answers_nothing(plane: ControlPlane, probe: Probe) -> None:
    """A frozen API server accepts connections and stays silent; thawed, it goes on."""
    impatient = Probe(url=plane.url, ca_file=plane.ca_file, token=plane.admin_token, timeout=1)
    with plane.frozen_api_server():
        assert _accepts_connections(plane.url)
        assert not impatient.found(READY)
    assert probe.found(READY)


def test_killed_server_comes_back_at_its_address(plane: ControlPlane, probe: Probe) -> None:
    """After kill and start the same URL serves the same objects."""
    path = "/api/v1/namespaces/kept"
    probe.post("/api/v1/namespaces", {"metadata": {"name": "kept"}})
    plane.kill_api_server()
    try:
        assert not probe.found(READY)
    finally:
        plane.start_api_server()
    assert probe.found(path)


def test_audit_log_names_user_verb_and_resource(plane: ControlPlane, probe: Probe) -> None:
    """Each request is a JSON line with who did what, and without any content."""
    probe.post("/api/v1/namespaces/default/secrets", {"metadata": {"name": "audited"}, "data": {"a": "YQ=="}})
    records = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    [record] = [
        record
        for record in records
        if record["verb"] == "create"
        and record.get("objectRef", {}).get("resource") == "secrets"
        and record["requestURI"].startswith("/api/v1/namespaces/default/")
    ]
    assert record["user"]["username"] == "admin"
    assert "requestObject" not in record


def test_stop_leaves_nothing() -> None:
    """A stopped plane has no process and no file."""
    with start() as plane:
        folder = Path(plane.ca_file).parent.parent
        assert _accepts_connections(plane.url)
    assert not folder.exists()
    assert not _accepts_connections(plane.url)


STARTER = """
import json, sys
from pathlib import Path
from testsupport.control_plane.plane import start

plane = start()
print(json.dumps([str(Path(plane.ca_file).parent.parent), plane.url]), flush=True)
sys.stdin.read()
"""


def test_killed_starter_leaves_nothing() -> None:
    """When the process that started a plane is killed, the guard ends the servers and deletes the files."""
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as starter:
        assert starter.stdout is not None
        folder, url = json.loads(starter.stdout.readline())
        assert _accepts_connections(url)
        starter.kill()
    block_until(lambda: not Path(folder).exists() and not _accepts_connections(url), "the guard to clean up")


def _accepts_connections(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0
