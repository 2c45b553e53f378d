"""What `pullkeeper run` loads: libraries that a controller in a pod does not need take its memory all the same."""

import subprocess
import sys

import pytest

from pullkeeper.adapters.kubernetes.optional_imports import not_importable

NOT_NEEDED = {"kubernetes", "cryptography", "boto3", "requests", "pydantic", "numpy"}
"""The first for kubeconfigs, the second for IAM Roles Anywhere; the others come with them or with nobody."""


def test_a_controller_in_a_pod_loads_only_what_it_needs() -> None:
    """Importing kubernetes and cryptography takes more than 20 MiB."""
    program = "import sys, pullkeeper.cli.run; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )
    assert loaded & NOT_NEEDED == set()
    assert {"kopf", "botocore", "aiohttp"} <= loaded


def test_a_kubeconfig_can_be_used_although_kopf_was_kept_from_loading_kubernetes() -> None:
    """The library is only hidden while kopf is imported."""
    program = "import pullkeeper.cli.run, pullkeeper.adapters.kubernetes.kubeconfig_file as it; print(it.Configuration)"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "kubernetes.aio" in said


def test_what_is_not_importable_is_so_only_in_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if what the block imports fails."""
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ModuleNotFoundError), not_importable("this"):
        __import__("this")
    assert "this" not in sys.modules


def test_what_was_imported_before_stays_importable() -> None:
    """Whoever has it already has paid for it."""
    with not_importable("json"):
        assert __import__("json") is sys.modules["json"]
    assert sys.modules["json"] is not None
