"""Find an interpreter for each Python version that the project declares.

The order is `PATH`, pyenv's versions, the tool cache of a GitHub runner, and, for the newest version on Linux x86-64, a
build that is published as a Go module. Nothing is installed; the Go module is unpacked into the cache folder once.
"""

import gzip
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


class InterpreterError(Exception):
    """No interpreter of a version is available; the message is one line and says how to get one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoModule:
    """A Go module that contains a build of Python, pinned by the hash that Go's checksum database has for it."""

    version: str
    path: str
    checksum: str


EMBEDDED = GoModule(
    version="3.14",
    path="github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1",
    checksum="h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4=",
)
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.[0-9]+)")


def declared(pyproject: Path = Path("pyproject.toml")) -> list[str]:
    """List the Python versions in the project's classifiers."""
    classifiers = tomllib.loads(pyproject.read_text())["project"]["classifiers"]
    return [match[1] for classifier in classifiers if (match := _CLASSIFIER.fullmatch(classifier))]


def find(version: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return an interpreter of a version such as "3.12"; raises InterpreterError."""
    environment = os.environ if environment is None else environment
    for candidate in (*_installed(version, environment), *_embedded(version, environment)):
        if _version(candidate) == version:
            return candidate
    raise InterpreterError(
        f"no Python {version}: put python{version} on the PATH, install it with pyenv, "
        "or leave this version out (make test-pythons PYTHONS=…)"
    )


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what is fetched or built once; it may not exist."""
    return Path(environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "pullkeeper"


def _installed(version: str, environment: Mapping[str, str]) -> Iterator[Path]:
    if on_path := shutil.which(f"python{version}", path=environment.get("PATH")):
        yield Path(on_path)
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/"), ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python3"))
    if runner := environment.get("RUNNER_TOOL_CACHE"):
        yield from sorted(Path(runner).glob(f"Python/{version}.*/x64/bin/python3"))


def _version(interpreter: Path) -> str | None:
    """Return what an interpreter says it is: pyenv's shims exist for versions that are not active, too."""
    command = [str(interpreter), "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return completed.stdout.strip() if completed.returncode == 0 else None


def _embedded(version: str, environment: Mapping[str, str]) -> Iterator[Path]:
    go = shutil.which("go", path=environment.get("PATH"))
    if version != EMBEDDED.version or go is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return
    cache = cache_folder(environment)
    folder = cache / EMBEDDED.path.rpartition("@")[2]
    if not folder.exists():
        source = _download(go, environment)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpack(source / "python" / "internal" / "data" / "linux-amd64", Path(scratch, "python"))
            Path(scratch, "python").rename(folder)
    yield folder / "bin" / f"python{version}"


def _download(go: str, environment: Mapping[str, str]) -> Path:
    """Download the module and return its folder; raises InterpreterError."""
    command = [go, "mod", "download", "-json", EMBEDDED.path]
    with tempfile.TemporaryDirectory() as nowhere:
        completed = subprocess.run(
            command, cwd=nowhere, env=dict(environment), capture_output=True, text=True, check=False
        )
    module = json.loads(completed.stdout or "{}")
    if completed.returncode != 0:
        raise InterpreterError(f"no Python {EMBEDDED.version}: `{' '.join(command)}` failed: {module.get('Error')}")
    if module["Sum"] != EMBEDDED.checksum:
        raise InterpreterError(
            f"{EMBEDDED.path} has the checksum {module['Sum']}, not {EMBEDDED.checksum}: do not use it"
        )
    return Path(module["Dir"])


def unpack(source: Path, target: Path) -> None:
    """Restore the tree that `files.json` lists: a Go module can hold neither symbolic links nor file modes."""
    target.mkdir()
    for entry in json.loads((source / "files.json").read_text())["files"]:
        path = target / entry["name"]
        compressed = entry.get("compressed", False)
        if "symlink" in entry:
            path.symlink_to(entry["symlink"])
        elif (source / entry["name"]).is_dir():
            path.mkdir()
        else:
            content = (source / (f"{entry['name']}.gz" if compressed else entry["name"])).read_bytes()
            path.write_bytes(gzip.decompress(content) if compressed else content)
            path.chmod(entry["perm"] & 0o777)
