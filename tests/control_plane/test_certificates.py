"""A real API server with the certificates that clusters have, and the controller with Python 3.13's strictness."""

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from testsupport.control_plane.plane import ControlPlane
from testsupport.installation import Installation
from testsupport.interpreters import find
from testsupport.strict_tls import strict_process
from testsupport.tls_shapes import SHAPES, Authority
from testsupport.waiting import block_until

pytestmark = pytest.mark.slow

_CONNECT = """
import socket, ssl, sys
from pullkeeper.adapters import tls_context

make, port, ca_file = sys.argv[1:]
context = tls_context.verifying(ca_file) if make == "ours" else ssl.create_default_context(cafile=ca_file)
try:
    with socket.create_connection(("127.0.0.1", int(port))) as plain:
        context.wrap_socket(plain, server_hostname="127.0.0.1").close()
except ssl.SSLCertVerificationError:
    sys.exit("refused")
"""


def connects(python: str, make: str, url: str, ca_file: Path) -> bool:
    """Shake hands with a server in another process, which has only the standard library and our source."""
    command = [python, "-S", "-c", _CONNECT, make, str(urlsplit(url).port), str(ca_file)]
    completed = subprocess.run(
        command, env={"PYTHONPATH": "controller"}, stderr=subprocess.PIPE, text=True, check=False
    )
    assert completed.stderr.strip() in {"", "refused"}
    return completed.returncode == 0


async def test_the_controller_connects_whatever_the_cas_shape(
    plane: ControlPlane, installation: Installation, tmp_path: Path
) -> None:
    """Python 3.13 itself refuses what old tools made; it and the controller's own processes connect with our rules."""
    python, ca_file, served = str(find("3.13")), tmp_path / "ca.crt", tmp_path / "served.pem"
    first, *_ = authorities = {name: Authority(tmp_path, shape, name=name) for name, shape in SHAPES.items()}
    shutil.copy(authorities[first].issue(), served)
    ca_file.write_bytes(authorities[first].pem)
    with plane.second_api_server(served, ca_file) as second:
        installation.server = second
        for name, authority in authorities.items():
            served.write_bytes(authority.issue().read_bytes())
            ca_file.write_bytes(authority.pem)
            block_until(lambda: connects(sys.executable, "ours", second.url, ca_file), f"the certificate of {name}")
            assert connects(python, "ours", second.url, ca_file)
            assert connects(python, "python's", second.url, ca_file) is (name == first)
            if name != first:  # with today's every other test connects
                for process in installation.processes:
                    await process.stop()
                await installation.start(environment={**installation.irsa(), **strict_process(tmp_path)})
        await installation.create_served_namespace()
