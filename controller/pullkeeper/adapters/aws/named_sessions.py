"""Sessions of the controller's named identities: each has one source, and nothing of the environment beside it."""

from collections.abc import Callable
from typing import Any

from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    BotoProvider,
    ContainerProvider,
    InstanceMetadataProvider,
    OriginalEC2Provider,
    SharedCredentialProvider,
)
from botocore.session import Session

from pullkeeper.adapters.aws.clients import ControllerSession, RecordRequest
from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.role_arn import RoleArn

_SECTION, _SESSION_NAME = "default", "pullkeeper"
_NOT_OF_A_PROFILE = frozenset(
    provider.METHOD for provider in (OriginalEC2Provider, BotoProvider, ContainerProvider, InstanceMetadataProvider)
)
"""Where botocore looks on when a profile has no credentials: those would be of somebody else."""


def of_web_identity(role: RoleArn, token_file: str, region: str, record_request: RecordRequest) -> ControllerSession:
    """Return the session of a role that is assumed with a token."""
    profile = {"role_arn": role.text, "web_identity_token_file": token_file, "role_session_name": _SESSION_NAME}

    def prepare(session: Session) -> None:
        def create_client(service: Any, **options: Any) -> Any:  # a client
            return session.create_client(service, region_name=region, **options)

        provider = AssumeRoleWithWebIdentityProvider(
            load_config=lambda: {"profiles": {_SECTION: profile}},
            client_creator=create_client,
            profile_name=_SECTION,
            disable_env_vars=True,
        )
        _providers(session)[:] = [provider]

    return ControllerSession(
        region,
        record_request,
        allow_node_instance_role=False,
        prepare=prepare,
        principal=principal.of_role(role.text),
    )


def of_profile(name: str, region: str, record_request: RecordRequest) -> ControllerSession:
    """Return the session of a profile."""

    def prepare(session: Session) -> None:
        providers = _providers(session)
        providers[:] = [each for each in providers if each.METHOD not in _NOT_OF_A_PROFILE]

    return ControllerSession(region, record_request, allow_node_instance_role=False, profile=name, prepare=prepare)


def of_keys_file(path: str, region: str, record_request: RecordRequest) -> ControllerSession:
    """Return the session of the keys in a file, which is read anew when it has changed."""

    def prepare(session: Session) -> None:
        # `is_current` looks at it.
        session.set_config_variable("credentials_file", path)
        _providers(session)[:] = [SharedCredentialProvider(path, _SECTION)]

    return ControllerSession(region, record_request, allow_node_instance_role=False, prepare=prepare)


def _providers(session: Session) -> list[Any]:
    """Return the sources of a session, in their order: the list itself, so that changes to it count."""
    find: Callable[[str], Any] = session.get_component  # the library has no types
    providers: list[Any] = find("credential_provider").providers
    return providers
