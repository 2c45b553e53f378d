"""What is in the image, and above all what is not."""

import json
import re
import stat
import struct
from pathlib import Path

import pytest

from testsupport.image.built import REPOSITORY, Image

SBOM = REPOSITORY / "build" / "pullkeeper.cdx.json"
_MAGIC = 3571
"""Of Python 3.13's byte code."""
_UNCHECKED_HASH = 1
"""The flags of byte code that is taken as it is, whatever its source's time or content (PEP 552)."""


def _site_packages(image: Image) -> Path:
    (found,) = (image.root / "opt" / "pullkeeper" / "lib").glob("python3.*/site-packages")
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(image: Image) -> dict[str, str]:
    """Give the distributions by their metadata."""
    names = (path.name.removesuffix(".dist-info") for path in _site_packages(image).glob("*.dist-info"))
    return {_canonical(name): version for name, _, version in (name.partition("-") for name in names)}


def _locked() -> dict[str, str]:
    lock = (REPOSITORY / "requirements" / "run.txt").read_text()
    return {_canonical(name): version for name, version in re.findall(r"^(\S+)==(\S+) \\$", lock, re.MULTILINE)}


def test_it_holds_what_is_locked_and_itself(image: Image) -> None:
    """The distributions are those of requirements/run.txt in the same versions: nothing that installs is among them."""
    version = image.config["Labels"]["org.opencontainers.image.version"]
    assert _installed(image) == _locked() | {"pullkeeper": version}


def test_sbom_lists_what_it_holds(image: Image) -> None:
    """`make sbom` names each distribution that is in the image, and no other."""
    assert SBOM.exists(), "make sbom writes it"
    components = json.loads(SBOM.read_text())["components"]
    listed = {_canonical(component["name"]): component["version"] for component in components}
    installed = _installed(image)
    del installed["pullkeeper"]  # it is what the SBOM is of
    assert listed == installed


def test_nothing_can_be_executed_but_the_interpreter_and_the_program(image: Image) -> None:
    """No shell, no package manager, no compiler, no tool: of everything that is executable, all else are libraries."""
    executable = {
        path.name
        for path in image.root.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_mode & 0o111
    }
    assert {name for name in executable if ".so" not in name} == {"python3.13", "pullkeeper"}


@pytest.mark.parametrize("module", ["pip", "setuptools", "ensurepip", "venv", "wheel", "distutils", "apt"])
def test_nothing_that_installs_can_be_imported(image: Image, tmp_path: Path, module: str) -> None:
    """Python brings its own installers, and a base brings more; none is left."""
    code = f"import importlib.util, json; print(json.dumps(importlib.util.find_spec({module!r}) is None))"
    assert image.python(tmp_path, code)


def test_everything_is_roots_and_nobody_elses_to_write(image: Image) -> None:
    """The image's user owns nothing and may write nowhere but in /tmp, even where the root is not read-only."""
    entries = {path: path.lstat() for path in image.root.rglob("*")}
    links = {path for path, status in entries.items() if stat.S_ISLNK(status.st_mode)}
    assert {path for path, status in entries.items() if (status.st_uid, status.st_gid) != (0, 0)} == set()
    assert {path for path in entries.keys() - links if entries[path].st_mode & 0o022} == {image.root / "tmp"}
    assert {path for path in entries.keys() - links if entries[path].st_mode & 0o6000} == set()


def test_every_source_has_its_byte_code(image: Image) -> None:
    """Byte code is there for each source, for this Python, and is taken without a look at the source."""
    for source in image.root.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        header = compiled.read_bytes()[:8]
        assert struct.unpack("<H2xI", header) == (_MAGIC, _UNCHECKED_HASH), source


def test_a_start_compiles_nothing(image: Image, tmp_path: Path) -> None:
    """Everything that the controller imports comes from byte code."""
    told = image.run(tmp_path, "python", "-v", "-c", "import pullkeeper.cli.main, pullkeeper.app.manager")
    loaded = [line for line in told.splitlines() if line.startswith("# code object from ")]
    assert len(loaded) > 500
    assert [line for line in loaded if not line.endswith(".pyc'")] == []


def test_it_trusts_the_public_certificate_authorities(image: Image, tmp_path: Path) -> None:
    """A registry or an API server with a public certificate is believed by default."""
    code = "import json, ssl; print(json.dumps(ssl.create_default_context().cert_store_stats()))"
    assert image.python(tmp_path, code)["x509_ca"] > 50


def test_debians_packages_are_on_record(image: Image) -> None:
    """A scanner finds the versions of the libraries that are in it, and each has its licence beside it."""
    records = {path.name: path.read_text() for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3t64", "zlib1g"} <= records.keys()
    assert all(f"Package: {name}\n" in text and "\nVersion: " in text for name, text in records.items())
    assert all((image.root / "usr/share/doc" / name / "copyright").exists() for name in records)


def test_nothing_of_the_build_stays(image: Image) -> None:
    """Neither the mirror's configuration nor the proxy's certificates, which are secrets of the build."""
    assert not (image.root / "etc/pip.conf").exists()
    assert list((image.root / "run").iterdir()) == []
