"""docs/outside-aws.md says of everything whether it was tried."""

import re
from pathlib import Path

PAGE = Path("docs/outside-aws.md").read_text()
TRIED = {"Everywhere", "A public key set"}
"""By tests/control_plane/test_outside_aws_page.py."""


def test_sections_with_commands_were_tried_or_name_their_source() -> None:
    """A command, or a file to be written, that no test types comes with the page of those who know."""
    sections = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)[1:]
    untried = {each.partition("\n")[0]: each for each in sections if "```" in each}
    assert untried.keys() >= TRIED
    unsourced = [title for title, text in untried.items() if title not in TRIED and not _has_source(text)]
    assert unsourced == []


def _has_source(text: str) -> bool:
    return re.search(r"^Not tried here; source: \[[^]]+\]\(https://", text, re.MULTILINE | re.DOTALL) is not None
