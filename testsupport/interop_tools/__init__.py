"""Finds the registry and the pullers, and brings what is missing into the cache, without installing anything.

Debian's packages are unpacked beside the system, so that no service starts and nobody needs to be root; what Debian
does not have is built from its published Go modules; `python -m testsupport.interop_tools` prints the folder.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testsupport.control_plane.assets import MODULE as CONTROL_PLANE

PACKAGES = ("docker-registry", "skopeo", "containerd")
MODULE = Path(__file__).parent / "binaries"
"""The Go module that pins the clients."""
COMMANDS = {
    MODULE: (
        "github.com/google/go-containerregistry/cmd/crane",
        "github.com/moby/buildkit/cmd/buildctl",
        "github.com/moby/buildkit/cmd/buildkitd",
        "helm.sh/helm/v4/cmd/helm",
        "sigs.k8s.io/cri-tools/cmd/crictl",
        "./kubectl",
    ),
    # The kubelet's code is a part of Kubernetes' own module, which the control plane is built from.
    CONTROL_PLANE: ("./kubelet-keyring", "./kubelet-pull-manager"),
}
"""What is built, by the module that pins it."""
KREW = Path(__file__).parent / "krew"
"""The Go module that pins krew, which installs plugins of kubectl."""
SIGNING_HELPER = Path(__file__).parent / "signing_helper"
"""The Go module that pins AWS's own client of IAM Roles Anywhere."""
_SIGNER = "github.com/aws/rolesanywhere-credential-helper"
SPIFFE_HELPER = Path(__file__).parent / "spiffe_helper"
"""The Go module that pins SPIFFE's helper, with a Workload API for it to ask."""
_SPIFFE = ("github.com/spiffe/spiffe-helper/cmd/spiffe-helper", "./workload-api")
ARGOCD = Path(__file__).parent / "argocd"
"""The Go module that pins Argo CD, with a program that reads Secrets by its code."""
SECRET_PARSERS = Path(__file__).parent / "secret_parsers"
"""The Go module that pins the libraries by which others read pull Secrets."""
_LIBRARIES = ("usr/lib", "lib")


class ToolsError(Exception):
    """Something cannot be had; the message is one line and says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """A folder with the unpacked packages, and one with what was built."""

    unpacked: Path
    built: Path

    def path(self, name: str) -> str:
        """Give the path of a program; raises ToolsError."""
        places = (self.built, self.unpacked / "usr/bin", self.unpacked / "usr/sbin")
        found = shutil.which(name, path=os.pathsep.join(map(str, places)))
        if found is None:
            raise ToolsError(f"no {name} in {self.unpacked.parent}: delete that folder and run `make test-pull` again")
        return found

    def environment(self) -> dict[str, str]:
        """Give the variables under which the programs find their libraries."""
        folders = [
            path for lib in _LIBRARIES for path in ((self.unpacked / lib), *(self.unpacked / lib).glob("*-linux-*"))
        ]
        return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders)), "PATH": os.environ.get("PATH", os.defpath)}


def find(environment: Mapping[str, str] | None = None) -> Tools:
    """Give the tools, from the cache or brought there now; raises ToolsError."""
    environment = os.environ if environment is None else environment
    folder = cache_folder(environment)
    tools = Tools(unpacked=folder / "debian", built=folder / "go")
    folder.mkdir(parents=True, exist_ok=True)
    _once(tools.unpacked, lambda fresh: _unpack(fresh, environment))
    _once(tools.built, lambda fresh: _build(fresh, environment))
    return tools


def find_signing_helper(environment: Mapping[str, str] | None = None) -> Path:
    """Give AWS's own client of IAM Roles Anywhere, from the cache or built now; raises ToolsError."""
    # It can talk to smart cards, so it needs a C compiler.
    return _find_alone("signing-helper", SIGNING_HELPER, [_SIGNER], "1", environment) / _SIGNER.rpartition("/")[2]


def find_krew(environment: Mapping[str, str] | None = None) -> Path:
    """Give krew, from the cache or built now; raises ToolsError."""
    return _find_alone("krew", KREW, ["sigs.k8s.io/krew/cmd/krew"], "0", environment) / "krew"


def find_spiffe_helper(environment: Mapping[str, str] | None = None) -> Path:
    """Give a folder with `spiffe-helper` and, in the place of SPIRE's agent, `workload-api`; raises ToolsError."""
    return _find_alone("spiffe-helper", SPIFFE_HELPER, _SPIFFE, "0", environment)


def find_argocd(environment: Mapping[str, str] | None = None) -> Path:
    """Give the program that reads Secrets as Argo CD does, from the cache or built now; raises ToolsError."""
    return _find_alone("argocd", ARGOCD, ["./repositories"], "1", environment) / "repositories"


def find_secret_parsers(environment: Mapping[str, str] | None = None) -> Path:
    """Give the program that reads pull Secrets as others do, from the cache or built now; raises ToolsError."""
    return _find_alone("secret-parsers", SECRET_PARSERS, ["./secret-parsers"], "0", environment) / "secret-parsers"


def _find_alone(
    name: str, module: Path, commands: Sequence[str], cgo: str, environment: Mapping[str, str] | None
) -> Path:
    """Give the folder of programs that have one of their own in the cache: a change of them builds nothing else."""
    environment = os.environ if environment is None else environment
    sources = (module / "go.sum", *sorted(module.glob("*/main.go")))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    folder = cache_folder(environment).with_name(f"{name}-{digest[:12]}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _once(folder, lambda fresh: _go_build(fresh, module, commands, {**environment, "CGO_ENABLED": cgo}))
    return folder


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for just these packages and modules; it need not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    wanted = hashlib.sha256(repr((PACKAGES, tuple(COMMANDS.values()))).encode())
    for module in COMMANDS:
        for path in sorted((module / "go.sum", *module.glob("*/main.go"))):
            wanted.update(path.read_bytes())
    return Path(base) / "pullkeeper" / f"pullers-{wanted.hexdigest()[:12]}"


def _once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder that is not there yet; a rename at the end, so that nobody ever takes half of it for the whole."""
    if folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".filling-") as name:
        fresh = Path(name) / folder.name
        fresh.mkdir()
        fill(fresh)
        if not folder.exists():
            fresh.rename(folder)


def _unpack(folder: Path, environment: Mapping[str, str]) -> None:
    if shutil.which("apt-get", path=environment.get("PATH")) is None:
        raise ToolsError(f"no apt-get here, so no {', '.join(PACKAGES)}: run this on Debian or in a Debian container")
    if os.geteuid() == 0:
        _run(["apt-get", "update", "--quiet"], folder, environment)
    # What an installation would bring names the libraries that this machine lacks as well.
    plan = _run(
        ["apt-get", "install", "--simulate", "--reinstall", "--no-install-recommends", *PACKAGES], folder, environment
    )
    packages = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _run(["apt-get", "download", *packages], folder, environment)
    for package in sorted(folder.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(folder)], folder, environment)
        package.unlink()


def _build(folder: Path, environment: Mapping[str, str]) -> None:
    for module, commands in COMMANDS.items():
        _go_build(folder, module, commands, {**environment, "CGO_ENABLED": "0"})


def _go_build(folder: Path, module: Path, commands: Sequence[str], environment: Mapping[str, str]) -> None:
    if shutil.which("go", path=environment.get("PATH")) is None:
        names = ", ".join(Path(command).name for command in commands)
        raise ToolsError(f"no Go here to build {names} with: install Go {_go_version()}")
    build = ["nice", "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", f"{folder}/", *commands]
    _run(build, module, {"GOFLAGS": "-p=2", **environment})


def _go_version() -> str:
    return (MODULE / "go.mod").read_text().partition("\ngo ")[2].split()[0]


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    sys.stderr.write(f"{' '.join(command)[:160]}\n")
    result = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ToolsError(f"`{' '.join(command[:3])} …` failed (exit code {result.returncode}): {last}")
    return result.stdout


def main() -> int:
    """Bring what is missing and print where it is."""
    try:
        tools = find()
        find_signing_helper()
        find_spiffe_helper()
        find_argocd()
    except ToolsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{tools.unpacked.parent}\n")
    return 0
