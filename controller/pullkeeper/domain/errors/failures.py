"""Failures: a closed set of reasons, and what each means for people and for the next attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Reason of a failure; metrics, Events and logs use these names. Each has its row in EXPLANATIONS."""

    ACCESS_DENIED = "AccessDenied"
    THROTTLED = "Throttled"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    CONFIGURATION_INVALID = "ConfigurationInvalid"
    PARTITION_MISMATCH = "PartitionMismatch"
    NODE_ROLE_REFUSED = "NodeRoleRefused"
    CREDENTIALS_TIMEOUT = "CredentialsTimeout"
    REGION_INVALID = "RegionInvalid"
    REGION_NOT_ENABLED = "RegionNotEnabled"
    NETWORK_UNREACHABLE = "NetworkUnreachable"
    CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
    PROXY_REFUSED = "ProxyRefused"
    SERVICE_ERROR = "ServiceError"
    MALFORMED_ANSWER = "MalformedAnswer"
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 -- the name of a reason
    REGISTRY_REJECTED = "RegistryRejected"
    ROLE_NOT_ALLOWED = "RoleNotAllowed"
    SERVICE_ACCOUNT_UNUSABLE = "ServiceAccountUnusable"
    INVALID_ANNOTATION = "InvalidAnnotation"
    SECRET_CONFLICT = "SecretConflict"  # noqa: S105 -- the name of a reason
    QUOTA_EXCEEDED = "QuotaExceeded"
    ADMISSION_REFUSED = "AdmissionRefused"
    ADMISSION_UNAVAILABLE = "AdmissionUnavailable"
    WRITES_REVERTED = "WritesReverted"
    KUBERNETES_DENIED = "KubernetesDenied"
    KUBERNETES_UNAVAILABLE = "KubernetesUnavailable"

    @property
    def requires_action(self) -> bool:
        """Whether the failure lasts until somebody grants or fixes something, so that retrying soon is useless."""
        found = EXPLANATIONS[self]
        return found.actor is not Actor.NOBODY and not found.retried_soon

    @property
    def may_pass(self) -> bool:
        """Whether it may pass within seconds, so that the first retries are worthwhile although it requires action."""
        return EXPLANATIONS[self].may_pass


class Actor(StrEnum):
    """Who has to act so that a failure ends."""

    NOBODY = "nobody"
    NAMESPACE_OWNER = "the owner of the namespace"
    AWS_ADMIN = "the administrator of the AWS account"
    OPERATOR = "the operator of the cluster"


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What a reason means, for the runbook, docs/failures.md and `pullkeeper check --explain`."""

    meaning: str
    fix: str
    actor: Actor
    """NOBODY where retries end the failure, unless it lasts."""
    of_token: bool = False
    """Whether it is for this reason that a token cannot be fetched."""
    retried_soon: bool = False
    """Whether it often ends by itself although somebody may have to act, so that retries do not become slow."""
    may_pass: bool = False
    """Whether it may pass within seconds although somebody probably has to act, so that the first retries are soon."""


EXPLANATIONS: Mapping[Reason, Explanation] = MappingProxyType(
    {
        Reason.ACCESS_DENIED: Explanation(
            meaning="IAM denies the call, or STS denies the role",
            fix="the message names the principal and the action, or what the trust policy lacks",
            actor=Actor.AWS_ADMIN,
            of_token=True,
        ),
        Reason.CREDENTIALS_MISSING: Explanation(
            meaning="no AWS credentials, or a credentials file cannot be read",
            fix="give the ServiceAccount a role (IRSA, Pod Identity); check the mount of the projected token",
            actor=Actor.OPERATOR,
            of_token=True,
            retried_soon=True,
        ),
        Reason.CREDENTIALS_INVALID: Explanation(
            meaning="AWS no longer accepts the credentials; new ones were tried once",
            fix=(
                "check the trust policy's issuer and audience, whether the region is enabled for the account, the "
                "node's clock"
            ),
            actor=Actor.AWS_ADMIN,
            of_token=True,
            may_pass=True,  # new keys and providers are not known everywhere at once, and files are being replaced
        ),
        Reason.CONFIGURATION_INVALID: Explanation(
            meaning=(
                "a value in the configuration of the AWS client, or in what is sent to AWS, cannot be right: a "
                "profile, a file, an endpoint, an ARN, a session's name"
            ),
            fix="correct the value that the message names",
            actor=Actor.OPERATOR,
            of_token=True,
        ),
        Reason.PARTITION_MISMATCH: Explanation(
            meaning="the identity is of one AWS partition (standard, China, GovCloud, …), the registry of another",
            fix="use an identity of the registry's partition",
            actor=Actor.OPERATOR,
            of_token=True,
        ),
        Reason.NODE_ROLE_REFUSED: Explanation(
            meaning="only the EC2 instance role was found",
            fix="give the controller a role of its own, or set `allowNodeInstanceRole`",
            actor=Actor.OPERATOR,
            of_token=True,
        ),
        Reason.CREDENTIALS_TIMEOUT: Explanation(
            meaning=(
                "a `credential_process`, the Pod Identity agent or STS did not answer within ten seconds; only the "
                "identities that need it wait"
            ),
            fix="see why it hangs; retried with backoff",
            actor=Actor.NOBODY,
            of_token=True,
        ),
        Reason.REGION_INVALID: Explanation(
            meaning="there can be no such region or endpoint",
            fix="check the host's spelling",
            actor=Actor.NAMESPACE_OWNER,
            of_token=True,
        ),
        Reason.REGION_NOT_ENABLED: Explanation(
            meaning="STS knows the credentials and ECR in the region does not",
            fix="enable the region in the account that the message names, or correct the host",
            actor=Actor.AWS_ADMIN,
            of_token=True,
        ),
        Reason.NETWORK_UNREACHABLE: Explanation(
            meaning="AWS does not respond",
            fix="check DNS, egress, proxy, VPC endpoints for `ecr.api` and `sts`",
            actor=Actor.NOBODY,
            of_token=True,
        ),
        Reason.CERTIFICATE_UNTRUSTED: Explanation(
            meaning="the certificate of AWS, or of the proxy that inspects TLS in front of it, is not trusted",
            fix="mount the CA of that proxy and name its file in `AWS_CA_BUNDLE`",
            actor=Actor.OPERATOR,
            of_token=True,
        ),
        Reason.PROXY_REFUSED: Explanation(
            meaning="the proxy answers, and refuses to connect to AWS",
            fix="let AWS's hosts pass there, or put the login that it wants into `HTTPS_PROXY`",
            actor=Actor.OPERATOR,
            of_token=True,
        ),
        Reason.THROTTLED: Explanation(
            meaning="AWS is throttling",
            fix="retried with backoff; act only if it lasts",
            actor=Actor.NOBODY,
            of_token=True,
        ),
        Reason.SERVICE_ERROR: Explanation(
            meaning="AWS is failing",
            fix="retried with backoff; act only if it lasts",
            actor=Actor.NOBODY,
            of_token=True,
        ),
        Reason.MALFORMED_ANSWER: Explanation(
            meaning="the response is not one that AWS sends",
            fix="check for a proxy between the controller and AWS",
            actor=Actor.OPERATOR,
            of_token=True,
            retried_soon=True,
        ),
        Reason.TOKEN_EXPIRED: Explanation(
            meaning="the new token had expired on arrival",
            fix="check the node's clock",
            actor=Actor.OPERATOR,
            of_token=True,
            retried_soon=True,
        ),
        Reason.REGISTRY_REJECTED: Explanation(
            meaning=(
                "with `verify`: a registry rejects the new token, which is not published for it; its existing entry "
                "stays"
            ),
            fix="[A registry rejects a token](runbook.md#a-registry-rejects-a-token)",
            actor=Actor.AWS_ADMIN,
        ),
        Reason.ROLE_NOT_ALLOWED: Explanation(
            meaning="the settings do not allow the namespace to use that identity, or not for those registries",
            fix="allow it under the key that the message names",
            actor=Actor.OPERATOR,
        ),
        Reason.SERVICE_ACCOUNT_UNUSABLE: Explanation(
            meaning="the ServiceAccount is missing or has no role, or the controller may not use it",
            fix="follow the message; [identities.md](identities.md) lists the permissions",
            actor=Actor.NAMESPACE_OWNER,
            of_token=True,
        ),
        Reason.INVALID_ANNOTATION: Explanation(
            meaning="one or more annotations are invalid",
            fix="the message lists each with the value expected",
            actor=Actor.NAMESPACE_OWNER,
        ),
        Reason.SECRET_CONFLICT: Explanation(
            meaning="a Secret of that name is not managed by Pullkeeper, has another type, or is immutable",
            fix="delete or rename it, or hand it over with a label: [migrating.md](migrating.md)",
            actor=Actor.NAMESPACE_OWNER,
        ),
        Reason.QUOTA_EXCEEDED: Explanation(
            meaning="a ResourceQuota of the namespace leaves no room for the object",
            fix="raise the quota that the message names, or make room in it; tried again every few minutes",
            actor=Actor.NAMESPACE_OWNER,
        ),
        Reason.ADMISSION_REFUSED: Explanation(
            meaning="an admission webhook, a ValidatingAdmissionPolicy or another admission plugin refuses the write",
            fix=(
                "exempt the controller's ServiceAccount there, or change the rule; the brackets hold the refuser's own "
                "words. Permissions are not the cause. Keep the Secret: a new one would be refused as well"
            ),
            actor=Actor.OPERATOR,
        ),
        Reason.ADMISSION_UNAVAILABLE: Explanation(
            meaning="an admission webhook must be called for the write and does not answer (`failurePolicy: Fail`)",
            fix="see why the webhook that the message names is away, or exempt the controller's ServiceAccount there",
            actor=Actor.OPERATOR,
            retried_soon=True,  # mostly its pods are being replaced
        ),
        Reason.WRITES_REVERTED: Explanation(
            meaning="another tool keeps undoing what is written; repairs of that object wait up to a minute",
            fix="stop the tool that the message names from writing the object, or opt the namespace out",
            actor=Actor.OPERATOR,
        ),
        Reason.KUBERNETES_DENIED: Explanation(
            meaning="the API server denies a permission",
            fix=(
                "`pullkeeper check` names each missing permission with the rule to grant (`helm test` runs it as the "
                "controller)"
            ),
            actor=Actor.OPERATOR,
            retried_soon=True,  # an API server that is starting denies requests for a moment that it allows later
        ),
        Reason.KUBERNETES_UNAVAILABLE: Explanation(
            meaning="the API server does not respond",
            fix="retried; Secrets stay as they are",
            actor=Actor.NOBODY,
        ),
    }
)

TOKEN_REASONS = frozenset(reason for reason, explanation in EXPLANATIONS.items() if explanation.of_token)
"""Reasons for which a token cannot be fetched."""

OWNER_REASONS = frozenset({Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED})
"""Reasons that the owner of the namespace can correct in its annotations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What failed, with a message for whoever can fix it; never contains a token."""

    reason: Reason
    message: str
    detail: str = field(default="", compare=False)
    """Variable text such as AWS's message; ignored when failures are compared."""
    identity: str = field(default="", compare=False)
    """Identity of the token that could not be fetched; a log field, which the message states as well."""
    region: str = field(default="", compare=False)
    """Region of that token."""

    def __str__(self) -> str:
        return f"{self.message}{self.detail_suffix} ({self.reason})"

    @property
    def detail_suffix(self) -> str:
        """The detail in brackets, to append to the message."""
        return f" [{self.detail}]" if self.detail else ""


def foreign_secret_failure(namespace: str, called: str = "the pull Secret's name") -> Failure:
    """Return the failure for a Secret of a name that Pullkeeper writes, and which it does not manage."""
    message = (
        f"namespace/{namespace}: a Secret with {called} exists and is not managed by Pullkeeper, so it is not changed: "
        "delete or rename it, or hand it over by adding the label app.kubernetes.io/managed-by=pullkeeper"
    )
    return Failure(reason=Reason.SECRET_CONFLICT, message=message)


class FailureError(Exception):
    """An operation on another system failed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


class StaleObservationError(Exception):
    """The object has changed since it was observed: nothing was written; reconcile again."""


class NamespaceGoneError(Exception):
    """The namespace is terminating or gone: nothing was written, and there is nothing left to write."""


class NotLeadingError(Exception):
    """This replica is not the leader any more: nothing was written."""
