"""The shapes of Secrets: how the content of one is laid out for its reader, and read back."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.ecr.credential import Password, is_authorization
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret import pull_secret
from pullkeeper.domain.secret.pull_secret import DATA_KEY, LABELS, SECRET_TYPE, WRITTEN_BY, PullSecret
from pullkeeper.domain.secret.secret_record import UNREADABLE, SecretRecord

SHAPE = f"{PREFIX}shape"
"""Says what the Secret is laid out as, with all that is no secret: a change of the settings shows there."""
OPAQUE = "Opaque"
BASIC_AUTH_TYPE = "kubernetes.io/basic-auth"
_USER: Final = "AWS"
_ARGOCD = "argocd.argoproj.io/secret-type"
_KARGO = "kargo.akuity.io/cred-type"


class SecretShape(Protocol):
    """How a Secret of one name is laid out."""

    @property
    def name(self) -> str:
        """The name of the Secret, the same in every namespace."""
        ...

    @property
    def noun(self) -> str:
        """What it is, in a message."""
        ...

    @property
    def called(self) -> str:
        """What its name is, in a message."""
        ...

    @property
    def when_expired(self) -> str:
        """What happens once its token has expired, in a message."""
        ...

    @property
    def type(self) -> str:
        """The type of the Secret, which can never change."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels by which its reader finds it, beside the one that makes it ours."""
        ...

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations beside those of the record."""
        ...

    @property
    def keys(self) -> frozenset[str]:
        """The keys of its data."""
        ...

    def data(self, content: PullSecret) -> dict[str, str]:
        """Encode the data; raise ValueError for an entry that its reader cannot read."""
        ...

    def read_auths(self, data: Mapping[str, str]) -> dict[RegistryHost, Password]:
        """Parse the entries in the data, and skip what cannot be parsed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerConfig:
    """The pull Secret, as the kubelet reads it: all registries in one `.dockerconfigjson`."""

    name: str = ""
    noun: str = "the pull Secret"
    called: str = "the pull Secret's name"
    when_expired: str = "image pulls fail"
    type: str = SECRET_TYPE
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset({DATA_KEY})

    def data(self, content: PullSecret) -> dict[str, str]:
        """Encode the data; raise ValueError for an entry that the kubelet cannot read."""
        return content.data()

    def read_auths(self, data: Mapping[str, str]) -> dict[RegistryHost, Password]:
        """Parse the entries in the data, and skip what cannot be parsed."""
        return pull_secret.read_auths(data)


PULL_SECRET = DockerConfig()
"""The pull Secret, where its name does not matter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A user name and a password for one registry, each under a key of its own, beside texts that never change."""

    name: str
    shape: ShapeName
    registry: RegistryHost
    type: str = OPAQUE
    labels: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What the data holds beside the login."""
    user_key: str = "username"
    password_key: str = "password"  # noqa: S105 -- the name of a key
    when_expired: str = "its readers are refused"

    @property
    def noun(self) -> str:
        """What it is, in a message."""
        return f"the Secret {self.name}"

    @property
    def called(self) -> str:
        """What its name is, in a message."""
        return f"the name {self.name} (`additionalSecrets` in the settings)"

    @property
    def annotations(self) -> Mapping[str, str]:
        """What the Secret is laid out as."""
        return {SHAPE: json.dumps({"shape": self.shape, "registry": self.registry.name, **self.fixed})}

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the data."""
        return frozenset({*self.fixed, self.user_key, self.password_key})

    @property
    def masked(self) -> dict[str, str]:
        """The data as text, with stars for the password."""
        return {**self.fixed, self.user_key: _USER, self.password_key: "***"}

    @property
    def fixed_data(self) -> dict[str, str]:
        """Everything in the data but the password, encoded."""
        return {key: _encoded(text) for key, text in {**self.fixed, self.user_key: _USER}.items()}

    def data(self, content: PullSecret) -> dict[str, str]:
        """Encode the data; raise ValueError for an entry that is no user name with a password."""
        auth = content.auths[self.registry].reveal()
        if not is_authorization(auth):
            raise ValueError(f"the entry of {self.registry} is not base64 of AWS:<password>")
        password = base64.b64decode(auth).decode().partition(":")[2]
        return self.fixed_data | {self.password_key: _encoded(password)}

    def read_auths(self, data: Mapping[str, str]) -> dict[RegistryHost, Password]:
        """Parse the login, unless it is another user's or cannot be parsed."""
        try:
            login = [base64.b64decode(data[key]).decode() for key in (self.user_key, self.password_key)]
        except UNREADABLE:
            return {}
        auth = _encoded(":".join(login))
        return {self.registry: Password(auth)} if login[0] == _USER and is_authorization(auth) else {}


def manifest(
    shape: SecretShape, namespace: str, record: SecretRecord, data: Mapping[str, str], *, installation: str
) -> dict[str, Any]:
    """Return the Secret as this installation applies it."""
    metadata = {
        "name": shape.name,
        "namespace": namespace,
        "labels": {**LABELS, **shape.labels},
        "annotations": {**record.annotations(), **shape.annotations, WRITTEN_BY: installation},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": shape.type, "data": dict(data)}


def shape_of(secret: AdditionalSecret) -> Login:
    """Return the layout that the readers of a shape take.

    Argo CD (argoproj/argo-cd, util/db): a credential template applies to every URL that begins with its own, so that
    without a slash at its end it would be for hosts that begin so, too. Kargo
    (akuity/kargo, pkg/credentials/kubernetes): a pattern is tried with the URL as it is written. KubeVirt's importer
    (kubevirt/containerized-data-importer, pkg/common) has the keys of S3 for registries as well.
    """
    login = Login(name=secret.name, shape=secret.shape, registry=secret.registry)
    match secret.shape:
        case ShapeName.BASIC_AUTH:
            return replace(login, type=BASIC_AUTH_TYPE)
        case ShapeName.CDI:
            return replace(login, user_key="accessKeyId", password_key="secretKey")  # noqa: S106 -- the names of keys
        case labelled:
            return replace(login, labels=_LABELS[labelled], fixed=_fixed(secret))


_LABELS: Mapping[ShapeName, Mapping[str, str]] = {
    ShapeName.ARGOCD_REPOSITORY: {_ARGOCD: "repository"},
    ShapeName.ARGOCD_REPO_CREDS: {_ARGOCD: "repo-creds"},
    ShapeName.ARGOCD_OCI_REPO_CREDS: {_ARGOCD: "repo-creds"},
    ShapeName.KARGO_IMAGE: {_KARGO: "image"},
    ShapeName.KARGO_HELM: {_KARGO: "helm"},
}


def _fixed(secret: AdditionalSecret) -> Mapping[str, str]:
    host = secret.registry.name
    helm = {"type": "helm", "enableOCI": "true"}
    match secret.shape:
        case ShapeName.ARGOCD_REPOSITORY:
            return helm | {"name": secret.name, "url": f"{host}/{secret.path}" if secret.path else host}
        case ShapeName.ARGOCD_REPO_CREDS:
            return helm | {"url": f"{host}/"}
        case ShapeName.ARGOCD_OCI_REPO_CREDS:
            return {"type": "oci", "url": f"oci://{host}/"}
        case _:
            return {"repoURL": f"^(oci://)?{_quoted(host)}/", "repoURLIsRegex": "true"}


def _quoted(host: str) -> str:
    """Return a pattern of a host, in which nothing but a dot means more than itself."""
    return host.replace(".", r"\.")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
