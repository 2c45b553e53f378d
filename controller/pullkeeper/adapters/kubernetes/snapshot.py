"""One-time lists for the commands: Namespaces, pull Secrets and the controller's warnings."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.listing import list_all, of_name
from pullkeeper.domain.kube.api import JSON, METADATA, NOT_FOUND
from pullkeeper.domain.reporting.last_warning import REPORTER, LastWarning, last_warning
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.shapes import DockerConfig, SecretShape

_T = TypeVar("_T")


class SnapshotReader:
    """Reads the whole cluster or, if `namespaces` are given, each of them with requests of its own.

    Every method raises FailureError.
    """

    def __init__(self, client: ApiClient, *, secret_name: str, namespaces: Sequence[str] = ()) -> None:
        self._client = client
        self._secret_name = secret_name
        self._namespaces = namespaces

    async def namespaces(self, translate: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
        """Return the existing Namespaces, translated from their metadata."""
        if self._namespaces:
            found = [await self._get_namespace(name) for name in self._namespaces]
            return [translate(metadata) for metadata in found if metadata]
        items, _ = await list_all(
            self._client,
            "/api/v1/namespaces",
            what="Namespaces",
            grant="list on namespaces",
            translate=lambda item: translate(item["metadata"]),
        )
        return items

    async def secrets(self) -> dict[str, ObservedSecret]:
        """Return the Secrets of the pull Secret's name by namespace, including those that are not managed."""
        return await self.secrets_of(DockerConfig(name=self._secret_name))

    async def secrets_of(self, shape: SecretShape) -> dict[str, ObservedSecret]:
        """Return the Secrets of a shape's name by namespace, including those that are not managed."""
        found: dict[str, ObservedSecret] = {}
        for prefix in self._prefixes("/api/v1"):
            items, _ = await list_all(
                self._client,
                f"{prefix}/secrets",
                what=f"Secrets named {shape.name}",
                grant="list on secrets",
                translate=lambda item: (item["metadata"]["namespace"], observe(item["metadata"], shape)),
                query=of_name(shape.name),
            )
            found.update(items)
        return found

    async def warnings(self, now: datetime) -> dict[str, LastWarning]:
        """Return the controller's latest warning in each namespace; the API server keeps Events for about an hour.

        Ignores what is from the future of `now`.
        """
        latest: dict[str, LastWarning] = {}
        for prefix in self._prefixes("/apis/events.k8s.io/v1"):
            items, _ = await list_all(
                self._client,
                f"{prefix}/events",
                what="Events",
                grant="list on events.events.k8s.io",
                translate=partial(last_warning, now=now),
                query={"fieldSelector": f"type=Warning,reportingController={REPORTER}"},
                accept=JSON,
            )
            for warning in filter(None, items):
                if warning.namespace not in latest or latest[warning.namespace].at < warning.at:
                    latest[warning.namespace] = warning
        return latest

    def _prefixes(self, group: str) -> Sequence[str]:
        return [f"{group}/namespaces/{name}" for name in self._namespaces] or [group]

    async def _get_namespace(self, name: str) -> Mapping[str, Any] | None:
        response = await self._client.request("get", f"/api/v1/namespaces/{name}", accept=METADATA)
        if response.status == NOT_FOUND:
            return None
        if not response.ok:
            raise api_error(response, "get", f"Namespace {name}", grant="get on namespaces")
        metadata: Mapping[str, Any] = response.body["metadata"]
        return metadata
