"""The commands as a Python distribution, and as a plugin of kubectl."""

import os
import re
import site
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from testsupport import interop_tools
from tools.release import distribution, krew
from tools.release.build import OUT, SUMS, Artefacts
from tools.release.source import Source


def run(*command: str | Path, status: int = 0, variables: Mapping[str, str] = MappingProxyType({})) -> str:
    """Run a command in a clean environment; returns what it printed, errors included."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        command, env={**kept, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_the_wheel_is_installed_offline_and_runs(built: Artefacts, tree: Source, tmp_path: Path) -> None:
    """In a fresh environment beside which there are the dependencies only, which pip finds sufficient."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python, packages = tmp_path / "venv" / "bin" / "python", tmp_path / "dependencies"
    _link_dependencies(packages)
    (folder,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (folder / "dependencies.pth").write_text(f"{packages}\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--no-index", "--no-build-isolation", built.wheel)
    assert f"Version: {tree.version}" in run(*pip, "show", "pullkeeper")
    for name in ("pullkeeper", "kubectl-pullkeeper"):
        assert "explain" in run(python.with_name(name), "--help")
    assert tree.version in run(python.with_name("pullkeeper"), "--version")
    where = run(python, "-c", "import pullkeeper; print(pullkeeper.__file__)")
    assert where.startswith(str(folder))


def _link_dependencies(folder: Path) -> None:
    """Link whatever is installed here but for Pullkeeper itself, whose source would be found first."""
    folder.mkdir()
    places = [Path(path) for path in {*site.getsitepackages(), *sys.path} if path.endswith("site-packages")]
    for each in (each for place in places if place.is_dir() for each in place.iterdir()):
        if "pullkeeper" not in each.name.lower() and each.suffix != ".pth" and not (folder / each.name).exists():
            (folder / each.name).symlink_to(each)


def test_the_wheel_is_the_same_from_the_source_distribution(built: Artefacts, tree: Source, tmp_path: Path) -> None:
    """So the source distribution lacks nothing, and the build is reproducible."""
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = tmp_path / "again"
    again.mkdir()
    wheel, _ = distribution.build(tree, source, again)
    assert wheel.read_bytes() == built.wheel.read_bytes()


def test_the_wheel_has_every_module_and_nothing_else(built: Artefacts, tree: Source) -> None:
    """The package and its metadata; no tests, no tools."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"pullkeeper-{tree.version}.dist-info/METADATA").decode()
    package = tree.root / "controller" / "pullkeeper"
    wanted = {path.relative_to(package.parent).as_posix() for path in package.rglob("*.py")}
    assert names == wanted | {"pullkeeper/py.typed"}
    links = re.findall(r"\]\(([^()\s]+)\)", metadata)
    assert links
    assert [link for link in links if not re.match("https://|#", link)] == []


def test_the_plugins_archive_is_reproducible(built: Artefacts, tree: Source, tmp_path: Path) -> None:
    """The hash in krew's index can be compared with that of a build of one's own."""
    assert krew.archive(tree, built.wheel, tmp_path).read_bytes() == built.plugin.read_bytes()


def test_krew_installs_the_plugin(built: Artefacts, tmp_path: Path) -> None:
    """Krew itself accepts manifest, hash and archive."""
    assert "Installed plugin: pullkeeper" in run(
        *_install(built.plugin_manifest, built.plugin), variables=_krew(tmp_path)
    )


def test_the_installed_plugin_runs(built: Artefacts, tree: Source, tmp_path: Path) -> None:
    """The first run prepares an environment, here with one of the dependencies: `make sbom` installs all of them."""
    few = replace(tree, root=_with_one_dependency(tree.root, tmp_path / "source"))
    plugin = krew.archive(few, built.wheel, tmp_path)
    run(*_install(krew.manifest(few, plugin, tmp_path), plugin), variables=_krew(tmp_path))
    command = tmp_path / "krew" / "bin" / "kubectl-pullkeeper"
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "KUBECTL_PULLKEEPER_PYTHON": sys.executable}
    variables |= {"PIP_CACHE_DIR": run(sys.executable, "-m", "pip", "cache", "dir").strip()}
    first = run(command, "--version", variables=variables).splitlines(keepends=True)
    assert first[0] == f"preparing the environment of kubectl pullkeeper {tree.version} (first run only)\n"
    assert tree.version in first[-1]
    assert run(command, "--version", variables=variables) == first[-1]
    (link,) = (path for path in (tmp_path / "cache" / "pullkeeper").iterdir() if path.is_symlink())
    assert "prometheus_client" in run(link / "bin" / "python", "-m", "pip", "list")


def _install(manifest: Path, archive: Path) -> tuple[str | Path, ...]:
    return interop_tools.find_krew(), "install", f"--manifest={manifest}", f"--archive={archive}"


def _krew(folder: Path) -> dict[str, str]:
    return {"KREW_ROOT": str(folder / "krew"), "HOME": str(folder)}


def _with_one_dependency(root: Path, folder: Path) -> Path:
    """Write what the archive takes from a source tree, with the lock of one package."""
    (folder / "requirements").mkdir(parents=True)
    (folder / "LICENSE").write_bytes((root / "LICENSE").read_bytes())
    lock = (root / "requirements" / "run.txt").read_text()
    found = re.search(r"^prometheus-client==.*\n(?: +--hash=.*\n)+", lock, re.MULTILINE)
    assert found is not None
    (folder / "requirements" / "run.txt").write_text(found[0])
    return folder


@pytest.mark.parametrize("field", ["sha256", "version", "selector"])
def test_krew_refuses_a_wrong_manifest(built: Artefacts, tmp_path: Path, field: str) -> None:
    """So what it accepts above it has read."""
    manifest = yaml.safe_load(built.plugin_manifest.read_text())
    broken = {"sha256": "0" * 64, "version": "1", "selector": {"matchLabels": {"python": "3"}}}[field]
    (manifest["spec"] if field == "version" else manifest["spec"]["platforms"][0])[field] = broken
    path = tmp_path / "pullkeeper.yaml"
    path.write_text(yaml.safe_dump(manifest))
    run(*_install(path, built.plugin), status=1, variables=_krew(tmp_path))


def test_an_old_python_is_refused_in_one_line(built: Artefacts, tmp_path: Path) -> None:
    """Before anything is created."""
    with tarfile.open(built.plugin) as archive:
        archive.extractall(tmp_path / "plugin", filter="data")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    variables = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "KUBECTL_PULLKEEPER_PYTHON": str(old)}
    printed = run(tmp_path / "plugin" / "kubectl-pullkeeper", "status", status=1, variables=variables)
    assert printed == "kubectl pullkeeper needs Python 3.11 or newer: set KUBECTL_PULLKEEPER_PYTHON to one\n"
    assert not (tmp_path / ".cache").exists()


def test_the_hashes_are_of_all_files(built: Artefacts) -> None:
    """`sha256sum --check` accepts them, and no file is left out."""
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=OUT, capture_output=True, text=True, check=True
    )
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert checked == {path.name for path in OUT.iterdir()} - {SUMS}
    assert built.chart.name in checked
