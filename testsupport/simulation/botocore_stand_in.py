"""botocore's part of the adapter of AWS, without network and threads: clients of the simulated AWS on virtual time."""

import asyncio
import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar
from unittest import mock

from botocore.config import Config

from pullkeeper.adapters.aws import named_sessions, own_identities, roles_anywhere
from pullkeeper.adapters.aws.calls import Calls, _Call
from pullkeeper.adapters.aws.clients import Clients, CredentialSource, Keys
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from testsupport.simulation.aws import CONTROLLER, CONTROLLER_KEY, CONTROLLER_PRINCIPAL, Aws
from testsupport.simulation.geography import Endpoint
from testsupport.virtual_time import now

_T = TypeVar("_T")
_SESSION = timedelta(hours=1)


class Client:
    """A client of one service in one region."""

    def __init__(self, aws: Aws, endpoint: Endpoint, keys: Keys | None) -> None:
        self._aws = aws
        self._endpoint = endpoint
        self._access_key = keys.access_key_id if keys else ""

    def get_authorization_token(self) -> Mapping[str, Any]:
        """Call ECR or ECR Public."""
        return self._aws.authorize(self._endpoint, self._access_key)

    def get_caller_identity(self) -> Mapping[str, Any]:
        """Call STS."""
        return {"Arn": self._aws.identify(self._endpoint, self._access_key)}

    def assume_role(self, **request: Any) -> Mapping[str, Any]:
        """Call STS as the controller."""
        return self._session("AssumeRole", "controller", request)

    def assume_role_with_web_identity(self, **request: Any) -> Mapping[str, Any]:
        """Call STS with a ServiceAccount's token."""
        payload = json.loads(base64.urlsafe_b64decode(request["WebIdentityToken"].split(".")[1] + "=="))
        uid = payload["kubernetes.io"]["serviceaccount"]["uid"]
        return self._session("AssumeRoleWithWebIdentity", f"{payload['sub']} {uid} {payload['aud'][0]}", request)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _session(self, operation: str, principal: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        key = self._aws.assume_role(self._endpoint, operation, principal, request)
        keys = {"AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": "session"}
        return {"Credentials": {**keys, "Expiration": now() + _SESSION}}


class Session:
    """Credentials of one of the controller's identities: always at hand, and read anew when they have changed."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name
        self._principal = aws.principals[name]

    def is_current(self) -> bool:
        """Return whether the files still say the same."""
        return self._principal == self._aws.principals[self._name]

    def keys(self) -> Keys:
        """Return the keys."""
        access_key = CONTROLLER_KEY if self._principal == CONTROLLER_PRINCIPAL else self._principal
        return Keys(access_key_id=access_key, secret_access_key="secret", principal=self._principal)

    def source(self) -> CredentialSource:
        """Return where they come from."""
        return CredentialSource(method="simulated", principal=self._principal)


@contextmanager
def simulated_botocore(aws: Aws) -> Iterator[None]:
    """Let every adapter of AWS call the simulated one instead, as long as this context lasts."""

    def create(_: Clients, service: str, region: str, keys: Keys | None, config: Config | None = None) -> Client:
        fips, dual_stack = (getattr(config, name, None) for name in ("use_fips_endpoint", "use_dualstack_endpoint"))
        endpoint = Endpoint(service=service, region=region, fips=bool(fips), dual_stack=bool(dual_stack))
        return Client(aws, endpoint, keys)

    def own(*_: object, **__: object) -> Session:
        return Session(aws, CONTROLLER)

    def anywhere(source: RolesAnywhere, *_: object) -> Session:
        return Session(aws, source.role.text)

    def web_identity(role: RoleArn, *_: object) -> Session:
        return Session(aws, role.text)

    def start(calls: Calls, call: Callable[[], _T], state: _Call) -> asyncio.Future[_T]:
        """Make the call at once, and let its result arrive when it would."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        finish = _finisher(call, done)
        seconds = aws.take_seconds()

        def arrive() -> None:
            if state.given_up:
                calls._end_hanging(state.group)  # noqa: SLF001 -- as the thread does
            else:
                finish()

        # Nobody waits for an answer for ever: the kernel gives up after about two minutes.
        loop.call_later(_KERNEL_SECONDS if math.isinf(seconds) else seconds, arrive)
        return done

    with (
        mock.patch.object(Clients, "create", create),
        mock.patch.object(Calls, "_start", start),
        mock.patch.object(own_identities, "ControllerSession", own),
        mock.patch.object(roles_anywhere, "RolesAnywhereSession", anywhere),
        mock.patch.object(named_sessions, "of_web_identity", web_identity),
    ):
        yield


_KERNEL_SECONDS = 130.0


def _finisher(call: Callable[[], _T], done: asyncio.Future[_T]) -> Callable[[], None]:
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 -- raised again in the caller
        failed = error
        return lambda: done.set_exception(failed)
    return lambda: done.set_result(result)
