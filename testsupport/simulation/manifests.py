"""Objects of the store as the API server returns them."""

from typing import Any

from pullkeeper.domain.secret.pull_secret import LABELS, MANAGER
from testsupport.simulation.record import AccountVersion, NamespaceVersion, SecretVersion, Status
from testsupport.simulation.store import LABEL


def secret_metadata(secret: SecretVersion) -> dict[str, Any]:
    """Return a Secret's metadata as the API server returns it."""
    ours = {
        "f:metadata": {
            "f:labels": {f"f:{key}": {} for key in (*LABELS, *secret.labels) if LABEL in secret.owned},
            "f:annotations": {f"f:{key}": {} for key in secret.owned & secret.annotations.keys()},
        },
        **({"f:data": {f"f:{key}": {} for key in secret.keys}} if "data" in secret.owned else {}),
        **({"f:type": {}} if "type" in secret.owned else {}),
    }
    return {
        "name": secret.name,
        "namespace": secret.namespace,
        "uid": secret.uid,
        "resourceVersion": str(secret.resource_version),
        "labels": {**(LABELS if secret.managed else {}), **secret.labels},
        "annotations": secret.annotations,
        # Anybody may use the controller's manager name, so a forged Secret has such an entry as well.
        "managedFields": [{"manager": MANAGER, "operation": "Apply", "fieldsV1": ours}],
    }


def namespace_metadata(namespace: NamespaceVersion) -> dict[str, Any]:
    """Return a Namespace's metadata as the API server returns it."""
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if namespace.status is Status.TERMINATING else {}
    return {
        "name": namespace.name,
        "uid": namespace.uid,
        "resourceVersion": str(namespace.resource_version),
        "annotations": namespace.annotations,
        **ending,
    }


def service_account(account: AccountVersion) -> dict[str, Any]:
    """Return a whole ServiceAccount as the API server returns it."""
    return {
        "metadata": {
            "name": account.name,
            "namespace": account.namespace,
            "uid": account.uid,
            "resourceVersion": str(account.resource_version),
            "annotations": dict(account.annotations),
        },
        "imagePullSecrets": [{"name": name} for name in account.pull_secrets],
    }
