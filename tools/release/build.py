"""Build what a release publishes beside the image and its SBOM, into build/release: `make release-artefacts`."""

import hashlib
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testsupport.helm_tools import ToolsError, find
from tools.release import chart, distribution, krew, manifests, names, source

OUT = names.ROOT / "build" / "release"
SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Artefacts:
    """The files of a release."""

    chart: Path
    manifest: Path
    wheel: Path
    sdist: Path
    plugin: Path
    plugin_manifest: Path


def build(helm: Path, out: Path = OUT) -> Artefacts:
    """Build the files of this source tree anew, and a file with their hashes; raises NamesError."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tree = source.read()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        packed = chart.package(tree, helm, scratch, out)
        wheel, sdist = distribution.build(tree, distribution.stage(tree, scratch), out)
    plugin = krew.archive(tree, wheel, out)
    built = Artefacts(
        chart=packed,
        manifest=Path(shutil.copyfile(manifests.MANIFEST, out / "install.yaml")),
        wheel=wheel,
        sdist=sdist,
        plugin=plugin,
        plugin_manifest=krew.manifest(tree, plugin, out),
    )
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(out.iterdir())]
    (out / SUMS).write_text("".join(sums))
    return built


def main() -> int:
    """Build them and print their hashes."""
    try:
        build(find().helm4)
    except (ToolsError, names.NamesError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write((OUT / SUMS).read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
