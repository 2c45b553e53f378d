"""`pullkeeper explain pod`: why a pod cannot pull, read as the caller; no Secret's data unless `--ask-registry`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.pods import PodReader
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.found_settings import find_settings
from pullkeeper.cli.options import add_output, add_secret_name, add_settings, namespaced
from pullkeeper.cli.status import status_rules
from pullkeeper.domain.ecr import image_reference, registry_host
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.manifest_answer import ManifestResult
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import is_verifiable
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest, namespace_request
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views import pull_explanation
from pullkeeper.domain.views.namespace_status import StatusRules, namespace_status
from pullkeeper.domain.views.observed_pod import ObservedPod
from pullkeeper.domain.views.pull_explanation import Explanation, explain
from pullkeeper.domain.views.pull_verdict import Known

_T = TypeVar("_T")

_MAX_QUESTIONS = 10
"""Images that registries are asked for."""
_EXIT_STATUS = "exit status: 0 if no container waits for an image, 1 if one does, 2 for invalid arguments"

EXAMPLES = (
    "pod team-a/web-7d9c",
    "pod team-a/web-7d9c --context prod",
    "pod team-a/web-7d9c --ask-registry -o json",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = _EXIT_STATUS
    parser.add_argument("kind", choices=["pod"], help="what to explain")
    parser.add_argument("name", metavar="NAMESPACE/NAME", help="the pod")
    add_settings(parser)
    add_secret_name(parser)
    parser.add_argument(
        "--ask-registry",
        action="store_true",
        help="read the pull Secret, and ask the registry for the image's manifest with its token, which is not shown",
    )
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print why the pod cannot pull; the exit status is 1 if a container waits for its image."""
    namespace, pod = name_of(options)
    explanation = asyncio.run(_explain(options, namespace, pod))
    if explanation is None:
        print(f"pullkeeper: there is no pod {pod} in namespace {namespace}", file=sys.stderr)
        return 1
    as_json = options.output == "json"
    print(
        json.dumps(pull_explanation.as_document(explanation), indent=2)
        if as_json
        else pull_explanation.as_text(explanation)
    )
    return 0 if explanation.ok else 1


def name_of(options: argparse.Namespace) -> tuple[str, str]:
    """Return the namespace and the name of the pod; raises InvalidInputError."""
    if found := namespaced(options.name):
        return found
    raise InvalidInputError([Problem(where="pod", found=quoted(options.name), expected="NAMESPACE/NAME")])


async def _explain(options: argparse.Namespace, namespace: str, name: str) -> Explanation | None:
    async with connected(options) as client:
        found = await find_settings(options, client)
        settings, assumed = found.settings, not (found.known or options.secret_name)
        ca_file = "" if found.in_cluster else settings.registry_ca_file  # a path in the controller's pods
        probe = RegistryProbe(ca_file=ca_file) if options.ask_registry else None
        return await explain_pod(
            client,
            settings.secret_name,
            namespace,
            name,
            rules=status_rules(found),
            probe=probe,
            name_is_assumed=assumed,
            notes=found.notes,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempts:
    """Reads what the caller may read, and notes the rest."""

    unreadable: list[str] = field(default_factory=list)

    async def read(self, reading: Awaitable[_T]) -> _T | None:
        try:
            return await reading
        except FailureError as error:
            self.unreadable.append(f"not read: {error}")
            return None


async def explain_pod(
    client: ApiClient,
    secret_name: str,
    namespace: str,
    name: str,
    *,
    rules: StatusRules,
    probe: RegistryProbe | None = None,
    name_is_assumed: bool = False,
    notes: Sequence[str] = (),
) -> Explanation | None:
    """Explain a pod; None if there is none of that name. Raises FailureError if it cannot be read.

    Where the pull Secret's name is assumed and the pod does not name it, one that Pullkeeper manages takes its place.
    What else cannot be read is part of the evidence.
    """
    reader, attempts = PodReader(client, namespace), _Attempts(unreadable=[*notes])
    pod = await reader.pod(name)
    if pod is None:
        return None
    if name_is_assumed and secret_name not in pod.pull_secrets:
        managed = await attempts.read(reader.managed_secrets()) or []
        secret_name = managed[0] if len(managed) == 1 else secret_name
    snapshot = SnapshotReader(client, secret_name=secret_name, namespaces=(namespace,))
    secrets = await attempts.read(snapshot.secrets())
    requests = await attempts.read(snapshot.namespaces(namespace_request))
    events = await attempts.read(reader.pull_events(pod))
    warnings = await attempts.read(snapshot.warnings(_now()))
    account_secrets = await attempts.read(reader.account_secrets(pod.service_account))
    known = _known(secret_name, namespace, secrets=secrets, requests=requests, warnings=warnings, rules=rules)
    known = replace(known, account_secrets=account_secrets or ())
    if probe and secret_name in pod.pull_secrets:
        auths = await attempts.read(reader.auths(secret_name))
        known = replace(known, answers=await _ask(probe, pod, auths or {}))
    return explain(pod, events or (), known, attempts.unreadable)


def _known(
    secret_name: str,
    namespace: str,
    *,
    secrets: Mapping[str, ObservedSecret] | None,
    requests: list[NamespaceRequest] | None,
    warnings: Mapping[str, LastWarning] | None,
    rules: StatusRules,
) -> Known:
    now, secret = _now(), (secrets or {}).get(namespace)
    status = namespace_status(requests[0], secret, rules, now) if requests and secrets is not None else None
    return Known(
        secret_name=secret_name,
        now=now,
        secret=secret.as_of(now) if secret else None,
        secret_readable=secrets is not None,
        status=replace(status, last_warning=(warnings or {}).get(namespace)) if status else None,
        namespace_readable=bool(requests),
        settings_known=rules.policy is not None,
    )


async def _ask(
    probe: RegistryProbe, pod: ObservedPod, auths: Mapping[RegistryHost, Password]
) -> Mapping[str, ManifestResult]:
    """Ask for each image for which the Secret has an entry; ECR Public cannot be asked by a token alone."""
    found: dict[str, ManifestResult] = {}
    for image in dict.fromkeys(each.image for each in pod.waiting[:_MAX_QUESTIONS]):
        reference = image_reference.parse(image)
        host = _host(reference.host)
        if host and host in auths and is_verifiable(host) and reference.well_formed:
            found[image] = await probe.ask_for_manifest(host, auths[host], reference)
    return found


def _host(text: str) -> RegistryHost | None:
    try:
        return registry_host.parse(text)
    except ValueError:
        return None


def _now() -> datetime:
    return datetime.now(UTC)
