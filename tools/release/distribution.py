"""Build the wheel and the source distribution with the locked setuptools, and no front end that would fetch another."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.release.links import absolute
from tools.release.rename import tracked
from tools.release.source import Source

_PARTS = ("pyproject.toml", "README.md", "LICENSE", "controller/", "requirements/")
_HOOKS = """\
import sys, setuptools.build_meta as backend
_, out = sys.argv
backend.build_sdist(out)
backend.build_wheel(out)
"""


def stage(source: Source, scratch: Path) -> Path:
    """Copy what a distribution is built from, with a README whose links work elsewhere."""
    folder = scratch / "source"
    for file in tracked(source.root):
        if file.startswith(_PARTS):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.root / file, folder / file)
    readme = folder / "README.md"
    readme.write_text(absolute(readme.read_text(), "", source.names, source.version))
    return folder


def build(source: Source, folder: Path, out: Path) -> tuple[Path, Path]:
    """Build both from what was staged in a folder; returns the wheel and the source distribution."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(source.epoch)}
    command: list[str | Path] = [sys.executable, "-c", _HOOKS, out]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (archive,) = out.glob("*.whl"), out.glob("pullkeeper-*.tar.gz")
    return wheel, archive
