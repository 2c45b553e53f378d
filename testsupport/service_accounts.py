"""ServiceAccounts and their `imagePullSecrets`, as their owners and editors use them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testsupport.controller_process import ControllerProcess
from testsupport.installation import Installation
from testsupport.rest import Answer
from testsupport.waiting import until

ATTACHED = "pullkeeper.dev/attached-secret"
ON: Mapping[str, Any] = {"serviceAccountAttachment": True}


async def start_with_attachment(installation: Installation, **settings: Any) -> ControllerProcess:
    """Start the controller with attachment on and its rights granted."""
    await installation.allow_attachment()
    return await installation.start({**ON, **settings})


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """One ServiceAccount of a namespace."""

    installation: Installation
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.name}"

    async def create(self, *entries: str, **annotations: str) -> "ServiceAccount":
        """Create it with these entries and annotations."""
        listed = [{"name": entry} for entry in entries]
        body = {"metadata": {"name": self.name, "annotations": annotations}, "imagePullSecrets": listed}
        (await self.installation.api.post(self.path.removesuffix(f"/{self.name}"), body)).ok()
        return self

    async def read(self) -> dict[str, Any]:
        """Return it, or an empty object."""
        answer = await self.installation.api.get(self.path)
        return answer.body if answer.status == 200 else {}

    async def entries(self) -> list[str]:
        """Return the names in its `imagePullSecrets`."""
        return [entry["name"] for entry in (await self.read()).get("imagePullSecrets") or ()]

    async def mark(self) -> str | None:
        """Return the value of our annotation."""
        annotations: Mapping[str, str] = (await self.read())["metadata"].get("annotations") or {}
        return annotations.get(ATTACHED)

    async def write(self, *entries: str) -> Answer:
        """Overwrite the list, as somebody who does not know our entry."""
        body = {"imagePullSecrets": [{"name": entry} for entry in entries]}
        return await self.installation.api.merge(self.path, body)

    async def swap(self, before: Sequence[str], after: Sequence[str]) -> bool:
        """Replace an editor's entries by compare-and-swap; return False if the race is lost."""
        found = await self.read()
        listed = [entry["name"] for entry in found.get("imagePullSecrets") or ()]
        entries = [name for name in listed if name not in before or name in after]
        entries += [name for name in after if name not in before]
        changed = {**found, "imagePullSecrets": [{"name": name} for name in entries]}
        answer = await self.installation.api.put(self.path, changed)
        assert answer.status in {200, 409}, answer.body
        return answer.status == 200

    async def until(self, *entries: str) -> None:
        """Wait until it has exactly these entries."""

        async def poll() -> bool:
            return await self.entries() == list(entries)

        await until(poll, f"{self.path} to have {entries}; it is {await self.read()}")


def service_account(installation: Installation, namespace: str, name: str) -> ServiceAccount:
    """Return a handle for a ServiceAccount, which need not exist."""
    return ServiceAccount(installation=installation, namespace=namespace, name=name)
