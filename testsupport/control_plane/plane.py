"""A real Kubernetes control plane on 127.0.0.1: etcd, kube-apiserver, kube-controller-manager."""

import json
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from testsupport.control_plane import assets, certificates, commands
from testsupport.control_plane.probe import Probe
from testsupport.control_plane.process import Guard, Process
from testsupport.waiting import HANG_GUARD

POLL_INTERVAL = 0.05

PORTS = range(20000, 32000)
"""Below the ephemeral ports: a client that retries against a stopped server there could connect to itself."""


class PlaneError(Exception):
    """The control plane did not come up; the message carries the end of the log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondApiServer:
    """Another API server of a control plane, to install on."""

    url: str
    ca_file: str
    admin_token: str


class ControlPlane:
    """One running control plane; it shares its interface with the in-memory API server."""

    def __init__(
        self, folder: Path, binaries: assets.Assets, guard: Guard, *, api_server_flags: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._guard = guard
        self._processes: list[Process] = []
        self._etcd_url = f"http://127.0.0.1:{_free_port()}"
        files = certificates.write(folder / "pki")
        port = _free_port()
        self.url = f"https://127.0.0.1:{port}"
        self.ca_file = str(files.ca)
        self.admin_token = secrets.token_urlsafe(24)
        self.audit_log = folder / "audit.log"
        self._probe = Probe(url=self.url, ca_file=self.ca_file, token=self.admin_token)
        self._layout = commands.Layout(
            folder=folder,
            binaries=binaries,
            files=files,
            etcd_url=self._etcd_url,
            port=port,
            admin_token=self.admin_token,
            api_server_flags=api_server_flags,
        )
        self._start_all()

    @property
    def service_account_key(self) -> Path:
        """Give the file of the key that tokens of ServiceAccounts are signed and verified with."""
        return self._layout.files.service_account_key

    def kubeconfig(self, token: str | None = None, token_file: str | None = None) -> dict[str, Any]:
        """Return a kubeconfig for the given token or token file; for the administrator without either."""
        user = {"tokenFile": token_file} if token_file else {"token": token or self.admin_token}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "user"}}],
            "current-context": "plane",
        }

    def write_kubeconfig(self, token: str | None = None) -> Path:
        """Write kubeconfig() into the plane's folder and return the path; JSON is YAML too."""
        path = self._folder / f"kubeconfig-{secrets.token_hex(4)}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.kubeconfig(token), indent=2))
        return path

    def kill_api_server(self) -> None:
        """End the API server at once: connections break, new ones are refused."""
        self._api_server.kill()

    def start_api_server(self) -> None:
        """Start the API server again on its port and its etcd, and wait until it is ready."""
        self._api_server.start()
        self._await_ready()
        # Its watches would come back one by one, after up to half a minute of backoff each.
        self._controller_manager.kill()
        self._controller_manager.start()

    @contextmanager
    def frozen_api_server(self) -> Iterator[None]:
        """Let the API server answer nothing for a while, with its connections open."""
        self._api_server.freeze()
        try:
            yield
        finally:
            self._api_server.thaw()

    def kill_etcd(self) -> None:
        """End etcd at once, with the API server still running."""
        self._processes[0].kill()

    def start_etcd(self) -> None:
        """Start etcd again with its data, and wait until the API server is ready with it."""
        self._processes[0].start()
        self._await_ready()

    def back_up_etcd(self) -> Path:
        """Copy etcd's data as they are now, and return the copy's folder."""
        copy = self._folder / f"etcd-backup-{secrets.token_hex(4)}"
        etcd = self._processes[0]
        etcd.freeze()
        try:
            shutil.copytree(self._folder / "etcd", copy)
        finally:
            etcd.thaw()
        return copy

    def restore_etcd(self, backup: Path) -> None:
        """Go back to a copy of etcd's data: resourceVersions go back, too."""
        data, etcd = self._folder / "etcd", self._processes[0]
        self.kill_api_server()
        self.kill_etcd()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        etcd.start()
        self.start_api_server()

    @contextmanager
    def second_api_server(
        self, certificate: Path, ca_file: Path, *, issuing: Sequence[str] = ()
    ) -> Iterator["SecondApiServer"]:
        """Run another API server on the same etcd, as clusters of several control plane nodes have.

        Its certificate is the one in this file, which also has the key. It takes over what is written there later.
        Flags for `issuing` tokens of ServiceAccounts take the place of the plane's own.
        """
        folder = self._folder / f"second-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        files = replace(self._layout.files, serving_certificate=certificate, serving_key=certificate)
        layout = replace(self._layout, folder=folder, files=files, port=_free_port(), issuing=issuing)
        process = self._add(layout, commands.kube_apiserver(layout))
        second = SecondApiServer(
            url=f"https://127.0.0.1:{layout.port}", ca_file=str(ca_file), admin_token=self.admin_token
        )
        try:
            probe = Probe(url=second.url, ca_file=second.ca_file, token=second.admin_token)
            self._wait(lambda: probe.found("/readyz"), second.url)
            yield second
        finally:
            process.stop()
            self._processes.remove(process)

    def compact(self) -> None:
        """Forget the past, as Kubernetes does after five minutes: older watches and lists are 410 then.

        etcd forgets by its own API; the API server remembers recent changes itself, so it starts anew.
        """
        etcd = Probe(url=self._etcd_url)
        revision = etcd.post("/v3/maintenance/status", {})["header"]["revision"]
        etcd.post("/v3/kv/compaction", {"revision": revision, "physical": True})
        self.kill_api_server()
        self.start_api_server()

    def stop(self) -> None:
        """End every process and delete every file."""
        for process in reversed(self._processes):
            process.stop()
        self._guard.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _api_server(self) -> Process:
        return self._processes[1]

    @property
    def _controller_manager(self) -> Process:
        return self._processes[2]

    def _start_all(self) -> None:
        layout = self._layout
        try:
            # etcd leads the process group, so that the guard can end all of them by one number.
            etcd = self._add(layout, commands.etcd(layout, _free_port()))
            self._guard.watch_group(etcd.id)
            self._add(layout, commands.kube_apiserver(layout))
            # The controller manager waits for it, too, but gives up after ten seconds, however busy the machine is.
            self._await_ready()
            kubeconfig = self.write_kubeconfig()
            self._add(layout, commands.kube_controller_manager(layout, kubeconfig))
            self._wait(lambda: self._probe.found(_DEFAULT_ACCOUNT), "the ServiceAccount default/default")
        except BaseException:
            self.stop()
            raise

    def _add(self, layout: commands.Layout, command: list[str]) -> Process:
        log = layout.folder / f"{Path(command[0]).name}.log"
        group = self._processes[0].id if self._processes else 0
        self._processes.append(Process(command, log=log, group=group))
        return self._processes[-1]

    def _await_ready(self) -> None:
        self._wait(lambda: self._probe.found("/readyz"), f"{self.url}/readyz")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + HANG_GUARD
        while not condition():
            self._check_alive()
            if time.monotonic() > deadline:
                raise PlaneError(f"waited {HANG_GUARD:g} s for {what} in vain\n{self._tails()}")
            # The processes of others are polled: nobody sends us an event when they are up.
            time.sleep(POLL_INTERVAL)

    def _check_alive(self) -> None:
        for process in self._processes:
            if (code := process.exit_code()) is not None:
                raise PlaneError(f"{process.name} ended with exit code {code}\n{process.tail()}")

    def _tails(self) -> str:
        return "\n".join(process.tail() for process in self._processes)


_DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


def start(*, api_server_flags: Sequence[str] = ()) -> ControlPlane:
    """Start a control plane and wait until it is up; raises AssetsError or PlaneError."""
    return _start(assets.find(), api_server_flags=api_server_flags)


def start_older(minor: str) -> ControlPlane:
    """Start one whose API server is of assets.OLDER, with every admission policy on that it has; raises likewise."""
    binaries = replace(assets.find(), kube_apiserver=assets.older_api_server(minor))
    return _start(binaries, api_server_flags=_BETA if minor == "1.34" else ())


_BETA = (
    "--feature-gates=MutatingAdmissionPolicy=true",
    "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
)


def _start(binaries: assets.Assets, *, api_server_flags: Sequence[str] = ()) -> ControlPlane:
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own within it, which only we can read
    base = memory if memory.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="pullkeeper-plane-", dir=base))
    return ControlPlane(folder, binaries, Guard(folder), api_server_flags=api_server_flags)


def _free_port() -> int:
    for port in random.sample(PORTS, k=100):
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PlaneError(f"no free port on 127.0.0.1 among a hundred tried in {PORTS.start}-{PORTS.stop}")
