"""Causes in the configuration of the AWS client: files, profiles, variables, regions."""

from pullkeeper.domain.errors.causes import Cause
from pullkeeper.domain.errors.failures import Actor, Reason

_PROFILE = "correct the profile in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE, or unset AWS_PROFILE"

CONFIGURATION_CAUSES = (
    Cause(
        raised=("ConfigParseError",),
        reason=Reason.CONFIGURATION_INVALID,
        what="the AWS configuration file is malformed",
        fix="correct the file that AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE names: sections and key = value",
        shows_words=True,
    ),
    Cause(
        raised=("ConfigNotFound",),
        reason=Reason.CONFIGURATION_INVALID,
        what="an AWS configuration file does not exist",
        fix="mount it, or correct AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
        shows_words=True,
    ),
    Cause(
        raised=("ProfileNotFound",),
        reason=Reason.CONFIGURATION_INVALID,
        what="there is no such profile",
        fix=_PROFILE,
        shows_words=True,
    ),
    Cause(
        raised=("InfiniteLoopConfigError",),
        reason=Reason.CONFIGURATION_INVALID,
        what="profiles name each other as source_profile, in a circle",
        fix="let one of them have credentials of its own (keys, credential_source, web_identity_token_file)",
        shows_words=True,
    ),
    Cause(
        raised=("InvalidConfigError",),
        words="ca bundle",
        reason=Reason.CONFIGURATION_INVALID,
        what="the name of the file of CA certificates is empty",
        fix="unset AWS_CA_BUNDLE (or ca_bundle, REQUESTS_CA_BUNDLE), or name a mounted PEM file",
    ),
    Cause(
        raised=("InvalidConfigError", "UnknownCredentialError", "MissingParametersError"),
        reason=Reason.CONFIGURATION_INVALID,
        what="the AWS configuration is not valid",
        fix=_PROFILE,
        shows_words=True,
    ),
    Cause(
        raised=(
            "InvalidDefaultsMode",
            "InvalidRetryConfigurationError",
            "InvalidRetryModeError",
            "InvalidMaxRetryAttemptsError",
            "InvalidSTSRegionalEndpointsConfigError",
            "InvalidIMDSEndpointModeError",
            "InvalidIMDSEndpointError",
            "InvalidProxiesConfigError",
            "InvalidEndpointConfigurationError",
            "InvalidEndpointDiscoveryConfigurationError",
            "InvalidChecksumConfigError",
            "UnknownSignatureVersionError",
            "UnsupportedSignatureVersionError",
        ),
        reason=Reason.CONFIGURATION_INVALID,
        what="a variable of the AWS client or a value of the profile is not one of those that there are",
        fix="correct the AWS_* variable or the profile's value that botocore names",
        shows_words=True,
    ),
    Cause(
        raised=("OSError",),
        words="PermissionError",
        reason=Reason.CREDENTIALS_MISSING,
        what="the controller's user may not read {file}",
        fix="set securityContext.fsGroup, or the file's mode, so that the container's user may read it",
    ),
    Cause(
        raised=("OSError",),
        reason=Reason.CREDENTIALS_MISSING,
        what="a credentials file cannot be read: {file}",
        fix="check that the ServiceAccount's projected token is mounted, and that the variables name its file",
    ),
    Cause(
        raised=("ValueError",),
        words="invalid endpoint",
        unsent=True,
        reason=Reason.CONFIGURATION_INVALID,
        what="an endpoint is no URL",
        fix="begin AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_STS, _ECR, _ECR_PUBLIC, or endpoint_url) with https://",
    ),
    Cause(
        raised=("ValueError",),
        words="unsupported host",
        unsent=True,
        reason=Reason.CONFIGURATION_INVALID,
        what="AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that hands out no credentials",
        fix="leave it to EKS to set (http://169.254.170.23/v1/credentials), or take a loopback address",
    ),
    Cause(
        raised=("ValueError",),
        words="not a legal header",
        unsent=True,
        reason=Reason.CREDENTIALS_INVALID,
        what="the token for the Pod Identity agent has a line break in it",
        fix="mount the projected token as it is at AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("ValueError",),
        words="no (closing quotation|escaped character)",
        unsent=True,
        reason=Reason.CONFIGURATION_INVALID,
        what="the credential_process of the profile is no command: a quotation mark or a backslash has no counterpart",
        fix="write it as a shell takes it, with quotation marks around what has spaces; no shell runs it",
    ),
    Cause(
        raised=("ValueError",),
        unsent=True,
        reason=Reason.CONFIGURATION_INVALID,
        what="a value in the configuration of the AWS client is malformed",
        fix="correct the AWS_* variables: endpoints, proxies, numbers",
    ),
)

REGION_CAUSES = (
    Cause(
        raised=("InvalidRegionError", "UnknownRegionError", "InvalidHostLabelError"),
        reason=Reason.REGION_INVALID,
        what="there is no such region",
        fix="correct the region: that of the registry's host, or AWS_REGION (chart: aws.region)",
    ),
    Cause(
        raised=("EndpointVariantError", "UnknownFIPSEndpointError"),
        reason=Reason.REGION_INVALID,
        what="the region has no such endpoint (FIPS or dual-stack)",
        fix="use the registry's plain host, or unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT",
    ),
    Cause(
        raised=(
            "EndpointResolutionError",
            "EndpointProviderError",
            "UnknownEndpointError",
            "BaseEndpointResolverError",
            "ServiceNotInRegionError",
            "NoRegionError",
        ),
        reason=Reason.REGION_INVALID,
        what="there is no endpoint for what is asked",
        fix="correct the region, and unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT where it has none",
        shows_words=True,
    ),
    Cause(
        raised=(
            "DataNotFoundError",
            "UnknownServiceError",
            "ApiVersionNotFoundError",
            "MD5UnavailableError",
            "UnseekableStreamError",
        ),
        reason=Reason.CONFIGURATION_INVALID,
        what="the image's botocore cannot do what is asked of it",
        fix="use the released image, without AWS_DATA_PATH; else report it",
    ),
    Cause(
        raised=("BotoCoreError",),
        reason=Reason.SERVICE_ERROR,
        what="the AWS client failed in a way that is not known here",
        fix="the request is retried; if it lasts, report it with the name of the error",
    ),
)
