"""An installation with Secrets of other shapes beside the pull Secret."""

import base64
from collections.abc import Mapping
from typing import Any

from testsupport.installation import Installation
from testsupport.waiting import until


def path(namespace: str, name: str) -> str:
    """Return the path of an additional Secret."""
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


async def read(installation: Installation, namespace: str, name: str) -> dict[str, Any] | None:
    """Return an additional Secret, or None."""
    answer = await installation.api.get(path(namespace, name))
    return answer.body if answer.status == 200 else None


async def wait_for(installation: Installation, namespace: str, name: str) -> dict[str, Any]:
    """Wait until an additional Secret is there."""
    return await until(lambda: read(installation, namespace, name), f"the Secret {name} in {namespace}")


async def wait_until_gone(installation: Installation, namespace: str, name: str) -> None:
    """Wait until an additional Secret is not there any more."""

    async def gone() -> bool:
        return await read(installation, namespace, name) is None

    await until(gone, f"the Secret {name} in {namespace} to be deleted")


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Decode the data of a Secret."""
    return {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}


def login_of(auth: str) -> tuple[str, str]:
    """Return user name and password of an entry of a pull Secret."""
    user, _, password = base64.b64decode(auth).decode().partition(":")
    return user, password
