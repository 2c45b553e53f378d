"""Delete what the controller never loads from the installed packages.

Runs in the build stage, in the environment that it trims. Most of what is installed is data and generated code:
botocore's descriptions of every AWS service, boto3's resources, and kubernetes' modules for each kind and API group.
What remains is listed here or loaded by importing the whole controller.
"""

import importlib
import pkgutil
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

SERVICES = frozenset({"ecr", "ecr-public", "sts"})
"""Services with clients in the controller. botocore's credential chain needs only sts without a browser login."""

BY_KIND = (
    "kubernetes/client/api",
    "kubernetes/client/models",
    "kubernetes/aio/client/api",
    "kubernetes/aio/client/models",
)
"""Folders with one module per kind, which the client imports by name on first use."""


def import_all(package: str) -> None:
    """Import every module of a package, and with them what they depend on."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def loaded() -> frozenset[Path]:
    """Return the files of all loaded modules."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return frozenset(Path(file) for file in files if file)


def unused(packages: Path, keep: frozenset[Path]) -> Iterable[Path]:
    """Yield the files and folders to delete."""
    data = packages / "botocore" / "data"
    yield from (entry for entry in data.iterdir() if entry.is_dir() and entry.name not in SERVICES)
    yield from (packages / "boto3" / "data").iterdir()
    for folder in BY_KIND:
        yield from (module for module in (packages / folder).glob("*.py") if module not in keep)


def main() -> None:
    """Trim the environment that this runs in."""
    import_all("pullkeeper")
    packages = Path(importlib.import_module("kubernetes").__path__[0]).parent
    for path in list(unused(packages, loaded())):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    main()
