"""Credentials: the controller's own from botocore's credential chain, and those of roles from STS."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import InstanceMetadataProvider
from botocore.exceptions import NoCredentialsError

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.identity import Identity, shortened

CLIENT_CONFIG = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=4
)
_MAX_CHAINED_SECONDS = 3600
"""Role chaining: STS limits a session that is assumed from another role's session to one hour."""
_MAX_CLIENTS = 64
"""A client takes about 0.4 MB."""
_EXPIRY_MARGIN = timedelta(minutes=5)
"""Credentials count as expired this long before they expire."""

RecordRequest = Callable[[str, str, int], None]
"""Records one attempt of a request: service, operation, status code (0: no response). Called from threads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebIdentity:
    """A ServiceAccount's token for AWS, and the role that it assumes."""

    role_arn: str
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _RoleCredentials:
    """A role's temporary credentials, as keyword arguments of boto3."""

    keys: dict[str, str] = field(repr=False)
    expires_at: datetime


class _RoleLock:
    """A lock that is collected together with its last user."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Sessions:
    """All credentials and clients of the process.

    Thread-safe: botocore's clients may be shared between threads, but its sessions need the lock.
    """

    def __init__(
        self,
        *,
        home_region: str | None,
        allow_node_instance_role: bool,
        clock: Callable[[], datetime],
        record_request: RecordRequest = lambda *_: None,
    ) -> None:
        self._home_region = home_region
        self._allow_node_instance_role = allow_node_instance_role
        self._clock = clock
        self._record_request = record_request
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, ...], Any] = {}
        self._role_credentials: dict[Identity, _RoleCredentials] = {}
        self._role_locks: weakref.WeakValueDictionary[Identity, _RoleLock] = weakref.WeakValueDictionary()

    def credential_method(self) -> str:
        """Return botocore's name for the source of the controller's credentials; raise what botocore raises."""
        with self._lock:
            credentials = self._controller_session(self._home_region or "us-east-1").get_credentials()
            return str(credentials.method) if credentials else "none"

    def controller_client(
        self, service: str, region: str, config: Config = CLIENT_CONFIG, variant: str = ""
    ) -> Any:  # botocore's client
        """Return the client of a service with the controller's credentials: one per region and endpoint variant."""
        with self._lock:
            session = self._controller_session(region)
            return self._cached_client(session, (service, region, variant), config)

    def role_client(
        self, identity: Identity, web: WebIdentity | None, service: str, region: str, config: Config = CLIENT_CONFIG
    ) -> Any:  # botocore's client
        """Return a new client of a service with a role's credentials; the caller closes it.

        It is not cached, because thousands of identities would fill the memory.
        """
        role_lock = self._role_lock(identity)
        with role_lock.lock:
            known = self._role_credentials.get(identity)
            if known is None or known.expires_at - _EXPIRY_MARGIN <= self._clock():
                known = self._assume(identity, region, web)
            with self._lock:
                self._sweep()
                self._role_credentials[identity] = known
        with self._lock:
            return _client(self._session_for(region), service, region, config, **known.keys)

    def _role_lock(self, identity: Identity) -> _RoleLock:
        """Return the lock of an identity: its regions, fetched at the same time, share one session."""
        with self._lock:
            return self._role_locks.setdefault(identity, _RoleLock())

    def invalidate(self, identity: Identity) -> None:
        """Drop the credentials of an identity and the controller's own, which they came from."""
        with self._lock:
            self._session = None
            self._clients.clear()
            self._role_credentials.pop(identity, None)

    def _assume(self, identity: Identity, region: str, web: WebIdentity | None) -> _RoleCredentials:
        if web is None:
            response = self.controller_client("sts", region).assume_role(**_role_request(identity))
        else:
            response = self._anonymous_sts(region).assume_role_with_web_identity(
                RoleArn=web.role_arn, RoleSessionName=_session_name(identity), WebIdentityToken=web.token
            )
        keys = response["Credentials"]
        return _RoleCredentials(
            keys={
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            },
            expires_at=keys["Expiration"].astimezone(UTC),
        )

    def _anonymous_sts(self, region: str) -> Any:  # botocore's client
        with self._lock:
            config = CLIENT_CONFIG.merge(Config(signature_version=UNSIGNED))
            return self._cached_client(self._session_for(region), ("sts", region, "anonymous"), config)

    def _controller_session(self, region: str) -> boto3.Session:
        """Return the controller's session; raise FailureError for the node's role, botocore's silent fallback."""
        session = self._session_for(region)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if credentials.method == InstanceMetadataProvider.METHOD and not self._allow_node_instance_role:
            self._session = None
            raise FailureError(_node_role_failure())
        return session

    def _session_for(self, region: str) -> boto3.Session:
        if self._session is None:
            session = botocore.session.Session()
            # The STS client that botocore creates internally for web identity uses only the default configuration.
            session.set_default_client_config(CLIENT_CONFIG)
            session.register("response-received", self._record_response)
            self._session = boto3.Session(botocore_session=session, region_name=self._home_region or region)
        return self._session

    def _record_response(self, **event: Any) -> None:
        """Record one attempt, including botocore's own retries and its calls for credentials."""
        service, operation = event["event_name"].split(".")[1:3]
        response = event["response_dict"]
        self._record_request(service, operation, response["status_code"] if response else 0)

    def _cached_client(self, session: boto3.Session, key: tuple[str, ...], config: Config) -> Any:  # botocore's client
        """Cache the most recently used clients: a region is any text in a registry host, so there may be many."""
        client = self._clients.pop(key, None) or _client(session, key[0], key[1], config)
        self._clients[key] = client
        if len(self._clients) > _MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]
        return client

    def _sweep(self) -> None:
        now = self._clock()
        for identity in [each for each, known in self._role_credentials.items() if known.expires_at <= now]:
            del self._role_credentials[identity]


def _client(session: boto3.Session, service: str, region: str, config: Config, **keys: str) -> Any:  # botocore's client
    create: Callable[..., Any] = session.client
    return create(service, region_name=region, config=config, **keys)


def _role_request(identity: Identity) -> dict[str, Any]:
    session = identity.session
    request: dict[str, Any] = {
        "RoleArn": identity.role_arn,
        "RoleSessionName": _session_name(identity),
        "DurationSeconds": _MAX_CHAINED_SECONDS,
    }
    if session and session.external_id:
        request["ExternalId"] = session.external_id
    if session and session.source_identity:
        request["SourceIdentity"] = session.source_identity
    if session and session.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in session.tags]
    return request


def _session_name(identity: Identity) -> str:
    if identity.session:
        return identity.session.name
    return shortened("-".join(("pullkeeper", *identity.service_account)))


def _node_role_failure() -> Failure:
    message = (
        "the only credentials found are the node's instance role, which every pod of the node could use: give the "
        "controller's ServiceAccount a role (IRSA or EKS Pod Identity), or set allowNodeInstanceRole if this is "
        "intended"
    )
    return Failure(reason=Reason.NODE_ROLE_REFUSED, message=message)
