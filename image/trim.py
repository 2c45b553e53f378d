"""Takes out of the installed packages what the controller never loads.

It runs in the image's build stage, in the environment that it trims. botocore brings descriptions of every AWS
service, boto3 its resources, and kubernetes a module for each kind and each API group: most of all that is
installed. What stays is what is named here, and what importing the whole controller loads.
"""

import importlib
import pkgutil
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

SERVICES = frozenset({"ecr", "ecr-public", "sts"})
"""Services that there are clients of: botocore's credential chain, where nobody sits at a browser, needs sts alone."""

BY_KIND = (
    "kubernetes/client/api",
    "kubernetes/client/models",
    "kubernetes/aio/client/api",
    "kubernetes/aio/client/models",
)
"""Folders with a module for each kind, which the client loads by name only when it is used."""


def import_all(package: str) -> None:
    """Import every module of a package, so that what they need is loaded."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def loaded() -> frozenset[Path]:
    """Give the files of all modules that are loaded."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return frozenset(Path(file) for file in files if file)


def superfluous(packages: Path, keep: frozenset[Path]) -> Iterable[Path]:
    """Name the files and folders that nothing loads."""
    data = packages / "botocore" / "data"
    yield from (entry for entry in data.iterdir() if entry.is_dir() and entry.name not in SERVICES)
    yield from (packages / "boto3" / "data").iterdir()
    for folder in BY_KIND:
        yield from (module for module in (packages / folder).glob("*.py") if module not in keep)


def main() -> None:
    """Trim the environment that runs this."""
    import_all("pullkeeper")
    packages = Path(importlib.import_module("kubernetes").__path__[0]).parent
    for path in list(superfluous(packages, loaded())):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    main()
