"""docs/quickstart.md, taken apart: what to type in each section, and what no test types."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "quickstart.md"
LAPTOP, LOCAL = "From a laptop", "On a local cluster"
_LIST = "What was tried"


def section(title: str) -> str:
    """Return the text of a section."""
    _, _, rest = PAGE.read_text().partition(f"\n## {title}\n")
    assert rest, f"{PAGE.name} has no section {title!r}"
    return rest.partition("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    """Return the blocks of a language in a section."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)


def commands(title: str) -> list[str]:
    """Return the commands of a section in their order, each in one line."""
    text = "".join(blocks(title, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def not_typed() -> list[str]:
    """Return how the commands begin that no test types, which the page lists."""
    rows = re.findall(r"^\| (`.*?`) \| .+ \|$", section(_LIST), re.MULTILINE)
    return [beginning for row in rows for beginning in re.findall(r"`([^`]+)`", row)]


def is_typed(command: str) -> bool:
    """Return whether a command is none of those."""
    return not any(f"{command} ".startswith(f"{beginning} ") for beginning in not_typed())
