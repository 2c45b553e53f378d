"""Links between documents lead somewhere."""

import re
from pathlib import Path

import pytest

DOCUMENTS = sorted(
    [
        *Path().glob("*.md"),
        *Path("docs").rglob("*.md"),
        *Path("charts").rglob("*.md"),
        *Path("testsupport").rglob("*.md"),
    ]
)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> list[str]:
    """Return the targets of a document's links and images within the repository."""
    targets = re.findall(r"\]\(([^()\s]+)\)", _FENCE.sub("", document.read_text()))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    """A page that was renamed or a heading that was changed leaves no link behind."""
    broken = []
    for link in links(document):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_names_every_page() -> None:
    """docs/README.md lists each page of the folder once."""
    listed = {link.partition("#")[0] for link in links(Path("docs/README.md"))}
    assert {path.name for path in Path("docs").glob("*.md")} - {"README.md"} <= listed
    assert {path.name for path in Path("docs/adr").glob("0*.md")} <= set(links(Path("docs/adr/README.md")))
