"""Finds the binaries of a real Kubernetes control plane, and builds what no one provides.

`python -m testsupport.control_plane.assets` prints the folder that holds them, as setup-envtest does, so that its
output can be used as KUBEBUILDER_ASSETS. With versions of OLDER it prints the API server of each.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).parent / "binaries"
"""The Go module that pins the versions; one folder of it per binary."""

OLDER = {minor: MODULE.parent / "older" / minor for minor in ("1.30", "1.34")}
"""Go modules of older API servers: the oldest with ValidatingAdmissionPolicy, and with the other one in beta."""

_API_SERVER = "kube-apiserver"
NAMES = ("etcd", _API_SERVER, "kube-controller-manager")

OPTIONAL_IN_KUBEBUILDER_ASSETS = frozenset({"kube-controller-manager"})
"""setup-envtest brings no controller manager; without one a deleted Namespace stays Terminating."""


class AssetsError(Exception):
    """The binaries are not there and cannot be built; the message is one line and says how to get them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assets:
    """Where each binary is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path


def find(environment: Mapping[str, str] | None = None) -> Assets:
    """Return the binaries: from KUBEBUILDER_ASSETS, the cache, or a build; raises AssetsError."""
    environment = os.environ if environment is None else environment
    given = _given(environment)
    missing = [name for name in NAMES if name not in given]
    cache = cache_folder(environment)
    if missing:
        _complete(cache, missing, environment, MODULE)
    paths = {name: given.get(name, cache / name) for name in NAMES}
    return Assets(
        etcd=paths["etcd"],
        kube_apiserver=paths[_API_SERVER],
        kube_controller_manager=paths["kube-controller-manager"],
    )


def older_api_server(minor: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return the API server of one of OLDER, from the cache or a build; raises AssetsError."""
    environment = os.environ if environment is None else environment
    module = OLDER[minor]
    cache = cache_folder(environment, module)
    _complete(cache, [_API_SERVER], environment, module)
    return cache / _API_SERVER


def kubernetes_version(module: Path = MODULE) -> str:
    """Return the Kubernetes version that a Go module pins, without the "v"."""
    match = re.search(r"^(?:require)?\s*k8s\.io/kubernetes v(\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise AssetsError(f"{module / 'go.mod'} requires no k8s.io/kubernetes: restore that line")
    return match[1]


def cache_folder(environment: Mapping[str, str], module: Path = MODULE) -> Path:
    """Return the folder that builds of a module go to; it need not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper" / f"kubernetes-{kubernetes_version(module)}"


def _given(environment: Mapping[str, str]) -> dict[str, Path]:
    value = environment.get("KUBEBUILDER_ASSETS")
    if not value:
        return {}
    folder = Path(value)
    found = {name: folder / name for name in NAMES if _is_executable(folder / name)}
    lacking = [name for name in NAMES if name not in found and name not in OPTIONAL_IN_KUBEBUILDER_ASSETS]
    if lacking:
        raise AssetsError(
            f"KUBEBUILDER_ASSETS={value} has no executable {' and no '.join(lacking)}: "
            "set it to what `setup-envtest use -p path` prints, or unset it to build them with Go"
        )
    return found


def _complete(cache: Path, names: Sequence[str], environment: Mapping[str, str], module: Path) -> None:
    if not _missing_in(cache, names):
        return
    cache.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache / ".lock"):
        # Looked at again: whoever held the lock before may have built just these.
        missing = _missing_in(cache, names)
        if missing:
            _build(cache, missing, environment, module)


def _missing_in(folder: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if not _is_executable(folder / name)]


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another build into {lock.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(cache: Path, names: Sequence[str], environment: Mapping[str, str], module: Path) -> None:
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise AssetsError(
            f"no {', '.join(names)} of Kubernetes {kubernetes_version(module)} here: install Go 1.26 to build it, "
            "or set KUBEBUILDER_ASSETS to what `setup-envtest use -p path` prints"
        )
    with tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as folder:
        for number, name in enumerate(names, start=1):
            _say(f"building {name} ({number} of {len(names)}); the first time takes some minutes")
            _compile(go, name, Path(folder) / name, environment, module)
            # A rename within one file system is atomic: nobody ever starts half a binary.
            (Path(folder) / name).rename(cache / name)


def _compile(go: str, name: str, target: Path, environment: Mapping[str, str], module: Path) -> None:
    package = f"./{name}" if module == MODULE else f"k8s.io/kubernetes/cmd/{name}"
    command = ["nice", go, "build", "-trimpath", "-ldflags", _linker_flags(module), "-o", str(target), package]
    # Two packages at a time leave a small machine usable.
    settings = {"GOFLAGS": "-p=2", **environment, "CGO_ENABLED": "0"}
    result = subprocess.run(command, cwd=module, env=settings, stdout=sys.stderr, check=False)
    if result.returncode != 0:
        raise AssetsError(
            f"`go build {package}` in {module} failed (exit code {result.returncode}): it needs Go 1.26 and a "
            "module proxy; or set KUBEBUILDER_ASSETS to what `setup-envtest use -p path` prints"
        )


def _linker_flags(module: Path) -> str:
    """Stamp the version in: the API server refuses to start as version 0.0."""
    version = kubernetes_version(module)
    major, minor, _ = version.split(".", 2)
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamps.items())])


def _say(line: str) -> None:
    # To standard error: standard output carries the folder alone.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _folder_of(assets: Assets) -> Path:
    """Return one folder with all three, though they may come from two."""
    folders = {assets.etcd.parent, assets.kube_apiserver.parent, assets.kube_controller_manager.parent}
    if len(folders) == 1:
        return assets.etcd.parent
    joined = assets.kube_controller_manager.parent / "with-kubebuilder-assets"
    joined.mkdir(exist_ok=True)
    for path in (assets.etcd, assets.kube_apiserver, assets.kube_controller_manager):
        link = joined / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
    return joined


def main() -> int:
    """Find or build the binaries and print their folder, or each older API server that is named."""
    try:
        found = [older_api_server(minor) for minor in sys.argv[1:]] or [_folder_of(find())]
    except AssetsError as error:
        _say(str(error))
        return 1
    sys.stdout.writelines(f"{path}\n" for path in found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
