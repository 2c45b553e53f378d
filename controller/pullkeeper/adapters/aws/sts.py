"""Credentials: the controller's own, by botocore's chain, and those of a role, by STS."""

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

QUICK = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=4
)
_LONGEST_CHAINED = 3600
"""Seconds: a role that is assumed from a role's session may be had for an hour at most."""
_MOST_CLIENTS = 64
"""A client weighs about 0.4 MB."""
_SPARE = timedelta(minutes=5)
"""Credentials are taken for spent so long before their end."""

Observe = Callable[[str, str, int], None]
"""Counts a try of a request: service, operation, status code (0: no answer); called from threads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebIdentity:
    """A ServiceAccount's token for AWS, and the role that it is for."""

    role_arn: str
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Assumed:
    """A role's temporary credentials, as boto3 takes them."""

    keys: dict[str, str] = field(repr=False)
    expires_at: datetime


class _Turn:
    """A lock that is gone with its last user."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Sessions:
    """All credentials of the process. It is used from threads: botocore's sessions are not safe there, clients are."""

    def __init__(
        self,
        *,
        home_region: str | None,
        allow_node_instance_role: bool,
        clock: Callable[[], datetime],
        observe: Observe = lambda *_: None,
    ) -> None:
        self._home_region = home_region
        self._allow_node_role = allow_node_instance_role
        self._clock = clock
        self._observe = observe
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, ...], Any] = {}
        self._assumed: dict[Identity, _Assumed] = {}
        self._turns: weakref.WeakValueDictionary[Identity, _Turn] = weakref.WeakValueDictionary()

    def method(self) -> str:
        """Tell by which of botocore's ways the controller's own credentials are had; raises what botocore raises."""
        with self._lock:
            credentials = self._own(self._home_region or "us-east-1").get_credentials()
            return str(credentials.method) if credentials else "none"

    def own(self, service: str, region: str, config: Config = QUICK, variant: str = "") -> Any:  # botocore's client
        """Give the client of a service as the controller itself: one for each region and kind of endpoint."""
        with self._lock:
            session = self._own(region)
            return self._kept(session, (service, region, variant), config)

    def assumed(
        self, identity: Identity, web: WebIdentity | None, service: str, region: str, config: Config = QUICK
    ) -> Any:  # botocore's client
        """Make a client of a service as a role; not kept, for thousands of them would fill the memory."""
        turn = self._turn(identity)
        with turn.lock:
            known = self._assumed.get(identity)
            if known is None or known.expires_at - _SPARE <= self._clock():
                known = self._assume(identity, region, web)
            with self._lock:
                self._sweep()
                self._assumed[identity] = known
        with self._lock:
            return _client(self._plain(region), service, region, config, **known.keys)

    def _turn(self, identity: Identity) -> _Turn:
        """Give the lock of an identity: its regions, asked at the same moment, share one session."""
        with self._lock:
            return self._turns.setdefault(identity, _Turn())

    def forget(self, identity: Identity) -> None:
        """Drop the credentials of an identity, and its own that they were had by: the next call fetches new ones."""
        with self._lock:
            self._session = None
            self._clients.clear()
            self._assumed.pop(identity, None)

    def _assume(self, identity: Identity, region: str, web: WebIdentity | None) -> _Assumed:
        if web is None:
            answer = self.own("sts", region).assume_role(**_role_request(identity))
        else:
            answer = self._anonymous_sts(region).assume_role_with_web_identity(
                RoleArn=web.role_arn, RoleSessionName=_session_name(identity), WebIdentityToken=web.token
            )
        keys = answer["Credentials"]
        return _Assumed(
            keys={
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            },
            expires_at=keys["Expiration"].astimezone(UTC),
        )

    def _anonymous_sts(self, region: str) -> Any:  # botocore's client
        with self._lock:
            config = QUICK.merge(Config(signature_version=UNSIGNED))
            return self._kept(self._plain(region), ("sts", region, "anonymous"), config)

    def _own(self, region: str) -> boto3.Session:
        """Give the controller's session, or refuse: botocore falls back to the node's role in silence."""
        session = self._plain(region)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if credentials.method == InstanceMetadataProvider.METHOD and not self._allow_node_role:
            self._session = None
            raise FailureError(_node_role())
        return session

    def _plain(self, region: str) -> boto3.Session:
        if self._session is None:
            session = botocore.session.Session()
            # The STS client that botocore nests for web identity takes this one, and no other client's configuration.
            session.set_default_client_config(QUICK)
            session.register("response-received", self._count)
            self._session = boto3.Session(botocore_session=session, region_name=self._home_region or region)
        return self._session

    def _count(self, **event: Any) -> None:
        """Count one try, botocore's own repetitions and the calls for its credentials included."""
        service, operation = event["event_name"].split(".")[1:3]
        answer = event["response_dict"]
        self._observe(service, operation, answer["status_code"] if answer else 0)

    def _kept(self, session: boto3.Session, key: tuple[str, ...], config: Config) -> Any:  # botocore's client
        """Keep the clients of the regions used last: a region is any text that somebody wrote into a host."""
        client = self._clients.pop(key, None) or _client(session, key[0], key[1], config)
        self._clients[key] = client
        if len(self._clients) > _MOST_CLIENTS:
            del self._clients[next(iter(self._clients))]
        return client

    def _sweep(self) -> None:
        now = self._clock()
        for identity in [each for each, known in self._assumed.items() if known.expires_at <= now]:
            del self._assumed[identity]


def _client(session: boto3.Session, service: str, region: str, config: Config, **keys: str) -> Any:  # botocore's client
    make: Callable[..., Any] = session.client
    return make(service, region_name=region, config=config, **keys)


def _role_request(identity: Identity) -> dict[str, Any]:
    session = identity.session
    request: dict[str, Any] = {
        "RoleArn": identity.role_arn,
        "RoleSessionName": _session_name(identity),
        "DurationSeconds": _LONGEST_CHAINED,
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


def _node_role() -> Failure:
    message = (
        "only the node's own role was found, and every pod of the node could use that: give the controller's "
        "ServiceAccount a role (IRSA or EKS Pod Identity), or set allowNodeInstanceRole if this is meant"
    )
    return Failure(reason=Reason.NODE_ROLE_REFUSED, message=message)
