"""The tests that docs/security.md names as proof exist."""

import re
from pathlib import Path

PAGE = Path("docs/security.md")
PROOF = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def test_every_proof_exists() -> None:
    """And each row of both tables ends with one."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "| test |" not in line]
    proven = [PROOF.search(row) for row in rows if "::" in row]
    assert len(proven) >= 15
    for found in proven:
        assert found is not None
        assert re.search(rf"^(async )?def {found[2]}\(", Path(found[1]).read_text(), re.MULTILINE), found[0]
