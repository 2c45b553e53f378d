"""Size and start time of the image, with baselines."""

import statistics
import time
from pathlib import Path

import pytest

from testsupport.image import built
from testsupport.image.built import Image
from testsupport.image.tools import buildah
from testsupport.installation import Installation

_STARTS = 5
_IMPORTS = "import time; t = time.perf_counter(); import pullkeeper.app.manager; print(time.perf_counter() - t)"


def _megabytes(folder: Path, pattern: str = "*") -> float:
    return sum(path.lstat().st_size for path in folder.rglob(pattern) if path.is_file() and not path.is_symlink()) / 1e6


def _bare(image: Image, folder: Path) -> float:
    started = time.monotonic()
    image.run(folder, "python", "-c", "pass")
    return time.monotonic() - started


async def test_size_and_start(
    image: Image, installation: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image is smaller than its base; the figures are printed for the documentation."""
    pulled = tmp_path / "pulled"
    buildah("push", "--quiet", image.name, f"dir:{pulled}")
    with built.root_of(image.base) as base:
        sizes = {"image": _megabytes(image.root), "base": _megabytes(base), "pulled": _megabytes(pulled)}
    own = _megabytes(image.root / "opt")
    times: dict[str, list[float]] = {"bare": [], "imports": [], "ready": []}
    for _ in range(_STARTS):
        times["bare"].append(_bare(image, tmp_path))
        times["imports"].append(image.python(tmp_path, _IMPORTS))
        started = time.monotonic()
        process = await installation.start()
        times["ready"].append(time.monotonic() - started)
        assert await process.stop() == 0
    median = {name: statistics.median(measured) for name, measured in times.items()}
    with capsys.disabled():
        print(
            f"\n\nsize: {sizes['image']:.0f} MB, of which {own:.0f} MB are the program and its libraries, the rest is"
            f" Python; {sizes['pulled']:.0f} MB to pull (the base: {sizes['base']:.0f} MB)"
            f"\nstart to /readyz: {median['ready']:.2f} s, of which imports {median['imports']:.2f} s"
            f" (a bare `python -c pass`: {median['bare']:.2f} s; medians of {_STARTS})\n"
        )
    assert sizes["image"] < sizes["base"]
