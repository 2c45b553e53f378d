"""Sessions of IAM Roles Anywhere: credentials for a request that the controller's certificate signs.

CreateSession is in none of botocore's models. Its wire form is that of AWS's own credential helper.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, ProxyConnectionError, SSLError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from pullkeeper.adapters.aws import client_certificate
from pullkeeper.adapters.aws.calls import note_request
from pullkeeper.adapters.aws.client_certificate import ClientCertificate
from pullkeeper.adapters.aws.clients import CLIENT_CONFIG, CredentialSource, Keys, RecordRequest
from pullkeeper.adapters.aws.partitions import dns_suffix
from pullkeeper.domain.errors.aws_codes import THROTTLING
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere

_SERVICE, _OPERATION = "rolesanywhere", "CreateSession"
_METHOD = "iam-roles-anywhere"
_SECONDS = 3600
"""Asked for: what roles and profiles allow unless they are changed."""
_RENEWAL = timedelta(minutes=10)
"""A session is replaced this long before its end, as botocore does with those of other sources."""
_ATTEMPTS, _PAUSE = 3, 0.3
_ENDPOINT = "AWS_ENDPOINT_URL_ROLESANYWHERE"


class RolesAnywhereSession:
    """The source of the controller's credentials. It may hang, and is given up as a whole then."""

    def __init__(self, identity: RolesAnywhere, record_request: RecordRequest, clock: Callable[[], datetime]) -> None:
        self._identity = identity
        self._record_request = record_request
        self._clock = clock
        self._keys: Keys | None = None
        self._principal = principal.of_role(identity.role.text)

    def is_current(self) -> bool:
        """Say yes: its files are read at each session anyway."""
        return True

    def source(self) -> CredentialSource:
        """Return the source with its certificate; raise ClientCertificateError. This asks no API of AWS."""
        detail = f" with the certificate {self._certificate().info}"
        return CredentialSource(method=_METHOD, detail=detail, principal=self._principal)

    def keys(self) -> Keys:
        """Return valid keys; raise ClientCertificateError, FailureError or what botocore raises."""
        if self._keys is None or self._keys.expires_at is None or self._clock() >= self._keys.expires_at - _RENEWAL:
            self._keys = replace(self._create_session(self._certificate()), principal=self._principal)
        return self._keys

    def _certificate(self) -> ClientCertificate:
        """Read the files anew: they are replaced in mid-flight."""
        found = client_certificate.read(self._identity.certificate_file, self._identity.key_file)
        found.check_time(self._clock())
        return found

    def _create_session(self, certificate: ClientCertificate) -> Keys:
        configuration = botocore.session.Session()
        http = _http(configuration, url := _url(self._identity, configuration))
        try:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(_PAUSE * 2**attempt)
                try:
                    return self._ask(http, url, certificate)
                except (ClientError, HTTPClientError, NoConnectionError) as error:
                    if attempt + 1 == _ATTEMPTS or not _is_transient(error):
                        raise
        finally:
            http.close()
        raise AssertionError

    def _ask(self, http: URLLib3Session, url: str, certificate: ClientCertificate) -> Keys:
        body = json.dumps({"durationSeconds": _SECONDS}).encode()
        headers = signed_headers(certificate, url, body, region=self._identity.region, now=self._clock())
        note_request(_SERVICE, url)
        status = 0
        try:
            response: Any = http.send(AWSRequest(method="POST", url=url, data=body, headers=headers).prepare())
            status = response.status_code
        finally:
            self._record_request(_SERVICE, _OPERATION, status)
        if status not in {200, 201}:
            raise ClientError(_error(response.headers, response.content, status), _OPERATION)
        return _parse(response.content, self._identity)


def signed_headers(
    certificate: ClientCertificate, url: str, body: bytes, *, region: str, now: datetime
) -> dict[str, str]:
    """Return the headers of a POST, its signature included. The URL's query must be sorted and percent-encoded."""
    parts, moment = urlsplit(url), f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    headers = {"content-type": "application/json", "host": parts.netloc, "x-amz-date": moment}
    headers["x-amz-x509"] = certificate.encoded
    if certificate.chain:
        headers["x-amz-x509-chain"] = certificate.chain
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(("POST", parts.path, parts.query, lines, names, hashlib.sha256(body).hexdigest()))
    scope = f"{moment[:8]}/{region}/{_SERVICE}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = certificate.sign(f"{certificate.algorithm}\n{moment}\n{scope}\n{digest}".encode())
    credential = f"Credential={certificate.serial}/{scope}"
    headers["authorization"] = f"{certificate.algorithm} {credential}, SignedHeaders={names}, Signature={signature}"
    del headers["host"]  # the connection sends it
    return headers


def _url(identity: RolesAnywhere, configuration: botocore.session.Session) -> str:
    named = {"profileArn": identity.profile, "roleArn": identity.role.text, "trustAnchorArn": identity.trust_anchor}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in named.items())
    return f"{_endpoint(identity, configuration)}/sessions?{query}"


def _endpoint(identity: RolesAnywhere, configuration: botocore.session.Session) -> str:
    if given := os.environ.get(_ENDPOINT):
        return given.rstrip("/")
    fips = "-fips" if configuration.get_config_variable("use_fips_endpoint") else ""
    dual_stack = bool(configuration.get_config_variable("use_dualstack_endpoint"))
    return f"https://{_SERVICE}{fips}.{identity.region}.{dns_suffix(identity.role.partition, dual_stack=dual_stack)}"


def _http(configuration: botocore.session.Session, url: str) -> URLLib3Session:
    """Return what botocore's own clients send with: the same CAs, proxies and timeouts."""
    find_proxies: Callable[[str], Any] = get_environ_proxies  # the library has no types
    config: Any = CLIENT_CONFIG
    ca_file: Any = configuration.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    timeout: Any = (config.connect_timeout, config.read_timeout)
    return URLLib3Session(verify=ca_file, proxies=find_proxies(url), timeout=timeout)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status >= 500 or error.response["Error"]["Code"] in THROTTLING  # noqa: PLR2004 -- HTTP
    return not isinstance(error, SSLError | ProxyConnectionError)


def _error(headers: Mapping[str, str], content: bytes, status: int) -> Any:
    """Return an error in the form that botocore gives to those of its clients."""
    found = _document(content)
    code = headers.get("x-amzn-errortype") or found.get("__type") or found.get("code") or "Unknown"
    message = found.get("message") or found.get("Message") or ""
    return {
        "Error": {"Code": str(code).partition(":")[0].rpartition("#")[2], "Message": str(message)},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parse(content: bytes, identity: RolesAnywhere) -> Keys:
    try:
        found = _document(content)["credentialSet"][0]["credentials"]
        expires_at = datetime.fromisoformat(found["expiration"])
        texts = [found[name] for name in ("accessKeyId", "secretAccessKey", "sessionToken")]
        if expires_at.tzinfo is None or not all(isinstance(text, str) and text for text in texts):
            raise ValueError  # noqa: TRY301 -- one way out for everything that is not as it should be
    except (KeyError, IndexError, TypeError, ValueError):
        message = f"IAM Roles Anywhere in {identity.region} returned no credentials: check proxies on the way to AWS"
        raise FailureError(Failure(reason=Reason.MALFORMED_ANSWER, message=message)) from None
    return Keys(
        access_key_id=texts[0],
        secret_access_key=texts[1],
        session_token=texts[2],
        expires_at=expires_at.astimezone(UTC),
    )
