"""Namespaces and pods for what the injection's policy makes of them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testsupport.installation import written
from testsupport.rest import Answer, RestClient

ACCOUNT = "app"


@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    """A namespace with a ServiceAccount, so that pods can be created at once."""

    api: RestClient
    name: str

    async def ask(self, *images: str, dry_run: bool = True, **spec: Any) -> Answer:
        """Create a pod with a container of each image and with more of a spec; by default in a dry run."""
        body = {"metadata": spec.pop("metadata", {"name": "app"}), "spec": pod_spec(*images, **spec)}
        return await self.api.post(
            f"/api/v1/namespaces/{self.name}/pods", body, **({"dryRun": "All"} if dry_run else {})
        )

    async def pulls_with(self, *images: str, **spec: Any) -> list[str]:
        """Return the names of the Secrets that such a pod pulls with."""
        return pull_secrets((await self.ask(*images, **spec)).ok())


def pod_spec(*images: str, **spec: Any) -> dict[str, Any]:
    """Return the spec of a pod with a container of each image, and more."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {"serviceAccountName": ACCOUNT, "containers": containers, **spec}


def pull_secrets(pod: Mapping[str, Any]) -> list[str]:
    """Return the names of a pod's pull Secrets."""
    return [each["name"] for each in pod["spec"].get("imagePullSecrets", [])]


async def create_team(
    api: RestClient,
    annotations: Mapping[str, str] | None = None,
    *,
    name: str = "",
    labels: Mapping[str, str] | None = None,
    account: Sequence[str] = (),
) -> Team:
    """Create a namespace with our annotations, and a ServiceAccount that names these pull Secrets."""
    name = name or f"team-{secrets.token_hex(5)}"
    metadata = {"name": name, "labels": labels or {}, "annotations": written(annotations or {})}
    (await api.post("/api/v1/namespaces", {"metadata": metadata})).ok()
    body = {"metadata": {"name": ACCOUNT}, "imagePullSecrets": [{"name": each} for each in account]}
    (await api.post(f"/api/v1/namespaces/{name}/serviceaccounts", body)).ok()
    return Team(api=api, name=name)
