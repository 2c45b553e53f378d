"""How the client logs in: as the pod's ServiceAccount or with a kubeconfig."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.adapters.kubernetes.kube_config import load_config
from pullkeeper.domain.errors.failures import FailureError, Reason

KUBECONFIG: dict[str, Any] = {
    "clusters": [
        {
            "name": "here",
            "cluster": {
                "server": "https://kube.example:6443/",
                "insecure-skip-tls-verify": True,
                "tls-server-name": "kubernetes",
                "proxy-url": "http://user:hush@proxy:3128",
            },
        }
    ],
    "users": [
        {"name": "token", "user": {"token": "fake"}},
        {"name": "basic", "user": {"username": "a", "password": "b"}},
    ],
    "contexts": [{"name": name, "context": {"cluster": "here", "user": name}} for name in ("token", "basic")],
    "current-context": "token",
}


async def test_unreadable_token_is_a_failure_that_names_the_file(service_account: Path) -> None:
    """The next request tries again."""
    config = await load_config(kubeconfig=None, context=None)
    (service_account / "token").unlink()
    with pytest.raises(FailureError, match=str(service_account / "token")) as raised:
        await config.connection_info()
    assert raised.value.failure.reason is Reason.KUBERNETES_UNAVAILABLE


async def test_failure_to_decode_the_token_does_not_quote_it(service_account: Path) -> None:
    """The text of a UnicodeDecodeError contains the bytes."""
    config = await load_config(kubeconfig=None, context=None)
    (service_account / "token").write_bytes(b"hush\xff")
    with pytest.raises(FailureError, match=r"cannot be read: UnicodeDecodeError") as raised:
        await config.connection_info()
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(("text", "namespace"), [("team-a\n", "team-a"), ("", "default"), (None, "default")])
async def test_the_namespace_is_the_pods(service_account: Path, text: str | None, namespace: str) -> None:
    """Or kubectl's default, where the ServiceAccount is mounted without it."""
    if text is not None:
        (service_account / "namespace").write_text(text)
    assert (await load_config(kubeconfig=None, context=None)).namespace == namespace


@pytest.mark.parametrize(("context", "namespace"), [(None, "default"), ("basic", "team-b")])
async def test_the_namespace_is_the_contexts(tmp_path: Path, context: str | None, namespace: str) -> None:
    """Of the one that is chosen."""
    (first, second), path = KUBECONFIG["contexts"], tmp_path / "kubeconfig"
    second = {**second, "context": {**second["context"], "namespace": "team-b"}}
    path.write_text(yaml.safe_dump({**KUBECONFIG, "contexts": [first, second]}))
    assert (await load_config(kubeconfig=str(path), context=context)).namespace == namespace


@pytest.mark.parametrize(("context", "authorization"), [(None, "Bearer fake"), ("basic", "Basic YTpi")])
async def test_kubeconfig_comes_before_the_pod(service_account: Path, context: str | None, authorization: str) -> None:
    """Whoever passes one does not mean the pod that the command happens to run in."""
    path = service_account / "kubeconfig"
    path.write_text(yaml.safe_dump(KUBECONFIG))
    info = await (await load_config(kubeconfig=str(path), context=context)).connection_info()
    assert (info.server, info.authorization) == ("https://kube.example:6443", authorization)
    assert (info.insecure, info.tls_server_name, info.proxy) == (True, "kubernetes", "http://user:hush@proxy:3128")


async def test_missing_kubeconfig_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    """The message names the file and the two ways to log in."""
    path = str(tmp_path / "missing")
    with pytest.raises(FailureError, match=r"there is no such file; pass --kubeconfig with .*, or run in a pod"):
        await load_config(kubeconfig=path, context=None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"port": ""}, "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is empty"),
        ({"token": ""}, "token is empty"),
        ({"token": None}, "No such file or directory"),
        ({"ca.crt": " \n"}, "ca.crt is empty"),
    ],
)
async def test_a_pod_without_its_service_account_is_told_so(
    service_account: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str | None], said: str
) -> None:
    """At the start: nothing can be done without."""
    for name, text in wrong.items():
        if name == "port":
            monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "")
        elif text is None:
            (service_account / name).unlink()
        else:
            (service_account / name).write_text(text)
    with pytest.raises(FailureError, match=said):
        await load_config(kubeconfig=None, context=None)


@pytest.mark.usefixtures("service_account")
async def test_the_api_servers_address_may_be_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes names the address bare, and a URL has it in brackets."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00:10:96::1")
    info = await (await load_config(kubeconfig=None, context=None)).connection_info()
    assert info.server == "https://[fd00:10:96::1]:443"
