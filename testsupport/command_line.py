"""Commands other than `run`, as processes of their own, and their environments."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from pullkeeper.domain.config.rbac import required_rules
from pullkeeper.domain.config.settings import Settings
from testsupport.access import create_role, may, rule, token_of
from testsupport.fake_aws import TOKEN_MARKER
from testsupport.installation import IRELAND, Installation
from testsupport.waiting import until


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """The exit status and output of a command."""

    status: int
    out: str
    err: str


def settings_file(installation: Installation, **settings: object) -> str:
    """Write a settings file and return its path."""
    defaults = {"secretName": installation.secret_name, "registries": [IRELAND]}
    path = installation.folder / "command.yaml"
    path.write_text(yaml.safe_dump({**defaults, **settings}))
    return str(path)


def pod_environment(installation: Installation, *, aws: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a pod with the controller's ServiceAccount, and IRSA unless `aws` is given."""
    where = urlsplit(installation.server.url)
    return {
        "KUBERNETES_SERVICE_HOST": str(where.hostname),
        "KUBERNETES_SERVICE_PORT": str(where.port),
        "PULLKEEPER_SERVICE_ACCOUNT_DIR": str(installation.folder),
        **(installation.irsa() if aws is None else aws),
    }


def kubeconfig(installation: Installation, token: str = "") -> str:
    """Write a user's kubeconfig, the administrator's without a token, and return its path."""
    server, path = installation.server, installation.folder / "kubeconfig"
    user = {"token": token or server.admin_token}
    cluster = {"server": server.url, "certificate-authority": server.ca_file}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "clusters": [
            {"name": "here", "cluster": cluster},
            {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}},
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in ("here", "nowhere")],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def pullkeeper(
    installation: Installation, *arguments: str, environment: Mapping[str, str] | None = None, given: str = ""
) -> CommandResult:
    """Run a command to its end, by default as the controller's pod; fail if it prints a token or a traceback."""
    inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pullkeeper",
        *arguments,
        env=inherited | dict(pod_environment(installation) if environment is None else environment),
        cwd=Path.cwd(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = (text.decode() for text in await process.communicate(given.encode()))
    found = [secret for secret in {TOKEN_MARKER, *installation.aws.secrets} if secret in out + err]
    assert not found, f"{len(found)} secret texts in what `pullkeeper {' '.join(arguments)}` says"
    assert "Traceback" not in err, err
    assert process.returncode is not None
    return CommandResult(status=process.returncode, out=out, err=err)


async def bound_to(installation: Installation, namespace: str) -> dict[str, str]:
    """Return the environment of a pod whose ServiceAccount has rights in one namespace only."""
    name, api, home = "bound", installation.api, installation.namespace
    (await api.post(f"/api/v1/namespaces/{home}/serviceaccounts", {"metadata": {"name": name}})).ok()
    settings = Settings(watch_namespaces=(namespace,), secret_name=installation.secret_name)
    rules = [rule(right.resource, right.verb, name=right.name, group=right.group) for right in required_rules(settings)]
    await create_role(api, name, rules, account=name, account_namespace=home, namespace=namespace)
    token = await token_of(api, home, name)
    (installation.folder / "token").write_text(token)
    last = {"verb": "watch", "resource": "namespaces", "name": namespace, "namespace": namespace}
    await until(lambda: may(api.using(token), **last), "the rights in the namespace")
    return pod_environment(installation)
