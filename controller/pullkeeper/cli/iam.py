"""`pullkeeper iam`: print what must exist in AWS for the settings and, with a kubeconfig, the namespaces that ask."""

import argparse
import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.issuer import read_issuer
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountTokens
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.found_settings import FoundSettings, find_settings_alone
from pullkeeper.cli.options import add_output, add_settings, print_notes
from pullkeeper.domain.config.own_sources import WebIdentityFile
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import CONTROLLER, NAME, Identity, Kind
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.web_identity import AUDIENCE, USUAL_AUDIENCE
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.views import iam_kubelet
from pullkeeper.domain.views.iam_commands import as_script
from pullkeeper.domain.views.iam_controller import Controller, with_identities
from pullkeeper.domain.views.iam_documents import as_cloudformation, as_json
from pullkeeper.domain.views.iam_needs import plan
from pullkeeper.domain.views.iam_plan import Plan
from pullkeeper.domain.views.iam_terraform import as_terraform

_FORMATS: Mapping[str, Callable[[Plan], str]] = {
    "json": as_json,
    "terraform": as_terraform,
    "cloudformation": as_cloudformation,
    "aws-cli": as_script,
}
_ISSUER = re.compile(r"https://[A-Za-z0-9._~:/%@+=-]{1,247}")
# IAM: the URL of an OIDC provider has at most 255 characters, and no query.
_COMMON_NAME = re.compile(r"[A-Za-z0-9 _.:/=+@-]{0,64}")
# X.520: at most 64 characters; IAM: these characters can be in a tag, which the name becomes.


@dataclass(kw_only=True, slots=True)
class _Observed:
    """What was found in the cluster; nothing without a kubeconfig."""

    issuer: str = ""
    desired_states: dict[str, DesiredState] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What namespaces ask for and cannot have."""


EXAMPLES = (
    "",
    "--context prod -o terraform",
    "--config settings.yaml --issuer https://oidc.example.com -o aws-cli",
    "--namespace team-a",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_settings(parser)
    add_output(parser, tuple(_FORMATS))
    parser.add_argument("-n", "--namespace", default="", metavar="NAME", help="print only what this namespace needs")
    parser.add_argument("--account", default="", metavar="NUMBER", help="print only what belongs into this account")
    parser.add_argument(
        "--kubelet", action="store_true", help="print what would replace pull Secrets: the kubelet's own provider"
    )
    parser.add_argument(
        "--role-arn",
        default=os.environ.get("AWS_ROLE_ARN", ""),
        metavar="ARN",
        help="the controller's role (default: $AWS_ROLE_ARN, else pullkeeper in the account of the first registry)",
    )
    parser.add_argument(
        "--service-account",
        default="",
        metavar="NAMESPACE:NAME",
        help="the controller's ServiceAccount (default: leaseNamespace and leaseName of the settings)",
    )
    parser.add_argument("--issuer", default="", metavar="URL", help="the cluster's issuer (default: what it says)")
    parser.add_argument(
        "--certificate-name",
        action="append",
        default=[],
        metavar="[IDENTITY=]CN",
        help="common name of the certificate for IAM Roles Anywhere of the controller, or of one of its `identities` "
        "(default: any of the trust anchor)",
    )
    parser.add_argument(
        "--audience", default=USUAL_AUDIENCE, help=f"of the controller's tokens (default: {USUAL_AUDIENCE})"
    )


def main(options: argparse.Namespace) -> int:
    """Print what must exist, or with --kubelet what would take the place of pull Secrets."""
    found = asyncio.run(find_settings_alone(options))
    print_notes(found.notes)
    settings = found.settings
    cluster = asyncio.run(_observe(options, settings)) if _has_cluster(options, found) else _Observed()
    controller = _controller(options, settings, cluster.issuer)
    if options.namespace and options.namespace not in cluster.desired_states:
        raise _invalid("--namespace", options.namespace, _why_not(options.namespace, cluster))
    print(_kubelet(options, controller, cluster) if options.kubelet else _aws(options, settings, controller, cluster))
    return 0


def _aws(options: argparse.Namespace, settings: Settings, controller: Controller, cluster: _Observed) -> str:
    found = plan(settings.policy, controller, cluster.desired_states, only=options.namespace)
    found = replace(found, notes=(*found.notes, *cluster.notes))
    numbers = [account.number for account in found.accounts]
    if options.account and options.account not in numbers:
        raise _invalid("--account", options.account, f"one of {listed(numbers)}")
    return _FORMATS[options.output](found.of_account(options.account) if options.account else found)


def _kubelet(options: argparse.Namespace, controller: Controller, cluster: _Observed) -> str:
    desired_states = cluster.desired_states
    kept = {options.namespace: desired_states[options.namespace]} if options.namespace else desired_states
    return iam_kubelet.as_text(controller, kept)


def _has_cluster(options: argparse.Namespace, found: FoundSettings) -> bool:
    """Whether a cluster is named, or was found by the settings in it."""
    return found.in_cluster or bool(options.kubeconfig or options.context or os.environ.get("KUBECONFIG"))


async def _observe(options: argparse.Namespace, settings: Settings) -> _Observed:
    async with connected(options) as client:
        cluster = _Observed(issuer=options.issuer or await read_issuer(client))
        reader = SnapshotReader(client, secret_name=settings.secret_name, namespaces=settings.watch_namespaces)
        for namespace in sorted(await reader.namespaces(observe_namespace), key=lambda each: each.name):
            await _add(cluster, namespace, settings.policy, client)
    return cluster


async def _resolved(
    identities: Mapping[RegistryHost, Identity], policy: Policy, client: ApiClient
) -> Mapping[RegistryHost, Identity]:
    """Return the identities with what their ServiceAccounts say; raise FailureError."""
    found: dict[Identity, Identity] = {}
    for identity in dict.fromkeys(identities.values()):
        found[identity] = resolved = await _identity(identity, client)
        if resolved.kind is Kind.SERVICE_ACCOUNT:
            policy.check_audience(resolved)
    return {host: found[identity] for host, identity in identities.items()}


async def _identity(identity: Identity, client: ApiClient) -> Identity:
    is_account = identity.kind is Kind.SERVICE_ACCOUNT
    return await ServiceAccountTokens(client).resolve(identity) if is_account else identity


async def _add(cluster: _Observed, namespace: ObservedNamespace, policy: Policy, client: ApiClient) -> None:
    if namespace.terminating or not policy.serves(namespace, held=None):
        return
    try:
        desired = desired_state(namespace, policy)
        if desired:
            desired = replace(desired, identities=await _resolved(desired.identities, policy, client))
    except InvalidInputError as error:
        cluster.notes += [f"namespace/{namespace.name}: {problem}" for problem in error.summary]
    except FailureError as error:
        cluster.notes.append(f"namespace/{namespace.name}: {error}")
    else:
        cluster.desired_states |= {namespace.name: desired} if desired else {}


def _why_not(namespace: str, cluster: _Observed) -> str:
    known = [note for note in cluster.notes if note.startswith(f"namespace/{namespace}:")]
    expected = "a namespace of the cluster that asks for a pull Secret, and a kubeconfig of the cluster"
    return "; ".join([expected, *known])


def _controller(options: argparse.Namespace, settings: Settings, issuer: str) -> Controller:
    issuer = options.issuer or issuer
    anywhere = settings.roles_anywhere
    if not _ISSUER.fullmatch(issuer) and (issuer or options.kubelet or _uses_tokens(settings)):
        expected = "an https:// URL, or a kubeconfig of a cluster whose issuer has one"
        raise _invalid("--issuer", issuer, expected)
    account = options.service_account or f"{settings.lease_namespace}:{settings.lease_name}"
    if not all(NAME.fullmatch(part) for part in account.split(":")) or account.count(":") != 1:
        raise _invalid("--service-account", account, "NAMESPACE:NAME")
    if not AUDIENCE.fullmatch(options.audience):
        raise _invalid("--audience", options.audience, "at most 255 characters of a URL")
    names = _certificate_names(options.certificate_name, settings)
    controller = Controller(
        role=_role(options.role_arn, settings),
        issuer=issuer,
        subject=f"system:serviceaccount:{account}",
        audience=options.audience,
        anywhere=anywhere,
        certificate_name=names.get("", ""),
    )
    return with_identities(controller, settings.policy, names)


def _uses_tokens(settings: Settings) -> bool:
    """Return whether any of the controller's identities takes its role with a token of the cluster's issuer."""
    return not settings.roles_anywhere or any(
        isinstance(each.source, WebIdentityFile) for each in settings.policy.identities
    )


def _certificate_names(given: Sequence[str], settings: Settings) -> Mapping[str, str]:
    """Return the common names by identity; "" is the one without a name."""
    identities = {each.name for each in settings.policy.identities}
    found: dict[str, str] = {}
    for text in given:
        identity, _, name = text.partition("=") if text.partition("=")[0] in identities else ("", "", text)
        if not _COMMON_NAME.fullmatch(name):
            expected = "a common name of letters, digits, spaces and _.:/=+-@, or IDENTITY=NAME"
            raise _invalid("--certificate-name", text, expected)
        found[identity] = name
    return found


def _role(text: str, settings: Settings) -> RoleArn:
    if settings.roles_anywhere:
        return settings.roles_anywhere.role
    own = (host for host in settings.policy.registries if settings.policy.own_identity(host) == CONTROLLER)
    first = next((host for host in own if not host.public), None)
    if not text and first:
        text = f"arn:{first.partition}:iam::{first.account}:role/pullkeeper"
    try:
        return role_arn.parse(text)
    except ValueError as error:
        raise _invalid("--role-arn", text, str(error)) from None


def _invalid(where: str, found: str, expected: str) -> InvalidInputError:
    return InvalidInputError([Problem(where=where, found=quoted(found) if found else "nothing", expected=expected)])
