"""The image can be built for both architectures."""

import subprocess
import sys
from pathlib import Path

import pytest

from testsupport.image.built import REPOSITORY


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_locked_distribution_is_there_ready_built(machine: str, tmp_path: Path) -> None:
    """Each has a wheel for the image's Python with a locked hash, so that no compiler is ever needed."""
    platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    only = ["--only-binary=:all:", "--python-version=3.13", "--implementation=cp", f"--dest={tmp_path}", *platforms]
    lock = REPOSITORY / "requirements" / "run.txt"
    done = subprocess.run([*command, *only, f"--requirement={lock}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wheels = list(tmp_path.iterdir())
    assert len(wheels) == lock.read_text().count("==")
    assert any(machine in wheel.name for wheel in wheels)
