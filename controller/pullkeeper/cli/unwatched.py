"""The pull Secrets outside of the namespaces that an installation watches, as far as the caller may list them."""

from pullkeeper.adapters.kubernetes.api_errors import ApiError
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.kube.api import FORBIDDEN
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.scope import abandoned


async def abandoned_secrets(client: ApiClient, settings: Settings) -> tuple[ObservedSecret, ...] | None:
    """Return the Secrets that nobody renews; None where the caller may not list Secrets of all namespaces.

    An administrator may; the controller's own ServiceAccount may not. Raises FailureError.
    """
    try:
        secrets = await SnapshotReader(client, secret_name=settings.secret_name).secrets()
    except ApiError as error:
        if error.status == FORBIDDEN:
            return None
        raise
    return abandoned(secrets.values(), settings.watch_namespaces, settings.installation)
