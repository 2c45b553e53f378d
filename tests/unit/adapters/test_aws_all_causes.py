"""Nothing that botocore can raise, and no error that AWS's models have, is without a cause of its own."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.exceptions
import pytest
from botocore import parsers
from botocore.loaders import create_loader
from botocore.retries import standard

from pullkeeper.domain.errors.aws_codes import AWS_CODES, THROTTLING
from pullkeeper.domain.errors.client_causes import CLIENT_CAUSES

_S3 = "of S3 alone"
_PAGES = "of paginators and waiters, which nothing here uses"
_STUBS = "of the stubber, which only tests use"
_STREAMS = "of event streams, which none of the operations has"
_BUILD = "of a model or a call that this code does not make; its own tests would raise it"
_WARNING = "a warning"
NOT_OURS = {
    "ClientError": "told by its code",
    "EventStreamError": _STREAMS,
    "ImminentRemovalWarning": _WARNING,
    "UnsupportedTLSVersionWarning": _WARNING,
    "InvalidDNSNameError": _S3,
    "InvalidS3AddressingStyleError": _S3,
    "InvalidS3UsEast1RegionalEndpointConfigError": _S3,
    "UnsupportedOutpostResourceError": _S3,
    "UnsupportedS3AccesspointConfigurationError": _S3,
    "UnsupportedS3ArnError": _S3,
    "UnsupportedS3ConfigurationError": _S3,
    "UnsupportedS3ControlArnError": _S3,
    "UnsupportedS3ControlConfigurationError": _S3,
    "OperationNotPageableError": _PAGES,
    "PaginationError": _PAGES,
    "WaiterConfigError": _PAGES,
    "WaiterError": _PAGES,
    "StubAssertionError": _STUBS,
    "StubResponseError": _STUBS,
    "UnStubbedResponseError": _STUBS,
    "InvalidExpressionError": _BUILD,
    "MissingServiceIdError": _BUILD,
    "UndefinedModelAttributeError": _BUILD,
    "UnknownClientMethodError": _BUILD,
    "UnknownEndpointResolutionBuiltInName": _BUILD,
    "UnknownServiceStyle": _BUILD,
    "UnsupportedServiceProtocolsError": _BUILD,
}
"""Exceptions that cannot come out of the calls made here, each with the reason."""

CALLED = {
    "ecr": ("GetAuthorizationToken",),
    "ecr-public": ("GetAuthorizationToken",),
    "sts": ("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"),
    "rolesanywhere": (),  # its one operation, CreateSession, is not in the model; its errors are
    "sso": ("GetRoleCredentials",),
    "sso-oidc": ("CreateToken",),
}
"""Operations that are called, by this code or by botocore's sources of credentials."""
OF_OTHER_OPERATIONS = {
    "ecr": """
        EmptyUploadException ExclusionAlreadyExistsException ExclusionNotFoundException ImageAlreadyExistsException
        ImageArchivedException ImageDigestDoesNotMatchException ImageNotFoundException
        ImageStorageClassUpdateNotSupportedException ImageTagAlreadyExistsException InvalidLayerException
        InvalidLayerPartException InvalidTagParameterException KmsException LayerAlreadyExistsException
        LayerInaccessibleException LayerPartTooSmallException LayersNotFoundException LifecyclePolicyNotFoundException
        LifecyclePolicyPreviewInProgressException LifecyclePolicyPreviewNotFoundException
        PullThroughCacheRuleAlreadyExistsException PullThroughCacheRuleNotFoundException
        ReferencedImagesNotFoundException RegistryPolicyNotFoundException ReplicationBackfillInProgressException
        ReplicationBackfillInvalidStatusException ReplicationBackfillNotFoundException RepositoryAlreadyExistsException
        RepositoryNotEmptyException RepositoryNotFoundException RepositoryPolicyNotFoundException ScanNotFoundException
        SecretNotFoundException SigningConfigurationNotFoundException TemplateAlreadyExistsException
        TemplateNotFoundException UnableToAccessSecretException UnableToDecryptSecretValueException
        UnableToGetUpstreamImageException UnableToGetUpstreamLayerException UnableToListUpstreamImageReferrersException
        UnsupportedImageTypeException UnsupportedUpstreamRegistryException UploadNotFoundException
    """,
    "ecr-public": """
        EmptyUploadException ImageAlreadyExistsException ImageDigestDoesNotMatchException ImageNotFoundException
        ImageTagAlreadyExistsException InvalidLayerException InvalidLayerPartException InvalidTagParameterException
        LayerAlreadyExistsException LayerPartTooSmallException LayersNotFoundException ReferencedImagesNotFoundException
        RegistryNotFoundException RepositoryAlreadyExistsException RepositoryCatalogDataNotFoundException
        RepositoryNotEmptyException RepositoryNotFoundException RepositoryPolicyNotFoundException
        UploadNotFoundException
    """,
    "sts": """
        ExpiredTradeInTokenException InvalidAuthorizationMessageException JWTPayloadSizeExceededException
        OutboundWebIdentityFederationDisabledException SessionDurationEscalationException
    """,
    "sso-oidc": """
        InvalidClientMetadataException InvalidRedirectUriException InvalidRequestRegionException
    """,
}
"""Errors in the models of operations that are not called: writes, scans, replication, device registration."""


def exceptions() -> list[type]:
    """Return every exception class of botocore's."""
    found = [each for each in vars(botocore.exceptions).values() if inspect.isclass(each)]
    return [each for each in found if issubclass(each, Exception) and each.__module__ == botocore.exceptions.__name__]


def model(service: str) -> Mapping[str, Any]:
    """Return the model of a service that botocore has."""
    create: Callable[[], Any] = create_loader  # the library has no types
    found: Mapping[str, Any] = create().load_service_model(service, "service-2")
    return found


def code(name: str, shape: Mapping[str, Any]) -> str:
    """Return the code with which an error of a model comes."""
    return str(shape.get("error", {}).get("code", name))


def errors() -> Iterator[tuple[str, str, str]]:
    """Yield service, shape and code of every error in the models."""
    for service in CALLED:
        for name, shape in model(service)["shapes"].items():
            if shape.get("exception"):
                yield service, name, code(name, shape)


def others(service: str) -> set[str]:
    """Return the errors of operations of a service that are not called."""
    return set(OF_OTHER_OPERATIONS.get(service, "").split())


@pytest.mark.parametrize("name", sorted(each.__name__ for each in exceptions()))
def test_every_exception_of_botocore_has_a_cause_or_cannot_come(name: str) -> None:
    """A new one in a new botocore fails here, and is to be put into one or the other."""
    assert (name in CLIENT_CAUSES.names) is not (name in NOT_OURS)


def test_nothing_is_listed_that_is_gone() -> None:
    """What a new botocore has dropped is dropped here too."""
    assert set(NOT_OURS) <= {each.__name__ for each in exceptions()}
    known = {(service, name) for service, name, _ in errors()}
    assert {(service, name) for service in CALLED for name in others(service)} <= known


@pytest.mark.parametrize(("service", "name", "code"), sorted(errors()))
def test_every_error_of_the_models_has_a_cause_or_is_another_operations(service: str, name: str, code: str) -> None:
    """A new one in a new botocore fails here."""
    assert code in AWS_CODES.names or name in others(service)


@pytest.mark.parametrize(
    ("service", "operation"), [(service, operation) for service, all_of in CALLED.items() for operation in all_of]
)
def test_every_error_of_an_operation_that_is_called_has_a_cause(service: str, operation: str) -> None:
    """Whatever the list above says."""
    found = model(service)
    names = {each["shape"] for each in found["operations"][operation].get("errors", ())}
    assert {code(name, found["shapes"][name]) for name in names} <= AWS_CODES.names


def test_whatever_botocore_takes_for_throttling_is_throttling() -> None:
    """By its own list of codes."""
    codes: list[str] = getattr(standard.ThrottledRetryableChecker, "_THROTTLED_ERROR_CODES")  # noqa: B009 -- private
    assert set(codes) <= set(THROTTLING)
    assert len(codes) > 10


def test_what_botocore_retries_as_transient_needs_nobody() -> None:
    """Its codes of requests that came too late, and its exceptions of the network."""
    codes: list[str] = getattr(standard.TransientRetryableChecker, "_TRANSIENT_ERROR_CODES")  # noqa: B009 -- private
    assert set(codes) <= AWS_CODES.names


def test_answers_that_cannot_be_parsed_have_a_cause() -> None:
    """Botocore's own parsers raise this one, which is no BotoCoreError."""
    assert parsers.ResponseParserError.__name__ in CLIENT_CAUSES.names
