"""Credentials: the static keys of users and the temporary ones of role sessions."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from testsupport.fake_aws.arns import account_of, partition_of, principal_of_user
from testsupport.fake_aws.endpoints import Endpoint
from testsupport.fake_aws.errors import expired_credentials, missing_credentials, unknown_credentials
from testsupport.fake_aws.records import Principal, Session
from testsupport.fake_aws.requests import Signature

SECRET_MARKER: Final = "PULLKEEPER-FAKE-SECRET"
SESSION_MARKER: Final = "PULLKEEPER-FAKE-SESSION"
_KEY_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _random_id(prefix: str) -> str:
    return prefix + "".join(randomness.choice(_KEY_ALPHABET) for _ in range(16))


def _secret_key() -> str:
    # As long as AWS' own, 40 characters, with the marker at its head.
    return f"{SECRET_MARKER}{randomness.token_urlsafe(32)}"[:40]


class SessionStore:
    """Every set of credentials that was handed out, by access key id."""

    def __init__(self, clock: Callable[[], datetime], secrets: set[str]) -> None:
        self._clock = clock
        self._secrets = secrets
        self._sessions: dict[str, Session] = {}

    def add_user(self, arn: str) -> Session:
        """Give an IAM user a pair of static keys."""
        return self._keep(
            Session(
                principal=principal_of_user(arn, _random_id("AIDA")),
                access_key_id=_random_id("AKIA"),
                secret_access_key=_secret_key(),
            )
        )

    def open(self, role_arn: str, role_id: str, session_name: str, life: timedelta) -> Session:
        """Start a session of a role."""
        account = account_of(role_arn)
        partition, name = partition_of(role_arn), role_arn.rsplit("/", 1)[-1]
        principal = Principal(
            arn=f"arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}",
            account=account,
            user_id=f"{role_id}:{session_name}",
            role_arn=role_arn,
        )
        return self._keep(
            Session(
                principal=principal,
                access_key_id=_random_id("ASIA"),
                secret_access_key=_secret_key(),
                session_token=f"{SESSION_MARKER}{randomness.token_urlsafe(400)}",
                expires_at=self._clock() + life,
            )
        )

    def holder(self, signature: Signature | None) -> Principal | None:
        """Whose access key this is, whether or not it is still good."""
        session = self._sessions.get(signature.access_key_id) if signature else None
        return session.principal if session else None

    def authenticate(self, endpoint: Endpoint, signature: Signature | None) -> Session:
        """Give the live session behind a signature; raises AwsError in the terms of the service."""
        if signature is None:
            raise missing_credentials(endpoint.service)
        signature.check_scope(endpoint)
        session = self._sessions.get(signature.access_key_id)
        if session is None or session.session_token != signature.session_token:
            raise unknown_credentials(endpoint.service)
        if partition_of(session.principal.arn) != endpoint.partition:
            # Each partition has accounts and keys of its own, and has never heard of the others'.
            raise unknown_credentials(endpoint.service)
        if session.expires_at is not None and session.expires_at <= self._clock():
            raise expired_credentials(endpoint.service)
        return session

    def expire(self, matches: Callable[[Principal], bool]) -> int:
        """End the temporary sessions of the matching principals now; says how many."""
        now = self._clock()
        ended = [
            session
            for session in list(self._sessions.values())
            if session.expires_at is not None and session.expires_at > now and matches(session.principal)
        ]
        for session in ended:
            self._sessions[session.access_key_id] = replace(session, expires_at=now)
        return len(ended)

    def forget(self, identity: str) -> None:
        """Make the credentials of a deleted user or role unknown."""
        self._sessions = {
            key: session for key, session in self._sessions.items() if session.principal.identity != identity
        }

    def _keep(self, session: Session) -> Session:
        self._sessions[session.access_key_id] = session
        self._secrets.add(session.secret_access_key)
        if session.session_token is not None:
            self._secrets.add(session.session_token)
        return session
