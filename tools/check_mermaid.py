"""Render the Mermaid diagrams in Markdown files, and fail with the file and line of each that does not parse.

`python -m tools.check_mermaid FILE…` runs Mermaid's own JavaScript in an embedded engine, without a browser or Node.js.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mermaidx

_FENCE = re.compile(r"^```mermaid\n(?P<source>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagram:
    """One fenced block, and where it begins."""

    path: Path
    line: int
    source: str


def diagrams(path: Path) -> Iterator[Diagram]:
    """Find the Mermaid blocks of a Markdown file."""
    text = path.read_text()
    for match in _FENCE.finditer(text):
        yield Diagram(path=path, line=text.count("\n", 0, match.start()) + 1, source=match["source"])


def problem(diagram: Diagram) -> str | None:
    """Return Mermaid's complaint about a diagram, or None if it renders."""
    try:
        mermaidx.render(diagram.source).svg()
    except RuntimeError as error:
        return f"{diagram.path}:{diagram.line}: {error}"
    return None


def main(arguments: Sequence[str]) -> int:
    """Check every file named; return the exit status."""
    found = [diagram for name in arguments for diagram in diagrams(Path(name))]
    problems = [text for text in map(problem, found) if text]
    print(*problems or [f"{len(found)} Mermaid diagrams render"], sep="\n", file=sys.stderr if problems else sys.stdout)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
