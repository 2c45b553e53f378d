"""A search for tokens in everything that the controller writes, except the Secrets' data."""

import json
from collections.abc import Iterable

from testsupport.fake_aws import TOKEN_MARKER
from testsupport.installation import Installation


async def assert_no_leak(installation: Installation) -> None:
    """Fail if a secret that the AWS fake issued is found in a log, a metric, an Event or another object."""
    places = dict(_logs(installation))
    for process in installation.processes:
        places[f"the metrics of {process.log.name}"] = process.last_metrics or (await process.probe("/metrics"))[1]
    places["Events"] = json.dumps((await installation.api.get("/apis/events.k8s.io/v1/events")).ok())
    for namespace in installation.namespaces:
        path = installation.path(namespace)
        if secret := await installation.secret(namespace):
            places[f"{path} (all but its data)"] = json.dumps({**secret, "data": None})
    namespaces = (await installation.api.get("/api/v1/namespaces")).ok()
    places["Namespaces"] = json.dumps(namespaces)
    places["ServiceAccounts"] = json.dumps((await installation.api.get("/api/v1/serviceaccounts")).ok())
    for place, text in places.items():
        found = [secret for secret in {TOKEN_MARKER, *installation.aws.secrets} if secret in text]
        assert not found, f"{len(found)} secret texts are in {place}"


def _logs(installation: Installation) -> Iterable[tuple[str, str]]:
    for process in installation.processes:
        yield f"the log {process.log.name}", process.text()
