"""The few requests that starting a plane needs, without a client library or an event loop."""

import json
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

TIMEOUT = 30.0
"""Seconds without an answer that count as none."""


class Probe:
    """A minimal JSON client for one server on 127.0.0.1."""

    def __init__(
        self, *, url: str, ca_file: str | None = None, token: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._url = url
        self._timeout = timeout
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._headers = {"Content-Type": "application/json", **authorization}
        tls = ssl.create_default_context(cafile=ca_file)
        # An empty ProxyHandler: a proxy of the environment has no business on 127.0.0.1.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )

    def found(self, path: str) -> bool:
        """Tell whether a GET of the path answers 200; no answer at all is no."""
        try:
            with self._open(urllib.request.Request(self._url + path, headers=self._headers)) as response:  # noqa: S310 -- an address of this machine
                return bool(response.status == HTTPStatus.OK)
        except OSError:  # refused, reset, timed out, or an HTTP error status
            return False

    def post(self, path: str, body: object) -> dict[str, Any]:
        """POST a JSON body and return the JSON answer; raises OSError."""
        request = urllib.request.Request(  # noqa: S310 -- an address of this machine
            self._url + path, data=json.dumps(body).encode(), headers=self._headers
        )
        with self._open(request) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def _open(self, request: urllib.request.Request) -> Any:
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            error.close()
            raise
