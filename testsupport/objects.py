"""Objects for the conformance tests."""

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from testsupport.rest import RestClient

MANAGED_BY = "app.kubernetes.io/managed-by"
ISSUED_AT = "pullkeeper.dev/issued-at"

EMPTY = "{}"
FIRST = json.dumps({"auths": {"registry.example": {"auth": "QVdTOmZpcnN0"}}})
SECOND = json.dumps({"auths": {"registry.example": {"auth": "QVdTOnNlY29uZA=="}}})

SOME_UID = "00000000-0000-4000-8000-000000000000"
"""A UID that no object has."""


def secrets_in(namespace: str) -> str:
    """Return the path of the namespace's Secrets."""
    return f"/api/v1/namespaces/{namespace}/secrets"


def pull_secret(name: str, content: str = FIRST, /, **metadata: Any) -> dict[str, Any]:
    """Return a pull Secret as the controller applies it; `metadata` is merged over its metadata."""
    own = {"labels": {MANAGED_BY: "pullkeeper"}, "annotations": {ISSUED_AT: "2026-01-01T00:00:00Z"}}
    return foreign_secret(name, content, **{**own, **metadata})


def foreign_secret(name: str, content: str = FIRST, /, **metadata: Any) -> dict[str, Any]:
    """Return a pull Secret that bears no label of ours."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **metadata},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": encoded(content)},
    }


def warning_event(namespace: str, name: str, note: str, *, at: str, regarding: str = "x") -> dict[str, Any]:
    """Return a warning as the controller posts it, whoever does; `at` is a MicroTime, `regarding` a Secret."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "eventTime": at,
        "reportingController": "pullkeeper.dev/controller",
        "reportingInstance": "one",
        "action": "Keep",
        "reason": "AccessDenied",
        "note": note,
        "type": "Warning",
        "regarding": {"apiVersion": "v1", "kind": "Secret", "name": regarding, "namespace": namespace},
    }


def events_in(namespace: str) -> str:
    """Return the path of the namespace's Events."""
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def encoded(content: str) -> str:
    """Return the content as it stands in a Secret's data."""
    return base64.b64encode(content.encode()).decode()


def content_of(secret: Mapping[str, Any]) -> str:
    """Return the .dockerconfigjson of a Secret."""
    return base64.b64decode(secret["data"][".dockerconfigjson"]).decode()


def version_of(body: Mapping[str, Any]) -> str:
    """Return the resourceVersion of an object or a list."""
    return str(body["metadata"]["resourceVersion"])


def uid_of(body: Mapping[str, Any]) -> str:
    """Return the UID of an object."""
    return str(body["metadata"]["uid"])


def now() -> str:
    """Return the time as MicroTime wants it: with exactly six digits after the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def create_namespace(api: RestClient, **metadata: Any) -> str:
    """Create a namespace under a new name and return the name."""
    name = f"contract-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}
    (await api.post("/api/v1/namespaces", body)).ok()
    return name


async def create_service_account(api: RestClient, namespace: str, **fields: Any) -> str:
    """Create a ServiceAccount under a new name and return the name."""
    name = f"account-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}, **fields}
    (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)).ok()
    return name


async def terminate_namespace(api: RestClient) -> str:
    """Create a namespace and delete it; a Secret with a finalizer keeps it terminating."""
    namespace = await create_namespace(api)
    keeper = {
        **foreign_secret("keeper"),
        "metadata": {"name": "keeper", "finalizers": ["pullkeeper.dev/test"]},
    }
    (await api.post(secrets_in(namespace), keeper)).ok()
    (await api.delete(f"/api/v1/namespaces/{namespace}")).ok()
    return namespace
