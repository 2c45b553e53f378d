"""When the token that the kubelet keeps in a file of the pod is read."""

import asyncio
from pathlib import Path

import pytest

from pullkeeper.adapters.kubernetes.kube_config import load_config


async def test_token_of_the_pod_is_read_anew(service_account: Path) -> None:
    """The kubelet replaces the file well before the token in it expires."""
    config = await load_config(kubeconfig=None, context=None)
    first = await config.connection_info()
    assert (first.server, first.ca_path) == ("https://10.0.0.1:443", str(service_account / "ca.crt"))
    assert first.authorization == "Bearer first"
    (service_account / "token").write_text("second\n")
    await asyncio.sleep(1)
    assert (await config.connection_info()).authorization == "Bearer second"


async def test_token_is_read_at_most_once_a_second(service_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests there are; a file is no cheap thing beside a request."""
    config = await load_config(kubeconfig=None, context=None)
    reads, read_text = list[Path](), Path.read_text

    def counted(path: Path) -> str:
        reads.append(path)
        return read_text(path)

    monkeypatch.setattr(Path, "read_text", counted)
    for _ in range(100):
        await config.connection_info()
        await asyncio.sleep(0.3)  # no multiple of it is the interval
    assert reads == [service_account / "token"] * 25


async def test_rejected_token_is_read_anew_at_once(service_account: Path) -> None:
    """It may have been replaced a moment ago."""
    config = await load_config(kubeconfig=None, context=None)
    await config.connection_info()
    (service_account / "token").write_text("second\n")
    config.reject()
    assert (await config.connection_info()).authorization == "Bearer second"
