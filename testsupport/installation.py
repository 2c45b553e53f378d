"""One installation of the controller: ServiceAccount, least privileges, IAM role and processes."""

import base64
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import yaml

from testsupport.access import create_role, may, rule, token_of
from testsupport.control_plane import fence
from testsupport.control_plane.plane import ControlPlane
from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import ACCOUNT, AwsFake
from testsupport.objects import foreign_secret
from testsupport.rest import RestClient
from testsupport.secret_recorder import SecretRecorder
from testsupport.waiting import until

ENABLED = {"pullkeeper.dev/enabled": "true"}
ACCOUNT_NAME = "pullkeeper"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
IRELAND = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
VIRGINIA = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SHORT_LIFE = timedelta(seconds=60)
"""How long a token lives where a test waits for rotations."""
FAST_ROTATION: Mapping[str, Any] = {"refreshJitter": "0s", "refreshFraction": 0.1}
"""With tokens of SHORT_LIFE a rotation every 6 s, so that a loaded machine has 54 s to do each."""
ATTACHMENT: Mapping[str, Any] = rule("serviceaccounts", "list", "watch", "patch")
"""The right that only attaching ServiceAccounts needs."""
SECRET_VERBS = ("get", "list", "watch", "create", "patch", "delete")
PROGRAM = (sys.executable, "-m", "pullkeeper")
"""The controller run from source."""
_GROUP = "rbac.authorization.k8s.io"


class Server(Protocol):
    """The API server to install on, in memory or real."""

    @property
    def url(self) -> str: ...

    @property
    def ca_file(self) -> str: ...

    @property
    def admin_token(self) -> str: ...


@dataclass(kw_only=True)
class Installation:
    """An installed controller, and what a test does to its cluster."""

    server: Server
    api: RestClient
    aws: AwsFake
    folder: Path
    secret_name: str
    namespace: str
    program: Sequence[str] = PROGRAM
    processes: list[ControllerProcess] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """The subject of the controller's tokens, which trust policies name."""
        return f"system:serviceaccount:{self.namespace}:{ACCOUNT_NAME}"

    @property
    def user(self) -> RestClient:
        """A client with the rights of the controller's ServiceAccount."""
        return self.api.using((self.folder / "token").read_text())

    async def renew_token(self, seconds: int = 3600) -> None:
        """Write a new ServiceAccount token where the pod's would be mounted."""
        token = await token_of(self.api, self.namespace, ACCOUNT_NAME, expirationSeconds=seconds)
        (self.folder / "token").write_text(token)

    async def renew_web_identity(self) -> None:
        """Write a new projected token for AWS."""
        token = await token_of(self.api, self.namespace, ACCOUNT_NAME, audiences=["sts.amazonaws.com"])
        (self.folder / "aws-token").write_text(token)

    def irsa(self, *, region: str | None = None, role_arn: str = ROLE) -> dict[str, str]:
        """Return the variables that EKS' webhook would put into the pod; it leaves out the region unless told to."""
        token_file = str(self.folder / "aws-token")
        return self.aws.environment(web_identity_token_file=token_file, role_arn=role_arn, region=region)

    async def start(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        ready: bool = True,
        environment: Mapping[str, str] | None = None,
        instance: str = "",
    ) -> ControllerProcess:
        """Start `pullkeeper run` as the pod would be; wait until it is ready."""
        defaults = {"secretName": self.secret_name, "registries": [IRELAND], "logLevel": "debug", "httpPort": 0}
        config = self.folder / f"config-{len(self.processes)}.yaml"
        config.write_text(yaml.safe_dump({**defaults, "httpHost": "127.0.0.1", **(settings or {})}))
        where = urlsplit(self.server.url)
        process = ControllerProcess(
            command=[*self.program, "run", "--config", str(config)],
            config=config,
            log=self.folder / f"controller-{len(self.processes)}.log",
            environment={
                "KUBERNETES_SERVICE_HOST": str(where.hostname),
                "KUBERNETES_SERVICE_PORT": str(where.port),
                "PULLKEEPER_SERVICE_ACCOUNT_DIR": str(self.folder),
                "HOSTNAME": instance or f"replica-{len(self.processes)}",
                **(self.irsa() if environment is None else environment),
            },
        )
        self.processes.append(process)
        if ready:
            await process.until_ready()
        return process

    async def allow_service_accounts(self, *names: str, watched: bool = False) -> None:
        """Grant what `service-account-name` needs, for ServiceAccounts of these names, and on request to watch them."""
        verbs = ("get", "list", "watch") if watched else ("get",)
        accounts = [
            {**rule("serviceaccounts", *verbs), "resourceNames": list(names)},
            {**rule("serviceaccounts/token", "create"), "resourceNames": list(names)},
        ]
        last = {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "name": names[0]}
        await self._grant("accounts", accounts, last)

    async def allow_secrets(self, *names: str) -> None:
        """Grant what additional Secrets of these names need."""
        granted = [rule("secrets", *SECRET_VERBS, name=name) for name in names]
        await self._grant("additional", granted, {"verb": "watch", "resource": "secrets", "name": names[-1]})

    async def allow_attachment(self) -> None:
        """Grant what attaching ServiceAccounts needs."""
        await self._grant("attachment", [ATTACHMENT], {"verb": "patch", "resource": "serviceaccounts"})

    async def rename_secret(self, name: str) -> None:
        """Change the Secret's name and the rights to it; the controller must be stopped."""
        self.secret_name = name
        role = f"/apis/{_GROUP}/v1/clusterroles/{self.namespace}"
        (await self.api.merge(role, {"rules": rules(name)})).ok()
        last = {"verb": "watch", "resource": "secrets", "name": name}
        await until(lambda: may(self.user, **last), f"the rights to {name}")

    async def _grant(self, suffix: str, granted: Sequence[Mapping[str, Any]], last: Mapping[str, str]) -> None:
        """Grant more rights, once, and wait until the last one is in force."""
        role = f"{self.namespace}-{suffix}"
        if (await self.api.get(f"/apis/{_GROUP}/v1/clusterroles/{role}")).status == 200:
            return
        await create_role(self.api, role, granted, account=ACCOUNT_NAME, account_namespace=self.namespace)
        await until(lambda: may(self.user, namespace="default", **last), f"the rights {granted}")

    async def grant_within(self, namespace: str) -> None:
        """Grant the least rights in one namespace."""
        await _grant_within(self.api, namespace, self.namespace, rules_within(namespace, self.secret_name))

    async def allow_attachment_within(self, namespace: str) -> None:
        """Grant what attaching ServiceAccounts needs in one namespace."""
        await _grant_within(self.api, namespace, self.namespace, [ATTACHMENT], role=f"{self.namespace}-attachment")
        last = {"verb": "patch", "resource": "serviceaccounts"}
        await until(lambda: may(self.user, namespace=namespace, **last), f"the rights in {namespace}")

    async def create_namespace(self, prefix: str = "team", **annotations: str) -> str:
        """Create a namespace with our annotations, given without their prefix and with `_` for `-`; return its name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.namespaces.append(name)
        metadata = {"name": name, "annotations": written(annotations)}
        (await self.api.post("/api/v1/namespaces", {"metadata": metadata})).ok()
        return name

    async def create_served_namespace(self, prefix: str = "team", **annotations: str) -> str:
        """Create a namespace that is opted in, and wait until its pull Secret has been created."""
        name = await self.create_namespace(prefix, enabled="true", **annotations)
        await self.event(name, "PullSecretCreated")
        return name

    async def create_foreign_secret(self, namespace: str, **metadata: Any) -> None:
        """Create a Secret with the pull Secret's name that Pullkeeper does not manage."""
        secrets_path = self.path(namespace).rpartition("/")[0]
        (await self.api.post(secrets_path, foreign_secret(self.secret_name, **metadata))).ok()

    async def label(self, namespace: str, **labels: str) -> None:
        """Set labels of a namespace."""
        (await self.api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})).ok()

    async def annotate(self, namespace: str, **annotations: str | None) -> None:
        """Set our annotations on a namespace; None removes one."""
        body = {"metadata": {"annotations": written(annotations)}}
        (await self.api.merge(f"/api/v1/namespaces/{namespace}", body)).ok()

    def path(self, namespace: str) -> str:
        """Return the path of the pull Secret in a namespace."""
        return f"/api/v1/namespaces/{namespace}/secrets/{self.secret_name}"

    async def secret(self, namespace: str) -> dict[str, Any] | None:
        """Return the pull Secret, or None."""
        answer = await self.api.get(self.path(namespace))
        return answer.body if answer.status == 200 else None

    async def events(self, namespace: str) -> list[dict[str, Any]]:
        """Return the Events of a namespace that the controller posted."""
        found = (await self.api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")).ok()["items"]
        return [event for event in found if event.get("reportingController") == "pullkeeper.dev/controller"]

    async def event(self, namespace: str, reason: str) -> dict[str, Any]:
        """Wait for an Event with this reason and return it."""

        async def poll() -> dict[str, Any] | None:
            return next((event for event in await self.events(namespace) if event["reason"] == reason), None)

        return await until(poll, f"an Event {reason} in {namespace}")

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[SecretRecorder]:
        """Record every version of every Secret of our name."""
        async with SecretRecorder.open(self.api, self.secret_name) as recorder:
            yield recorder

    async def leave(self) -> None:
        """Stop the processes and opt every namespace out, so that no other test's controller serves it."""
        for process in self.processes:
            await process.stop()
        for name in self.namespaces:
            await until(lambda name=name: self._strip(name), f"{name} to be opted out")  # type: ignore[misc] # the default binds the loop's value

    async def _strip(self, name: str) -> bool:
        """Remove our annotations; return False if an API server that is just back must be asked again."""
        path = f"/api/v1/namespaces/{name}"
        answer = await self.api.get(path)
        if answer.status == 200:
            annotations = written(dict.fromkeys(_ours(answer.body)))
            answer = await self.api.merge(path, {"metadata": {"annotations": annotations}})
        return answer.status in {200, 404}


def written(annotations: Mapping[str, str | None]) -> dict[str, str | None]:
    """Turn keyword arguments into our annotations."""
    return {f"pullkeeper.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}


def auths(secret: Mapping[str, Any]) -> dict[str, str]:
    """Decode a pull Secret: the auth of each host."""
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return {host: entry["auth"] for host, entry in content["auths"].items()}


def _ours(namespace: Mapping[str, Any]) -> list[str]:
    keys = namespace["metadata"].get("annotations") or {}
    return [key.removeprefix("pullkeeper.dev/") for key in keys if key.startswith("pullkeeper.dev/")]


async def opt_everybody_out(api: RestClient) -> None:
    """Remove our annotations from every namespace, where tests have left some to others of the same API server."""
    for namespace in (await api.get("/api/v1/namespaces")).ok()["items"]:
        if ours := _ours(namespace):
            annotations = {f"pullkeeper.dev/{key}": None for key in ours}
            path = f"/api/v1/namespaces/{namespace['metadata']['name']}"
            assert (await api.merge(path, {"metadata": {"annotations": annotations}})).status in {200, 404}


def rules(secret_name: str) -> list[dict[str, Any]]:
    """Return the least privileges, for a ClusterRole."""
    return [
        rule("namespaces", "list", "watch"),
        rule("secrets", *SECRET_VERBS, name=secret_name),
        rule("events", "create", "patch", group="events.k8s.io"),
    ]


def rules_within(namespace: str, secret_name: str) -> list[dict[str, Any]]:
    """Return the least privileges in one namespace, for an installation without a ClusterRole."""
    return [rule("namespaces", "get", "watch", name=namespace), *rules(secret_name)[1:]]


async def install(
    server: Server, api: RestClient, aws: AwsFake, folder: Path, *, secret_name: str = "", within: Sequence[str] = ()
) -> Installation:
    """Prepare everything but the process: namespace, ServiceAccount, rights, tokens and the IAM role.

    With `within` the rights are Roles in those namespaces, without a ClusterRole. On a real API server the controller
    is within the chart's admission fence.
    """
    if isinstance(server, ControlPlane):
        await fence.put_up(api)
    suffix = secrets.token_hex(4)
    namespace, secret_name = f"pullkeeper-{suffix}", secret_name or f"ecr-pull-{suffix}"
    (await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})).ok()
    account = {"metadata": {"name": ACCOUNT_NAME}}
    (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)).ok()
    for name in within:
        await _grant_within(api, name, namespace, rules_within(name, secret_name))
    if not within:
        await create_role(api, namespace, rules(secret_name), account=ACCOUNT_NAME, account_namespace=namespace)
    installation = Installation(
        server=server, api=api, aws=aws, folder=folder, secret_name=secret_name, namespace=namespace
    )
    shutil.copy(server.ca_file, folder / "ca.crt")
    await installation.renew_token()
    await installation.renew_web_identity()
    await trust(installation)
    for name in within or [namespace]:
        last = {"verb": "create", "group": "events.k8s.io", "resource": "events", "namespace": name}
        await until(lambda last=last: may(installation.user, **last), "the controller's rights")  # type: ignore[misc] # the default binds the loop's value
    return installation


async def _grant_within(
    api: RestClient, namespace: str, home: str, granted: Sequence[Mapping[str, Any]], *, role: str = ""
) -> None:
    await create_role(api, role or home, granted, account=ACCOUNT_NAME, account_namespace=home, namespace=namespace)


async def trust(installation: Installation) -> None:
    """Register this API server as an OIDC provider in the AWS fake, and let the controller assume ROLE."""
    api, aws = installation.api, installation.aws
    issuer = (await api.get("/.well-known/openid-configuration")).ok()["issuer"]
    keys = (await api.get("/openid/v1/jwks", accept="application/jwk-set+json")).ok()
    aws.trust_issuer(issuer, keys)
    aws.allow_role(ROLE, trusts_subjects=installation.subject, issuer=issuer)
