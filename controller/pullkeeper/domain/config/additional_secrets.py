"""Secrets of other shapes beside the pull Secret, for readers of the same token that do not read it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from pullkeeper.domain.config import fields, mappings
from pullkeeper.domain.config.policy import Matcher
from pullkeeper.domain.config.policy_parser import PolicyParser
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost

MAX_ADDITIONAL_SECRETS = 20
"""Each is watched by a request of its own, because RBAC bounds a watch to one name."""
MAX_PATH = 256
# ECR: the name of a repository. A prefix of one, up to a slash, has the same form.
PATH = r"[a-z0-9]+(?:[._/-][a-z0-9]+)*"
_PATH = re.compile(PATH)


class ShapeName(StrEnum):
    """The shapes that there are, each for one kind of reader."""

    ARGOCD_REPOSITORY = "argocd-repository"
    """Argo CD: one Helm repository in a registry, at `path`."""
    ARGOCD_REPO_CREDS = "argocd-repo-creds"
    """Argo CD: all Helm repositories of a registry."""
    ARGOCD_OCI_REPO_CREDS = "argocd-oci-repo-creds"
    """Argo CD: all `oci://` sources of a registry."""
    BASIC_AUTH = "basic-auth"
    """Kubernetes' own type `kubernetes.io/basic-auth`."""
    CDI = "cdi"
    """KubeVirt's Containerized Data Importer."""
    KARGO_IMAGE = "kargo-image"
    """Kargo: all images of a registry."""
    KARGO_HELM = "kargo-helm"
    """Kargo: all Helm charts of a registry."""


ADDITIONAL_SECRET: mappings.Keys = {
    "name": mappings.TEXT,
    "shape": {"type": "string", "enum": [each.value for each in ShapeName]},
    "registry": mappings.TEXT,
    "path": mappings.TEXT,
    **mappings.MATCHER,
}
SHAPE_FORM = f"one of {', '.join(ShapeName)}"
NAME_FORM = "a Secret's name that neither secretName nor another of these has"
PATH_FORM = f"the path of a Helm repository, only with the shape {ShapeName.ARGOCD_REPOSITORY}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AdditionalSecret:
    """One more Secret with the token of one registry, in each selected namespace whose pull Secret is for it."""

    name: str
    shape: ShapeName
    registry: RegistryHost
    path: str = ""
    namespaces: Matcher


class AdditionalSecretsParser(PolicyParser):
    """Parses `additionalSecrets`, too."""

    def additional_secrets(self, value: object, secret_name: str) -> tuple[AdditionalSecret, ...]:
        """Parse `additionalSecrets`; an invalid entry is left out."""
        where = "additionalSecrets"
        if not isinstance(value, list) or len(value) > MAX_ADDITIONAL_SECRETS:
            expected = f"a list of at most {MAX_ADDITIONAL_SECRETS} {{name, shape, registry, namespaces, ...}}"
            self._add_problem(where, value, expected)
            return ()
        taken = {secret_name}
        found = [self._additional_secret(item, f"{where}[{index}]", taken) for index, item in enumerate(value)]
        return tuple(each for each in found if each is not None)

    def _additional_secret(self, value: object, where: str, taken: set[str]) -> AdditionalSecret | None:
        given = self._mapping(value, where, ADDITIONAL_SECRET)
        name = self._free_name(given.get("name"), f"{where}.name", taken)
        shape = self._shape(given.get("shape"), f"{where}.shape")
        registry = self._registry(given.get("registry"), f"{where}.registry")
        path = self._path(given.get("path", ""), f"{where}.path", shape)
        namespaces = self._required_matcher(given, where)
        if not (name and shape and registry):
            return None
        return AdditionalSecret(name=name, shape=shape, registry=registry, path=path, namespaces=namespaces)

    def _free_name(self, value: object, where: str, taken: set[str]) -> str:
        try:
            name = fields.parse_name(value)
        except ValueError:
            name = ""
        if not name or name in taken:
            self._add_problem(where, value, NAME_FORM)
        taken.add(name)
        return name

    def _shape(self, value: object, where: str) -> ShapeName | None:
        if isinstance(value, str) and value in tuple(ShapeName):
            return ShapeName(value)
        self._add_problem(where, value, SHAPE_FORM)
        return None

    def _registry(self, value: object, where: str) -> RegistryHost | None:
        try:
            return registry_host.parse(value if isinstance(value, str) else "")
        except ValueError as error:
            self._add_problem(where, value, str(error))
            return None

    def _path(self, value: object, where: str, shape: ShapeName | None) -> str:
        if value == "":
            return ""
        valid = isinstance(value, str) and len(value) <= MAX_PATH and _PATH.fullmatch(value)
        if isinstance(value, str) and valid and shape in (None, ShapeName.ARGOCD_REPOSITORY):
            return value
        self._add_problem(where, value, PATH_FORM)
        return ""
