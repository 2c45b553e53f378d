"""Outputs as they were looked at and committed; UPDATE_GOLDEN=1 writes them anew, to be looked at again."""

import os
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Fail where the output is not as committed."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"not as in {path}; if this is meant, run again with UPDATE_GOLDEN=1 and look"
