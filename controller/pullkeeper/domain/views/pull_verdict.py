"""Why a container cannot pull its image: one verdict, from the pod, the pull Secret's metadata and what was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pullkeeper.domain.ecr import image_reference, registry_host
from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.image_reference import ImageReference
from pullkeeper.domain.ecr.manifest_answer import ManifestResult
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.views.namespace_status import NamespaceStatus
from pullkeeper.domain.views.observed_pod import ObservedPod, WaitingContainer
from pullkeeper.domain.views.pull_symptom import Symptom, symptom_of


class Cause(StrEnum):
    """Why a pod cannot pull."""

    INVALID_IMAGE = "invalid-image"
    NOT_ECR = "not-ecr"
    NEVER_PULL = "never-pull"
    PLATFORM = "platform"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    LAYERS_DENIED = "layers-denied"
    IMAGE_MISSING = "image-missing"
    NO_SECRET_NAMED = "no-secret-named"  # noqa: S105 -- the name of a cause
    POD_TOO_OLD = "pod-too-old"
    NOT_OPTED_IN = "not-opted-in"
    MISCONFIGURED = "misconfigured"
    SECRET_CONFLICT = "secret-conflict"  # noqa: S105 -- the name of a cause
    TOKEN_REFUSED = "token-refused"  # noqa: S105 -- the name of a cause
    SECRET_MISSING = "secret-missing"  # noqa: S105 -- the name of a cause
    SECRET_CHANGED = "secret-changed"  # noqa: S105 -- the name of a cause
    WRONG_REGION = "wrong-region"
    WRONG_ACCOUNT = "wrong-account"
    REGISTRY_NOT_LISTED = "registry-not-listed"
    EXPIRED = "expired"
    TOKEN_REJECTED = "token-rejected"  # noqa: S105 -- the name of a cause
    REPOSITORY_DENIED = "repository-denied"
    RETRYING = "retrying"
    """Everything is in order by now, and the kubelet tries again."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The one reason, the object to act on, and the fix."""

    cause: Cause
    object: str
    why: str
    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What could be read beside the pod."""

    secret_name: str
    now: datetime
    secret: ObservedSecret | None
    """The pull Secret; None if there is none, or it could not be read."""
    secret_readable: bool = True
    status: NamespaceStatus | None = None
    """The namespace's; None if it has nothing to do with Pullkeeper, or could not be read."""
    namespace_readable: bool = True
    settings_known: bool = False
    account_secrets: tuple[str, ...] = ()
    """The pull Secrets that the pod's ServiceAccount names now."""
    answers: Mapping[str, ManifestResult] = field(default_factory=dict)
    """What registries answered to the pull Secret's own token, by the image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """A container's failed pull, with all that is known."""

    pod: ObservedPod
    container: WaitingContainer
    words: str
    """What the kubelet says."""
    known: Known

    @property
    def image(self) -> ImageReference:
        """The image."""
        return image_reference.parse(self.container.image)

    @property
    def symptom(self) -> Symptom:
        """What the kubelet's words say for certain."""
        return symptom_of(self.container.reason, self.words, self.image)

    @property
    def host(self) -> RegistryHost:
        """The image's registry; raises ValueError where that is none of ECR."""
        return registry_host.parse(self.image.host)

    @property
    def is_ecr(self) -> bool:
        """Whether the image is of a registry of ECR."""
        try:
            registry_host.parse(self.image.host)
        except ValueError:
            return False
        return True

    @property
    def namespace(self) -> str:
        """The namespace, as an object."""
        return f"namespace/{self.pod.namespace}"

    @property
    def secret(self) -> str:
        """The pull Secret, as an object."""
        return f"secret/{self.known.secret_name} in {self.pod.namespace}"

    @property
    def this_pod(self) -> str:
        """The pod, as an object."""
        return f"pod/{self.pod.name} in {self.pod.namespace}"

    @property
    def record(self) -> SecretRecord | None:
        """What the pull Secret holds; None where that cannot be told."""
        return self.known.secret.record if self.known.secret else None

    @property
    def held(self) -> TokenValidity | None:
        """The validity of the pull Secret's token for the image's registry; None if it has none."""
        return self.record.held.get(self.host) if self.record else None

    @property
    def answer(self) -> ManifestResult | None:
        """What the registry said when it was asked."""
        return self.known.answers.get(self.container.image)


Rule = Callable[[Pull], Verdict | None]
"""Tells the verdict where it applies."""
