"""What the image contains, and what it must not contain."""

import json
import re
import stat
import struct
from pathlib import Path

import pytest

from testsupport.image.built import REPOSITORY, Image

SBOM = REPOSITORY / "build" / "pullkeeper.cdx.json"
_MAGIC = 3571
"""Magic number of Python 3.13's byte code."""
_UNCHECKED_HASH = 1
"""Flags of byte code that is loaded without comparing it with the source (PEP 552)."""


def _site_packages(image: Image) -> Path:
    (found,) = (image.root / "opt" / "pullkeeper" / "lib").glob("python3.*/site-packages")
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(image: Image) -> dict[str, str]:
    """Return the installed distributions and their versions."""
    names = (path.name.removesuffix(".dist-info") for path in _site_packages(image).glob("*.dist-info"))
    return {_canonical(name): version for name, _, version in (name.partition("-") for name in names)}


def _locked() -> dict[str, str]:
    lock = (REPOSITORY / "requirements" / "run.txt").read_text()
    return {
        _canonical(name): version for name, version in re.findall(r"^(\S+)==(\S+)(?: ; .+)? \\$", lock, re.MULTILINE)
    }


def test_it_contains_the_locked_distributions(image: Image) -> None:
    """The distributions and versions of requirements/run.txt and the controller, but no installer."""
    version = image.config["Labels"]["org.opencontainers.image.version"]
    assert _installed(image) == _locked() | {"pullkeeper": version}


def test_the_sbom_lists_all_distributions(image: Image) -> None:
    """`make sbom` lists the distributions in the image, and no others."""
    assert SBOM.exists(), "run make sbom first"
    components = json.loads(SBOM.read_text())["components"]
    listed = {_canonical(component["name"]): component["version"] for component in components}
    installed = _installed(image)
    del installed["pullkeeper"]  # the subject of the SBOM, not a component
    assert listed == installed


def test_only_the_interpreter_and_the_program_are_executable(image: Image) -> None:
    """No shell, package manager, compiler or other tool: all other executable files are libraries."""
    executable = {
        path.name
        for path in image.root.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_mode & 0o111
    }
    assert {name for name in executable if ".so" not in name} == {"python3.13", "pullkeeper"}


@pytest.mark.parametrize("module", ["pip", "setuptools", "ensurepip", "venv", "wheel", "distutils", "apt"])
def test_no_installer_can_be_imported(image: Image, tmp_path: Path, module: str) -> None:
    """Neither those of Python nor those of the base image."""
    code = f"import importlib.util, json; print(json.dumps(importlib.util.find_spec({module!r}) is None))"
    assert image.python(tmp_path, code)


def test_all_files_belong_to_root_and_only_tmp_is_writable(image: Image) -> None:
    """The image's user owns nothing and can write to /tmp only, even without a read-only root; no setuid files."""
    entries = {path: path.lstat() for path in image.root.rglob("*")}
    links = {path for path, status in entries.items() if stat.S_ISLNK(status.st_mode)}
    assert {path for path, status in entries.items() if (status.st_uid, status.st_gid) != (0, 0)} == set()
    assert {path for path in entries.keys() - links if entries[path].st_mode & 0o022} == {image.root / "tmp"}
    assert {path for path in entries.keys() - links if entries[path].st_mode & 0o6000} == set()


def test_every_module_is_byte_compiled(image: Image) -> None:
    """For this Python version, and loaded without comparing it with the source."""
    for source in image.root.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        header = compiled.read_bytes()[:8]
        assert struct.unpack("<H2xI", header) == (_MAGIC, _UNCHECKED_HASH), source


def test_nothing_is_compiled_at_start(image: Image, tmp_path: Path) -> None:
    """All modules that the controller imports are loaded from byte code."""
    output = image.run(tmp_path, "python", "-v", "-c", "import pullkeeper.cli.main, pullkeeper.app.manager")
    loaded = [line for line in output.splitlines() if line.startswith("# code object from ")]
    assert len(loaded) > 500
    assert [line for line in loaded if not line.endswith(".pyc'")] == []


def test_it_trusts_public_certificate_authorities(image: Image, tmp_path: Path) -> None:
    """TLS connections to servers with public certificates work by default."""
    code = "import json, ssl; print(json.dumps(ssl.create_default_context().cert_store_stats()))"
    assert image.python(tmp_path, code)["x509_ca"] > 50


def test_debian_packages_are_recorded(image: Image) -> None:
    """A scanner finds the version of each library's package, and its licence is included."""
    records = {path.name: path.read_text() for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3t64", "zlib1g"} <= records.keys()
    assert all(f"Package: {name}\n" in text and "\nVersion: " in text for name, text in records.items())
    assert all((image.root / "usr/share/doc" / name / "copyright").exists() for name in records)


def test_build_secrets_are_not_in_the_image(image: Image) -> None:
    """Neither the configuration of a mirror nor the certificates of a proxy."""
    assert not (image.root / "etc/pip.conf").exists()
    assert list((image.root / "run").iterdir()) == []
