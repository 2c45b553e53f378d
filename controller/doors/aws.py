"""AWS: authorization tokens from ECR and ECR Public, as the controller's own identity."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import InstanceMetadataProvider
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidRegionError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from controller.core.aws_errors import explain, is_stale_credential
from controller.core.credential import Password, Token, is_authorization
from controller.core.identity import TokenScope
from controller.core.reasons import Failure, FailureError, Reason

logger = logging.getLogger(__name__)

_QUICK = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=4,
)
_AT_ONCE = 8
"""Calls under way at the same time, in threads of their own."""
_PAUSE = 0.2
"""Seconds between two calls to one region: a quarter of the lowest rate that AWS publishes (20 a second)."""

_T = TypeVar("_T")


class Meters(Protocol):
    """Whoever counts the calls."""

    def token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """A token was asked for."""

    def token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """A token was had."""


class Ecr:
    """Fetches tokens through botocore's credential chain; one session serves the whole process."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        allow_node_role: bool,
        clock: Callable[[], datetime],
        meters: Meters,
    ) -> None:
        self._home_region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        self._principal = environment.get("AWS_ROLE_ARN", "the controller's own identity")
        self._allow_node_role = allow_node_role
        self._clock = clock
        self._meters = meters
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._free_at: dict[str, float] = {}

    async def fetch(self, scope: TokenScope) -> Token:
        """Fetch a new token; raises FailureError with its reason."""
        loop = asyncio.get_running_loop()
        async with self._slots:
            await self._pace(scope.region)
            started, reason = loop.time(), None
            try:
                token = await _in_thread(lambda: self._fetch(scope))
            except FailureError as error:
                reason = error.failure.reason.value
                raise
            finally:
                self._meters.token_request(scope, loop.time() - started, reason)
        self._meters.token(scope, token.issued_at, token.expires_at)
        logger.info("new token for %s in %s, good until %s", scope.identity, scope.label, f"{token.expires_at:%FT%TZ}")
        return token

    async def _pace(self, region: str) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at.get(region, now))
        self._free_at[region] = turn + _PAUSE
        await asyncio.sleep(turn - now)

    def _fetch(self, scope: TokenScope) -> Token:
        try:
            try:
                return self._ask(scope)
            except ClientError as error:
                if not is_stale_credential(_code(error)):
                    raise
                self._forget_credentials()
                return self._ask(scope)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a library raises becomes a reason, and shows no content
            raise FailureError(self._explain(scope, error)) from None

    def _ask(self, scope: TokenScope) -> Token:
        client = self._client("ecr-public" if scope.public else "ecr", scope.region)
        issued_at = self._clock()
        return _token(scope, client.get_authorization_token(), issued_at)

    def _client(self, service: str, region: str) -> Any:  # botocore makes its clients at run time
        with self._lock:
            if self._session is None:
                self._session = _new_session(self._home_region or region)
            self._check_credentials(self._session)
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(  # type: ignore[call-overload] # a name, not a literal
                    service, region_name=region, config=_QUICK
                )
            return self._clients[service, region]

    def _check_credentials(self, session: boto3.Session) -> None:
        """Refuse the node's role, which botocore falls back to in silence; must come before the first client."""
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if credentials.method == InstanceMetadataProvider.METHOD and not self._allow_node_role:
            self._session = None
            message = (
                "only the node's own role was found, and every pod of the node could use that: give the controller's "
                "ServiceAccount a role (IRSA or EKS Pod Identity), or set allowNodeRole if this is meant"
            )
            raise FailureError(Failure(reason=Reason.NODE_ROLE_REFUSED, message=message))

    def _forget_credentials(self) -> None:
        with self._lock:
            self._session = None
            self._clients.clear()

    def _explain(self, scope: TokenScope, error: Exception) -> Failure:
        if isinstance(error, ClientError):
            said = error.response.get("Error", {}).get("Message", "")
            return explain(scope, self._principal, error.operation_name, _code(error), said)
        where = f"asking ECR in {scope.region} for a token"
        for kinds, reason, advice in _LIBRARY_ERRORS:
            if isinstance(error, kinds):
                return Failure(reason=reason, message=f"{where}: {type(error).__name__}: {advice}")
        message = f"{where}: {type(error).__name__}: the answer could not be read; check proxies between here and AWS"
        return Failure(reason=Reason.MALFORMED_ANSWER, message=message)


_NO_CREDENTIALS = (
    "no AWS credentials were found: give the controller's ServiceAccount a role (IRSA or EKS Pod Identity), "
    "or mount credentials"
)
_NO_ANSWER = "it does not answer: check DNS, egress (NetworkPolicy, proxy, VPC endpoint) and the region's name"
_NOT_GIVEN = (
    "the source of its credentials gave none: check the Pod Identity association and its agent, "
    "or the credential_process of the profile"
)
_NO_FILE = "a file with credentials cannot be read: check that the ServiceAccount's projected token is mounted"

_LIBRARY_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError, ProfileNotFound), Reason.CREDENTIALS_MISSING, _NO_CREDENTIALS),
    ((CredentialRetrievalError, MetadataRetrievalError), Reason.CREDENTIALS_MISSING, _NOT_GIVEN),
    (InvalidRegionError, Reason.REGION_INVALID, "there is no such region"),
    ((HTTPClientError, NoConnectionError), Reason.NETWORK_UNREACHABLE, _NO_ANSWER),
    (OSError, Reason.CREDENTIALS_MISSING, _NO_FILE),
    (BotoCoreError, Reason.SERVICE_ERROR, "it is tried again"),
)


def _new_session(region: str) -> boto3.Session:
    session = botocore.session.Session()
    # The STS client that botocore nests for web identity takes this one, and no other client's configuration.
    session.set_default_client_config(_QUICK)
    return boto3.Session(botocore_session=session, region_name=region)


def _token(scope: TokenScope, answer: Mapping[str, Any], issued_at: datetime) -> Token:
    try:
        data = answer["authorizationData"]
        data = data if scope.public else data[0]
        auth, expires_at = data["authorizationToken"], data["expiresAt"].astimezone(UTC)
        sound = is_authorization(auth)
    except (KeyError, IndexError, TypeError, AttributeError):
        sound, auth, expires_at = False, "", issued_at
    if not sound:
        message = f"ECR in {scope.region} answered with no token that can be read; check proxies between here and AWS"
        raise FailureError(Failure(reason=Reason.MALFORMED_ANSWER, message=message))
    return Token(auth=Password(auth), issued_at=_whole_ms(issued_at), expires_at=_whole_ms(expires_at))


def _whole_ms(moment: datetime) -> datetime:
    """Cut to what the Secret's annotations can say, so that what is read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


async def _in_thread(call: Callable[[], _T]) -> _T:
    """Run a blocking call in a daemon thread: one that hangs must not hold up the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # no error: the result is there

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as caught:  # noqa: BLE001 -- carried over to whoever waits
            error = caught
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True, name="aws").start()
    return await done
