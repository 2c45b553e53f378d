"""The kubelet's own credential provider in place of pull Secrets (KEP-4412), as far as it can take their place.

The provider is `ecr-credential-provider` of kubernetes/cloud-provider-aws: it takes the role of the annotation
`eks.amazonaws.com/ecr-role-arn` with a token of the pod's ServiceAccount, and else uses the node's own identity.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pullkeeper.domain.ecr.registry_host import PUBLIC_HOSTS, RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.web_identity import provider_arn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views.commented import COMMENT, as_yaml, comment, without_comments
from pullkeeper.domain.views.iam_controller import Controller
from pullkeeper.domain.views.iam_plan import Statement
from pullkeeper.domain.views.iam_statements import pulls, web_trust

_OWN_ROLE = "pullkeeper-kubelet"
_ANNOTATION = "eks.amazonaws.com/ecr-role-arn"
_NAME = "kubelet-ecr-audience"
_RBAC = "rbac.authorization.k8s.io"
_ALWAYS = (
    "Pull Secrets are still needed, whatever is below:",
    "- where the kubelet's flags cannot be set, or nodes are older than Kubernetes 1.34 (before 1.35 a feature gate)",
    "- for everybody else who pulls: Flux, Argo CD, kaniko, BuildKit, Tekton, scanners, people",
    "- where AWS cannot fetch the key set of the cluster's issuer",
    "- for static pods, which have no ServiceAccount",
)
_RISK = "Whoever may create pods or tokens in a namespace can then take its role itself, for all that the role allows."


def as_text(controller: Controller, desired_states: Mapping[str, DesiredState]) -> str:
    """Return everything that today's annotations amount to, as YAML with comments; trust policies are comments."""
    movable = {name: desired for name, desired in sorted(desired_states.items()) if not reasons(desired, controller)}
    documents = [
        "\n".join([*map(comment, _ALWAYS), *_staying(controller, desired_states), comment(_RISK)]),
        as_yaml(_provider_config(controller, movable)),
        *map(as_yaml, _audience(controller)),
        *(as_yaml(each) for name, desired in movable.items() for each in _accounts(name, desired, controller)),
    ]
    return "\n---\n".join(documents) + "\n" + "\n".join(_policies(controller, movable))


def reasons(desired: DesiredState, controller: Controller) -> Sequence[str]:
    """Return why a namespace still needs its pull Secret, nothing if it does not."""
    return list(_reasons(desired, controller))


def _reasons(desired: DesiredState, controller: Controller) -> Iterator[str]:
    identity, *others = desired.distinct_identities
    if others:
        yield "its registries need several roles, and a pod's ServiceAccount has one"
        return
    session = identity.session
    if session and session.external_id:
        yield "its role asks for an ExternalId, which a web identity cannot send"
    if session and session.tags:
        yield "its role is given session tags, which a web identity does not send"
    if identity.kind is Kind.SERVICE_ACCOUNT and identity.audience != controller.audience:
        yield f"its tokens are for {identity.audience}, and a provider asks for one audience"
    if fips := [host for host in desired.registries if host.fips]:
        yield f"the provider asks the endpoint without FIPS for {listed(fips)}"
    text = _role(desired, controller)
    if not text:
        yield "nothing says in which account a role for its pods could be"
        return
    role = role_arn.parse(text)
    if foreign := [host for host in desired.registries if host.partition != role.partition]:
        yield f"{role} cannot read {listed(foreign)}, of another partition"


def _staying(controller: Controller, desired_states: Mapping[str, DesiredState]) -> Iterator[str]:
    for name, desired in sorted(desired_states.items()):
        if found := reasons(desired, controller):
            yield comment(f"- in namespace {name}: {'; '.join(found)}")


def _identity(desired: DesiredState) -> Identity:
    """Return the identity of a namespace that has only one."""
    return desired.distinct_identities[0]


def _role(desired: DesiredState, controller: Controller) -> str:
    """Return the role for a namespace's pods: never the controller's own, which may assume those of all tenants.

    It is beside that one, or beside the repositories where only its credentials tell who it is; "" if neither is known.
    """
    identity = _identity(desired)
    own = controller.of(identity)
    beside = (own.role.partition, own.role.account) if own else _home(desired.registries)
    return identity.role_arn or (f"arn:{beside[0]}:iam::{beside[1]}:role/{_OWN_ROLE}" if beside else "")


def _home(hosts: Iterable[RegistryHost]) -> tuple[str, str] | None:
    return next(((host.partition, host.account) for host in hosts if host.account), None)


def _provider_config(controller: Controller, desired_states: Mapping[str, DesiredState]) -> Mapping[str, Any]:
    hosts = {host for desired in desired_states.values() for host in desired.registries}
    provider = {
        "name": "ecr-credential-provider",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": sorted({_pattern(host) for host in hosts}) or list(PUBLIC_HOSTS),
        "defaultCacheDuration": "12h0m0s",
        "tokenAttributes": {
            "serviceAccountTokenAudience": controller.audience,
            "cacheType": "ServiceAccount",
            "requireServiceAccount": False,
            "optionalServiceAccountAnnotationKeys": [_ANNOTATION],
        },
    }
    return {
        COMMENT: "On each node: --image-credential-provider-config names this file, "
        "--image-credential-provider-bin-dir the folder of ecr-credential-provider",
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [provider],
    }


def _pattern(host: RegistryHost) -> str:
    """Return the pattern of all hosts of the same form; a `*` is one label."""
    return re.sub(r"^\d{12}", "*", host.name).replace(f".{host.region}.", ".*.")


def _audience(controller: Controller) -> Iterator[Mapping[str, Any]]:
    yield {
        COMMENT: "Lets kubelets ask for tokens of the ServiceAccounts of their pods with this audience",
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _NAME},
        "rules": [
            {"apiGroups": [""], "resources": [controller.audience], "verbs": ["request-serviceaccounts-token-audience"]}
        ],
    }
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _NAME},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": "system:nodes"}],
    }


def _names(desired: DesiredState) -> Sequence[str]:
    if _identity(desired).kind is Kind.SERVICE_ACCOUNT:
        return sorted({_identity(desired).service_account[1], *desired.service_accounts.names})
    return sorted(desired.service_accounts.names) or ["default"]


def _accounts(namespace: str, desired: DesiredState, controller: Controller) -> Iterator[Mapping[str, Any]]:
    for name in _names(desired):
        yield {
            COMMENT: "And each other ServiceAccount of the namespace whose pods pull",
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": {_ANNOTATION: _role(desired, controller)},
            },
        }


def _policies(controller: Controller, desired_states: Mapping[str, DesiredState]) -> Iterator[str]:
    subjects: dict[str, set[str]] = defaultdict(set)
    hosts: dict[str, set[RegistryHost]] = defaultdict(set)
    for namespace, desired in desired_states.items():
        role = _role(desired, controller)
        subjects[role] |= {f"system:serviceaccount:{namespace}:{name}" for name in _names(desired)}
        hosts[role] |= set(desired.registries)
    for arn in sorted(subjects):
        yield from _role_policies(role_arn.parse(arn), subjects[arn], hosts[arn], controller)


def _role_policies(
    role: RoleArn, subjects: Iterable[str], hosts: Iterable[RegistryHost], controller: Controller
) -> Iterator[str]:
    provider = provider_arn(controller.issuer, role)
    trust = web_trust(provider, controller.audience, subjects, sid="Kubelet")
    yield comment(f"The trust policy of {role} needs this statement, and its account the OIDC provider {provider}:")
    yield from _json(trust)
    yield comment("Its permissions need these, if they do not have them already:")
    for statement in pulls(role.partition, hosts):
        yield from _json(statement)


def _json(statement: Statement) -> Iterator[str]:
    text = json.dumps(without_comments(statement.as_document()), indent=2)
    yield from (comment(f"  {line}") for line in text.split("\n"))
