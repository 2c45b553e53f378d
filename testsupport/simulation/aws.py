"""The simulated AWS: its endpoints are slow, down, silent or absent, and every issued token is recorded."""

import base64
import math
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam import principal
from testsupport.simulation.faults import Faults
from testsupport.simulation.geography import Answer, Endpoint, Geography
from testsupport.simulation.record import AwsCall, Issued, Record
from testsupport.virtual_time import DAY, HOUR, MINUTE, at_second, elapsed, now, seconds_of

MARK = "a-simulated-password"
"""Prefix of every password; see `needles` for how to find one in a text."""
CONTROLLER_KEY = "the controller"
"""The controller's access key, which stands for its principal."""
CONTROLLER = "controller"
"""Names its identity among those of `Aws.principals`; the others are named by their roles."""
CONTROLLER_PRINCIPAL = "arn:aws:sts::111111111111:assumed-role/controller"
_SHORT_LIFE = "ShortLife"
_LIVES = {
    Reason.TOKEN_EXPIRED.value: (-MINUTE, -1.0),
    _SHORT_LIFE: (20 * MINUTE, 11 * HOUR),
    "WrongClock": (30 * 365 * DAY, 100 * 365 * DAY),
}
"""Faults that issue a token with a lifetime in this range of seconds."""
_CODES = {
    Reason.THROTTLED.value: "ThrottlingException",
    Reason.ACCESS_DENIED.value: "AccessDeniedException",
    Reason.CREDENTIALS_INVALID.value: "ExpiredTokenException",
    Reason.SERVICE_ERROR.value: "ServerException",
}


def needles() -> tuple[str, str]:
    """Return what every token contains, plain and encoded, to find one in a wrong place."""
    encoded = base64.b64encode(f"AWS:{MARK}".encode()).decode()
    return MARK, encoded[:24]


class _Principals(dict[str, str]):
    """The principal of each role, and the controller's own."""

    def __missing__(self, name: str) -> str:
        return CONTROLLER_PRINCIPAL if name == CONTROLLER else principal.of_role(name)


class Aws:
    """Answers requests, or fails as geography, trust and faults say.

    Each answer is computed at once; `take_seconds` tells how long the client waits for it.
    """

    def __init__(self, record: Record, faults: Faults, geography: Geography, rng: random.Random) -> None:
        self._record = record
        self._faults = faults
        self._geography = geography
        self._rng = rng
        self._generations: Counter[str] = Counter()
        self._seconds = 0.0
        self.principals: dict[str, str] = _Principals()
        """Who is behind each of the controller's identities."""
        self.distrusted: set[str] = set()
        """Roles whose trust policy was emptied."""

    def take_seconds(self) -> float:
        """Return how long the requests since the last call of this took; infinity if one is never answered."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def assume_role(self, endpoint: Endpoint, operation: str, caller: str, request: Mapping[str, Any]) -> str:
        """Return the access key of a new session of a role; raise what botocore raises."""
        self._record.sts_calls.append(AwsCall(at=elapsed(), scope=endpoint.region, reason=None, key=caller))
        self._reach(endpoint, operation)
        role = request["RoleArn"]
        if role in self.distrusted or not self._geography.trusts(role, caller.partition(" ")[0]):
            raise refusal(operation, "AccessDenied")
        session = {key: request.get(key) for key in ("RoleSessionName", "ExternalId", "Tags", "SourceIdentity")}
        return f"{role} {session} of {caller}"

    def identify(self, endpoint: Endpoint, access_key: str) -> str:
        """Return the ARN of a caller; raise what botocore raises."""
        self._reach(endpoint, "GetCallerIdentity")
        return (
            f"arn:aws:sts::111111111111:assumed-role/{access_key.split(' ', maxsplit=1)[0].rpartition('/')[2]}/session"
        )

    def authorize(self, endpoint: Endpoint, access_key: str) -> Mapping[str, Any]:
        """Return a new token; raise what botocore raises."""
        key, requested_at = f"{endpoint} {access_key}", now()
        try:
            self._reach(endpoint, "GetAuthorizationToken")
        except (ClientError, EndpointConnectionError, ConnectTimeoutError) as error:
            self._record_call(endpoint, key, type(error).__name__)
            raise
        reason = self._faults.aws_reason(endpoint.region, elapsed() + min(self._seconds, 1.0))
        if reason is not None:
            self._record.happened[f"AWS: {reason}"] += 1
        self._record_call(endpoint, key, reason)
        if reason is not None and reason not in _LIVES:
            raise self._fault(endpoint, reason)
        life = self._rng.uniform(*_LIVES[reason]) if reason else self._faults.life
        if reason == _SHORT_LIFE:
            life = min(life, self._faults.life)  # an answer that promised more would be a lie, of which nobody can know
        return self._issue(endpoint, key, seconds_of(requested_at), life)

    def _reach(self, endpoint: Endpoint, operation: str) -> None:
        """Take the time of a request; return only if the endpoint is there and looks at the request."""
        answer = self._geography.at(endpoint)
        if answer is not Answer.ANSWERS:
            self._record.happened[f"AWS: {answer}"] += 1
        if answer is Answer.SILENT:
            self._seconds = math.inf
            raise ConnectTimeoutError(endpoint_url=f"https://{endpoint}")
        self._seconds += self._rng.uniform(0.05, 0.6)
        if answer is Answer.NO_SUCH_HOST:
            self._seconds += self._rng.uniform(0, 5)
            raise EndpointConnectionError(endpoint_url=f"https://{endpoint}")
        if answer is Answer.NOT_ENABLED:
            is_sts = endpoint.service == "sts"
            raise refusal(operation, "RegionDisabledException" if is_sts else "UnrecognizedClientException")

    def _fault(self, endpoint: Endpoint, reason: str) -> Exception:
        if reason == Reason.NETWORK_UNREACHABLE:
            self._seconds += 9.0
            return EndpointConnectionError(endpoint_url=f"https://{endpoint}")
        if reason == Reason.CREDENTIALS_MISSING:
            return NoCredentialsError()
        return refusal("GetAuthorizationToken", _CODES[reason], f"request {self._rng.getrandbits(32):08x}")

    def _record_call(self, endpoint: Endpoint, key: str, reason: str | None) -> None:
        self._record.aws_calls.append(AwsCall(at=elapsed(), scope=endpoint.label, reason=reason, key=key))

    def _issue(self, endpoint: Endpoint, key: str, issued_at: float, life: float) -> Mapping[str, Any]:
        number = len(self._record.issued)
        auth = base64.b64encode(f"AWS:{MARK}-{number:08d}".encode()).decode()
        issued_at = math.floor(issued_at * 1000) / 1000
        said_to_expire_at = issued_at + round(life, 3)
        # Whatever an answer says, AWS takes no token for longer.
        expires_at = min(said_to_expire_at, issued_at + self._faults.life)
        self._record.issued[auth] = Issued(
            at=elapsed() + self._seconds,
            scope=endpoint.label,
            key=key,
            generation=self._generations[key],
            issued_at=issued_at,
            expires_at=expires_at,
        )
        self._generations[key] += 1
        data = {"authorizationToken": auth, "expiresAt": at_second(said_to_expire_at)}
        return {"authorizationData": data if endpoint.service == "ecr-public" else [data]}


def refusal(operation: str, code: str, message: str = "") -> ClientError:
    """Return an error response of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
