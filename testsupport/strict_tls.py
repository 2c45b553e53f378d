"""Verify certificates as Python 3.13 does, on an older one too."""

import ssl
from pathlib import Path
from typing import Any

import pytest

_AT_THE_START = """
import ssl

create = ssl.create_default_context

def create_strict(*arguments, **options):
    context = create(*arguments, **options)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context

ssl.create_default_context = create_strict
"""


def be_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the new contexts of this process strict."""
    create = ssl.create_default_context

    def create_strict(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create_strict)


def strict_process(folder: Path) -> dict[str, str]:
    """Return the variables that make the contexts of another process strict; a file of it is kept in the folder."""
    (folder / "sitecustomize.py").write_text(_AT_THE_START)
    return {"PYTHONPATH": str(folder)}
