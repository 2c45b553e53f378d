"""Find promtool and prometheus on the PATH, in the cache or in Debian's package, which is unpacked but not installed.

`python -m testsupport.prometheus_tools` prints the paths.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testsupport.debian_packages import ToolsError, unpacked

PACKAGE = "prometheus"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The path of each binary."""

    prometheus: Path
    promtool: Path


def find() -> Tools:
    """Return the binaries; raises ToolsError."""
    installed = {name: shutil.which(name) for name in ("prometheus", "promtool")}
    if all(installed.values()):
        return Tools(prometheus=Path(str(installed["prometheus"])), promtool=Path(str(installed["promtool"])))
    folder = unpacked([PACKAGE], "usr/bin/promtool")
    return Tools(prometheus=folder / "usr/bin/prometheus", promtool=folder / "usr/bin/promtool")


def promtool(tools: Tools, *arguments: str | Path, stdin: str | None = None) -> str:
    """Run promtool and return its output and errors; asserts that it succeeds."""
    command = [tools.promtool, *arguments]
    completed = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout + completed.stderr


if __name__ == "__main__":
    try:
        found = find()
    except ToolsError as error:
        sys.exit(f"error: {error}")
    print(found.prometheus, found.promtool, sep="\n")
