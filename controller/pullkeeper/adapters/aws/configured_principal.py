"""The principal behind the controller's credentials, as far as botocore's configuration says."""

import os

from botocore.credentials import (
    AssumeRoleProvider,
    AssumeRoleWithWebIdentityProvider,
    BotoProvider,
    ConfigProvider,
    Credentials,
    EnvProvider,
    SharedCredentialProvider,
)
from botocore.session import Session

from pullkeeper.domain.iam import principal

_KEYS = frozenset({EnvProvider.METHOD, SharedCredentialProvider.METHOD, ConfigProvider.METHOD, BotoProvider.METHOD})
"""Sources of keys that stand in the configuration."""


def configured_principal(session: Session, credentials: Credentials) -> str:
    """Return the principal of a session's credentials, UNKNOWN where it is not configured; this makes no call."""
    if credentials.method == AssumeRoleWithWebIdentityProvider.METHOD:
        # botocore prefers the variable, too, unless a profile was named in the code.
        named = session.instance_variables().get("profile") is not None
        return principal.of_role((not named and os.environ.get("AWS_ROLE_ARN")) or _role_of_profile(session))
    if credentials.method == AssumeRoleProvider.METHOD:
        return principal.of_role(_role_of_profile(session))
    # Keys that are renewed or have a session token are others tomorrow, maybe of the same principal.
    is_static = credentials.method in _KEYS and type(credentials) is Credentials and not credentials.token
    return principal.of_access_key(credentials.access_key) if is_static else principal.UNKNOWN


def _role_of_profile(session: Session) -> str:
    return str(session.get_scoped_config().get("role_arn", ""))
