"""The image can be built for both architectures."""

import subprocess
import sys
from pathlib import Path

import pytest

from testsupport.image.built import REPOSITORY


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_locked_distribution_has_a_wheel(machine: str, tmp_path: Path) -> None:
    """For the image's Python and with a locked hash, so that the build needs no compiler."""
    platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    only = ["--only-binary=:all:", "--python-version=3.13", "--implementation=cp", f"--dest={tmp_path}", *platforms]
    lock = REPOSITORY / "requirements" / "run.txt"
    completed = subprocess.run([*command, *only, f"--requirement={lock}"], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    wheels = list(tmp_path.iterdir())
    assert len(wheels) == lock.read_text().count("==")
    assert any(machine in wheel.name for wheel in wheels)
