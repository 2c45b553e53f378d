"""The HTTP control API under /_fake/, for a process that is not the fake's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from testsupport.fake_aws.fake import AwsFake
from testsupport.fake_aws.faults import Fault
from testsupport.fake_aws.oidc import JwksUrl
from testsupport.fake_aws.records import IssuedToken

Body = dict[str, Any]
_SECRET_FIELDS: Final = frozenset({"password", "authorization_token"})
_DURATIONS: Final = frozenset({"ago", "life", "max_session"})


def control_routes(fake: AwsFake) -> list[web.RouteDef]:
    """Give the routes; a body is a JSON object, durations are numbers of seconds."""
    control = _Control(fake)
    return [
        web.get("/_fake/state", control.state),
        web.get("/_fake/calls", control.calls),
        web.get("/_fake/tokens", control.tokens),
        web.get("/_fake/secrets", control.secrets),
        web.get("/_fake/environment", control.environment),
        web.post("/_fake/lifetime", _checked(control.lifetime)),
        web.post("/_fake/faults", _checked(control.add_fault)),
        web.delete("/_fake/faults", control.clear_faults),
        web.delete("/_fake/faults/{id:[0-9]+}", control.clear_fault),
        web.post("/_fake/roles", _checked(control.allow_role)),
        web.post("/_fake/issuers", _checked(control.trust_issuer)),
        web.post("/_fake/network", _checked(control.network)),
        web.post("/_fake/disable-region", _checked(control.disable_region)),
        web.post("/_fake/expire-credentials", _checked(control.expire_credentials)),
        web.post("/_fake/revoke", _checked(control.revoke)),
    ]


def _checked(
    handler: Callable[[Body], Mapping[str, object]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Read the body, and say what is wrong with it instead of answering 500."""

    async def handle(http: web.Request) -> web.Response:
        text = await http.text()
        try:
            body = json.loads(text or "{}", object_hook=_durations)
            return _json(handler(dict(body)))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, status=400)

    return handle


def _durations(body: Body) -> Body:
    return {key: timedelta(seconds=value) if key in _DURATIONS else value for key, value in body.items()}


def _json(body: object, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=lambda value: json.dumps(value, default=_plain))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class _Control:
    def __init__(self, fake: AwsFake) -> None:
        self._fake = fake

    async def state(self, _: web.Request) -> web.Response:
        counts = Counter(f"{call.service}:{call.operation}" for call in self._fake.calls)
        return _json(
            {
                "url": self._fake.url,
                "lifetime_seconds": self._fake.lifetime.total_seconds(),
                "calls": self._fake.count(),
                "calls_by_operation": counts,
                "calls_faulted": self._fake.count(faulted=True),
                "tokens": len(self._fake.tokens),
                "faults": [_fault(each) for each in self._fake.faults],
            }
        )

    async def calls(self, _: web.Request) -> web.Response:
        return _json([asdict(call) for call in self._fake.calls])

    async def tokens(self, _: web.Request) -> web.Response:
        return _json([_without_secrets(token) for token in self._fake.tokens])

    async def secrets(self, _: web.Request) -> web.Response:
        return _json(sorted(self._fake.secrets))

    async def environment(self, http: web.Request) -> web.Response:
        query = http.query
        try:
            return _json(
                self._fake.environment(
                    region=query.get("region", "eu-west-1") or None,
                    role_arn=query.get("role_arn"),
                    web_identity_token_file=query.get("web_identity_token_file"),
                    container_token_file=query.get("container_token_file"),
                    instance_metadata=query.get("instance_metadata") == "true",
                )
            )
        except ValueError as error:
            return _json({"error": str(error)}, status=400)

    def lifetime(self, body: Body) -> Mapping[str, object]:
        self._fake.lifetime = timedelta(seconds=body["seconds"])
        return {"lifetime_seconds": self._fake.lifetime.total_seconds()}

    def add_fault(self, body: Body) -> Mapping[str, object]:
        kind = body.pop("kind")
        setters: dict[str, Callable[..., Fault]] = {
            "deny": self._fake.deny,
            "throttle": self._fake.throttle,
            "fail": self._fake.fail,
            "hang": self._fake.hang,
            "slow": self._fake.slow,
            "drip": self._fake.drip,
            "reset": self._fake.reset,
            "garbage": self._fake.garbage,
            "expired-token": self._fake.answer_expired_token,
            "short-life": self._fake.short_life,
        }
        if kind not in setters:
            raise ValueError(f"no fault {kind!r}, there are {', '.join(setters)}")
        # "garbage" has kinds of its own, which the body calls "garbage".
        options = {("kind" if name == "garbage" else name): value for name, value in body.items()}
        return _fault(setters[kind](**options))

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._fake.clear_faults()
        return _json({"faults": []})

    async def clear_fault(self, http: web.Request) -> web.Response:
        found = self._fake.clear_fault(int(http.match_info["id"]))
        return _json({"faults": [_fault(each) for each in self._fake.faults]}, status=200 if found else 404)

    def allow_role(self, body: Body) -> Mapping[str, object]:
        return {"arn": self._fake.allow_role(**body).arn}

    def trust_issuer(self, body: Body) -> Mapping[str, object]:
        issuer, ca_file = body["issuer"], body.get("ca_file")
        jwks = body["jwks"] if "jwks" in body else JwksUrl(url=body["jwks_url"], ca_file=ca_file)
        self._fake.trust_issuer(issuer, jwks, audiences=body.get("audiences", ("sts.amazonaws.com",)))
        return {"issuer": issuer}

    def network(self, body: Body) -> Mapping[str, object]:
        network = self._fake.network
        ways = {name: getattr(network, name) for name in ("unreachable", "hang", "swallow", "restore")}
        if body["how"] not in ways:
            raise ValueError(f"no way {body['how']!r}, there are {', '.join(ways)}")
        ways[body["how"]](body["hosts"])
        return {"hosts": body["hosts"], "how": body["how"]}

    def disable_region(self, body: Body) -> Mapping[str, object]:
        self._fake.disable_region(body["region"])
        return {"disabled": sorted(self._fake.disabled_regions)}

    def expire_credentials(self, body: Body) -> Mapping[str, object]:
        return {"expired": self._fake.expire_credentials(body.get("principal"))}

    def revoke(self, body: Body) -> Mapping[str, object]:
        serials = {token.serial: token for token in self._fake.tokens}
        self._fake.revoke(serials[body["serial"]] if "serial" in body else body["token"])
        return {"revoked": sum(token.revoked for token in self._fake.tokens)}


def _fault(fault: Fault) -> Mapping[str, object]:
    return {
        "id": fault.id,
        "name": fault.name,
        "times": fault.times,
        "played": fault.played,
        **asdict(fault.scope),
    }


def _without_secrets(token: IssuedToken) -> Mapping[str, object]:
    return {name: value for name, value in asdict(token).items() if name not in _SECRET_FIELDS}
