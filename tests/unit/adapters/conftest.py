"""What several modules of this folder are given."""

from pathlib import Path

import pytest

from pullkeeper.adapters.kubernetes.kube_config import SERVICE_ACCOUNT_VARIABLE


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory that a pod's token and CA certificate are mounted at."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv(SERVICE_ACCOUNT_VARIABLE, str(tmp_path))
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("certificate")
    return tmp_path
