"""Causes in the source of AWS credentials: none, programs, agents, logins, projected tokens."""

from pullkeeper.domain.errors.causes import Cause
from pullkeeper.domain.errors.failures import Actor, Reason

_AGENT = "check the Pod Identity association and its agent"
_SOURCE = "check the credential_process of the profile, the Pod Identity agent of the node, or the way to STS"
_POD = "container metadata"
_SOURCES = ("CredentialRetrievalError", "MetadataRetrievalError")

_PAIR = "tls.crt and tls.key, as cert-manager writes them (chart: aws.rolesAnywhere.existingSecret)"

SUITABLE_CERTIFICATE = (
    "issue one with the basic constraints CA:FALSE and the key usage digital signature (usages of the Certificate), "
    "signed with SHA-256 or stronger"
)

_PROGRAM = "the credential_process of the profile"

PROCESS_CAUSES = (
    Cause(
        raised=("ProcessStartError",),
        reason=Reason.CONFIGURATION_INVALID,
        what=f"{_PROGRAM} cannot be started ({{own}})",
        fix="put the program into the image or a volume, executable for the container's user, under that path",
    ),
    Cause(
        raised=("ProcessTimeoutError",),
        reason=Reason.CREDENTIALS_TIMEOUT,
        what="the credential source did not answer in time",
        fix="check the credential_process of the profile: it was killed",
    ),
    Cause(
        raised=("ProcessFailedError",),
        reason=Reason.CREDENTIALS_MISSING,
        what=f"{_PROGRAM} failed ({{own}})",
        fix="its standard error says why: run the same command in the container to see all of it",
        shows_words=True,
    ),
    Cause(
        raised=("ProcessOutputError",),
        reason=Reason.CONFIGURATION_INVALID,
        what=f"{_PROGRAM} printed something else than credentials ({{own}})",
        fix="let it print one JSON object with Version 1, AccessKeyId and SecretAccessKey, and nothing else",
    ),
    Cause(
        raised=("ProcessExpiredError",),
        reason=Reason.CREDENTIALS_INVALID,
        what=f"{_PROGRAM} printed credentials that have expired ({{own}})",
        fix="see why it gives old ones, out of a cache for example, and the node's clock",
        actor=Actor.OPERATOR,
    ),
)

CREDENTIAL_CAUSES = (
    *PROCESS_CAUSES,
    Cause(
        raised=("ClientCertificateUnreadableError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="the client certificate or its key cannot be read ({own})",
        fix=f"mount a Secret with {_PAIR}",
    ),
    Cause(
        raised=("ClientCertificateMismatchError",),
        reason=Reason.CREDENTIALS_INVALID,
        what="the client certificate and the key do not belong together ({own})",
        fix=f"give both from one Secret with {_PAIR}",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("ClientCertificateExpiredError",),
        reason=Reason.CREDENTIALS_INVALID,
        what="the client certificate has expired ({own})",
        fix="see why it is not renewed (kubectl describe certificate), and the node's clock",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("ClientCertificateNotYetValidError",),
        reason=Reason.CREDENTIALS_INVALID,
        what="the client certificate is not valid yet ({own})",
        fix="set the node's clock, or that of whoever issues the certificate",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("ClientCertificateUnsuitableError",),
        reason=Reason.CONFIGURATION_INVALID,
        what="IAM Roles Anywhere takes no such client certificate ({own})",
        fix=SUITABLE_CERTIFICATE,
    ),
    Cause(
        raised=("ClientKeyUnsupportedError",),
        reason=Reason.CONFIGURATION_INVALID,
        what="IAM Roles Anywhere takes no signature of the client certificate's key ({own})",
        fix="use an RSA key of 2048 bits or more, or one on the curve P-256 or P-384 (privateKey of the Certificate)",
    ),
    Cause(
        raised=("MetadataProxiedError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="no AWS credentials were found, and the instance metadata service is asked through the proxy",
        fix="add 169.254.169.254, or the host in AWS_EC2_METADATA_SERVICE_ENDPOINT, to NO_PROXY",
    ),
    Cause(
        raised=("MissingKeysError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="no access keys were found ({own})",
        fix=(
            "give the Secret (chart: aws.existingSecret) the key credentials: a line [default], or your profile, "
            "then aws_access_key_id = … and aws_secret_access_key = …"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("MetadataSilentError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="nothing serves credentials in the controller's own pod ({own})",
        fix=(
            "see the log of the container that should (aws_signing_helper serve), and whether it serves there: "
            "AWS_EC2_METADATA_SERVICE_ENDPOINT names the same port"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("NoCredentialsError", "NoAuthTokenError"),
        reason=Reason.CREDENTIALS_MISSING,
        what="no AWS credentials were found",
        fix=(
            "give the controller's ServiceAccount a role (IRSA or EKS Pod Identity) and restart it, or mount "
            "credentials; with allowNodeInstanceRole, the node's metadata service needs a hop limit of 2"
        ),
    ),
    Cause(
        raised=("PartialCredentialsError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="a part of the credentials is missing",
        fix="set the missing part, such as AWS_SECRET_ACCESS_KEY beside AWS_ACCESS_KEY_ID, or role_session_name",
        shows_words=True,
    ),
    Cause(
        raised=("ParamValidationError",),
        words="WebIdentityToken",
        reason=Reason.CREDENTIALS_INVALID,
        what="a parameter is malformed",
        fix=(
            "check that the projected token is not empty: AWS_WEB_IDENTITY_TOKEN_FILE names the file that the kubelet "
            "writes"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("ParamValidationError",),
        words="RoleSessionName",
        reason=Reason.CONFIGURATION_INVALID,
        what="the session name is too short",
        fix="correct AWS_ROLE_SESSION_NAME (or role_session_name): 2 to 64 letters, digits and =,.@_+-",
    ),
    Cause(
        raised=(
            "ParamValidationError",
            "ValidationError",
            "RangeError",
            "UnknownKeyError",
            "UnknownParameterError",
            "AliasConflictParameterError",
        ),
        reason=Reason.CONFIGURATION_INVALID,
        what="a parameter is malformed",
        fix="check the role's ARN (AWS_ROLE_ARN, eks.amazonaws.com/role-arn) and the session's name and tags",
    ),
    Cause(
        raised=("RuntimeError",),
        words="still expired",
        reason=Reason.CREDENTIALS_INVALID,
        what="the credentials had expired when they came",
        fix="set the node's clock if it is ahead; else see why their source gives old ones",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("RefreshWithMFAUnsupportedError", "GetPassWarning", "EOFError"),
        reason=Reason.CONFIGURATION_INVALID,
        what="the profile asks for a code of an MFA device, and nobody is there to give one",
        fix="use a role without mfa_serial",
    ),
    Cause(
        raised=(
            "SSOTokenLoadError",
            "UnauthorizedSSOTokenError",
            "SSOError",
            "TokenRetrievalError",
            "UnknownTokenProviderError",
        ),
        reason=Reason.CREDENTIALS_INVALID,
        what="nobody is logged in to IAM Identity Center for the profile, or the login is over",
        fix="a controller cannot log in: use IRSA or Pod Identity (on a workstation: aws sso login)",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=(
            "LoginError",
            "LoginRefreshRequired",
            "LoginTokenLoadError",
            "LoginAuthorizationCodeError",
            "LoginInsufficientPermissions",
        ),
        reason=Reason.CREDENTIALS_INVALID,
        what="nobody is logged in for the profile, or the login is over",
        fix="a controller cannot log in: use IRSA or Pod Identity (on a workstation: aws login)",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("MissingDependencyException",),
        reason=Reason.CONFIGURATION_INVALID,
        what="the profile or endpoint needs a library that the image does not have",
        fix="use another source of credentials, such as IRSA or Pod Identity",
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words="ReadTimeoutError|ConnectTimeoutError",
        reason=Reason.CREDENTIALS_TIMEOUT,
        what="the credential source did not answer in time",
        fix=_SOURCE,
    ),
    Cause(
        raised=_SOURCES,
        words=r"response 4\d\d from container metadata(.|\n)*(InvalidToken|ExpiredToken|token (is )?expired)",
        reason=Reason.CREDENTIALS_INVALID,
        what="the Pod Identity agent does not accept the pod's token",
        fix="see why the kubelet does not renew it (audience pods.eks.amazonaws.com), and the node's clock",
        actor=Actor.OPERATOR,
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words=r"response 4\d\d from container metadata(.|\n)*(AccessDenied|not authori[sz]ed|not have perm)",
        reason=Reason.ACCESS_DENIED,
        what="the Pod Identity agent may not take the role",
        fix=(
            f"{_AGENT}: the role must trust pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession, and the "
            "node's role must be allowed eks-auth:AssumeRoleForPodIdentity"
        ),
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words=r"response 4\d\d from container metadata(.|\n)*Throttl",
        reason=Reason.THROTTLED,
        what="the Pod Identity agent is throttled by AWS",
        fix="the request is retried",
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words=r"response 4\d\d from container metadata",
        reason=Reason.CREDENTIALS_MISSING,
        what="the Pod Identity agent has no credentials for this ServiceAccount",
        fix=f"{_AGENT}: associate a role with the controller's ServiceAccount in this cluster, then restart the pod",
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words=r"response \d+ from container metadata",
        reason=Reason.SERVICE_ERROR,
        what="the Pod Identity agent fails",
        fix="the request is retried; if it lasts, see the log of the DaemonSet eks-pod-identity-agent",
        shows_words=True,
    ),
    Cause(
        raised=_SOURCES,
        words="parse JSON returned from container metadata",
        reason=Reason.MALFORMED_ANSWER,
        what="what answers at AWS_CONTAINER_CREDENTIALS_FULL_URI is no Pod Identity agent",
        fix="exempt 169.254.170.23 and fd00:ec2::23 from the proxy (NO_PROXY); see the variable",
    ),
    Cause(
        raised=_SOURCES,
        words=_POD,
        reason=Reason.CREDENTIALS_MISSING,
        what="the Pod Identity agent cannot be reached",
        fix=f"{_AGENT}: DaemonSet eks-pod-identity-agent must run on the node, egress to 169.254.170.23:80 be open",
    ),
    Cause(
        raised=_SOURCES,
        reason=Reason.CREDENTIALS_MISSING,
        what="the credential source returned none",
        fix=f"{_AGENT}, or the credential_process or source of the profile",
    ),
)
