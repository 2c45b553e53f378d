"""The kubectl plugin for krew: an archive with the wheel, the locked requirements and a launcher, and its manifest.

The launcher creates an environment with them at its first run, because some dependencies are compiled for one Python.
"""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import yaml

from tools.release.source import Source

LAUNCHER = Path(__file__).with_name("kubectl-pullkeeper.sh")
NAME = "pullkeeper"
_DESCRIPTION = """\
Pullkeeper is a controller that keeps an image pull Secret for Amazon ECR fresh in every namespace that asks for one.
The plugin shows the state of each namespace (status), says why a pod cannot pull its images (explain), checks the
installation (check) and its IAM policies (iam), and asks for a fresh token (refresh).
"""
_CAVEATS = """\
Needs Python 3.11 or newer. The first run creates an environment in ~/.cache/pullkeeper from packages of PyPI, or of
the index that pip is configured for, each verified by its hash.
"""


def archive(source: Source, wheel: Path, out: Path) -> Path:
    """Write the archive; the same input gives the same bytes."""
    contents = {
        "LICENSE": (source.root / "LICENSE").read_bytes(),
        "kubectl-pullkeeper": LAUNCHER.read_text().replace("@VERSION@", source.version).encode(),
        wheel.name: wheel.read_bytes(),
        "requirements.txt": (source.root / "requirements" / "run.txt").read_bytes(),
    }
    path = out / f"kubectl-pullkeeper-{source.version}.tar.gz"
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=source.epoch) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, content in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), source.epoch
            entry.mode = 0o755 if name.startswith("kubectl-") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return path


def manifest(source: Source, path: Path, out: Path) -> Path:
    """Write the manifest for krew's index, with the hash of the archive."""
    platform = {
        "selector": {"matchExpressions": [{"key": "os", "operator": "In", "values": ["darwin", "linux"]}]},
        "uri": f"{source.names.repository}/releases/download/v{source.version}/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bin": "kubectl-pullkeeper",
    }
    plugin = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": f"v{source.version}",
            "homepage": source.names.repository,
            "shortDescription": "Inspect image pull Secrets for Amazon ECR",
            "description": _DESCRIPTION,
            "caveats": _CAVEATS,
            "platforms": [platform],
        },
    }
    file = out / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(plugin, sort_keys=False))
    return file
