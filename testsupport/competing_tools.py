"""Other tools that write pull Secrets: what each writes and how, according to its source."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from testsupport.fake_aws import AwsFake
from testsupport.fake_aws.clients import clients
from testsupport.rest import STRATEGIC, RestClient

TYPE = "kubernetes.io/dockerconfigjson"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_EXTERNAL = "reconcile.external-secrets.io"


class CompetingTool:
    """A tool that keeps one Secret fresh until a command stops it."""

    stopped_by: tuple[str, ...]
    """The command that ends its writing begins with these words."""
    manager: str

    def __init__(self, api: RestClient, aws: AwsFake, *, namespace: str, name: str, host: str) -> None:
        self.api = api
        self.namespace = namespace
        self.name = name
        self.host = host
        self.active = True
        self._aws = aws

    @property
    def path(self) -> str:
        """The path of its Secret."""
        return f"/api/v1/namespaces/{self.namespace}/secrets/{self.name}"

    async def told(self, words: Sequence[str]) -> None:
        """Obey a command about one of its own objects."""
        if tuple(words[: len(self.stopped_by)]) == self.stopped_by:
            self.active = '"suspend":false' in words[-1]

    async def renew(self) -> None:
        """Fetch a token and write it."""
        with clients(self._aws) as made:
            answer = made.ecr.get_authorization_token()["authorizationData"][0]
        await self.write(answer["authorizationToken"])

    async def write(self, auth: str) -> None:
        """Write the Secret with this token as the tool would."""
        raise NotImplementedError

    def secret(self, key: str, entry: dict[str, str]) -> dict[str, Any]:
        """Return a plain Secret with one entry."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "type": TYPE,
            "data": {".dockerconfigjson": _base64(json.dumps({"auths": {key: entry}}))},
        }

    async def current(self) -> dict[str, Any] | None:
        """Return the Secret, or None."""
        answer = await self.api.get(self.path)
        return answer.body if answer.status == 200 else None

    async def create(self, body: dict[str, Any]) -> None:
        """Create the Secret."""
        await self._write("POST", self.path.rpartition("/")[0], body)

    async def replace(self, body: dict[str, Any]) -> None:
        """Replace the Secret."""
        await self._write("PUT", self.path, body)

    async def _write(self, method: str, path: str, body: dict[str, Any]) -> None:
        (await self.api.send(method, path, body=body, query={"fieldManager": self.manager})).ok()


class CronJob(CompetingTool):
    """`kubectl create secret docker-registry … --dry-run=client -o yaml | kubectl apply -f -`."""

    stopped_by = ("kubectl", "patch", "cronjob", "ecr-login")
    manager = "kubectl-client-side-apply"

    async def write(self, auth: str) -> None:
        body = self.secret(self.host, _login(auth))
        text = json.dumps(body)
        body["metadata"]["annotations"] = {_APPLIED: text}
        if await self.current() is None:
            await self.create(body)
            return
        patch = {"metadata": body["metadata"], "data": body["data"]}
        query = {"fieldManager": self.manager}
        (await self.api.send("PATCH", self.path, body=patch, query=query, content_type=STRATEGIC)).ok()


class LoginRenew(CompetingTool):
    """k8s-ecr-login-renew 1.7: gets, puts its content in, updates; the key is the endpoint with its scheme."""

    stopped_by = ("kubectl", "patch", "cronjob", "k8s-ecr-login-renew-cron")
    manager = "k8s-ecr-login-renew"

    async def write(self, auth: str) -> None:
        body = self.secret(f"https://{self.host}", {**_login(auth), "email": "awsregrenew@demo.test"})
        if (held := await self.current()) is None:
            await self.create(body)
        else:
            await self.replace({**held, "data": body["data"]})


class RegistryCreds(CompetingTool):
    """upmc-enterprises' registry-creds 1.9: a whole new object over the old one, without so much as a version."""

    stopped_by = ("kubectl", "scale", "deployment", "registry-creds", "-n", "kube-system", "--replicas=0")
    manager = "registry-creds"

    async def write(self, auth: str) -> None:
        body = self.secret(f"https://{self.host}", {"auth": auth, "email": "none"})
        await (self.create(body) if await self.current() is None else self.replace(body))


class ExternalSecrets(CompetingTool):
    """External Secrets with the ECR generator's example: it owns the Secret until told `Orphan`."""

    stopped_by = ("kubectl", "delete", "externalsecret", "ecr-secret")
    manager = "externalsecrets.external-secrets.io/ecr-secret"
    owns = True

    async def told(self, words: Sequence[str]) -> None:
        if tuple(words[:4]) == ("kubectl", "patch", "externalsecret", "ecr-secret"):
            self.owns = json.loads(words[-1])["spec"]["target"]["creationPolicy"] != "Orphan"
            await self.renew()
        await super().told(words)
        if not self.active and self.owns:
            # The garbage collector's part: what is owned goes with its owner.
            (await self.api.delete(self.path)).ok()

    async def write(self, auth: str) -> None:
        body = self.secret(self.host, _login(auth))
        owner = {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "name": "ecr-secret",
            "uid": "5d1c1c56-6b0c-4a0b-9f8f-2f7c0f5c7a11",
            "controller": True,
            "blockOwnerDeletion": True,
        }
        held = await self.current() or body
        labels = {**held["metadata"].get("labels", {}), f"{_EXTERNAL}/managed": "true"}
        labels.pop(f"{_EXTERNAL}/created-by", None)
        owned = {f"{_EXTERNAL}/created-by": "0123456789abcdef"} if self.owns else {}
        metadata = {
            **held["metadata"],
            "labels": {**labels, **owned},
            "annotations": {**held["metadata"].get("annotations", {}), f"{_EXTERNAL}/data-hash": "fedcba9876543210"},
            "ownerReferences": [owner] if self.owns else [],
        }
        written = {**held, "metadata": metadata, "data": body["data"]}
        await (self.create(written) if held is body else self.replace(written))


def _login(auth: str) -> dict[str, str]:
    username, _, password = base64.b64decode(auth).decode().partition(":")
    return {"username": username, "password": password, "auth": auth}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
