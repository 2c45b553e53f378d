"""The door to ServiceAccounts: their role, and a token that AWS takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.service_account_tokens import ServiceAccountTokens
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.identity import Identity, service_account
from pullkeeper.domain.iam.role_arn import FORM
from pullkeeper.domain.kube.api import Response

ROLE = "arn:aws:iam::123456789012:role/team/puller"
PULLER = service_account("team-a", "puller")
PATH = "/api/v1/namespaces/team-a/serviceaccounts/puller"
TOKEN = "fake-jwt-of-puller"
ROLE_KEY = "eks.amazonaws.com/role-arn"


def account(**annotations: str) -> Response:
    found = {f"eks.amazonaws.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Response(status=200, body={"metadata": {"name": "puller", "annotations": found}})


GRANTED = Response(status=201, body={"status": {"token": TOKEN}})


@dataclass(kw_only=True)
class Connection:
    """Answers `get` and `create` with what a test has laid ready, and remembers what was asked."""

    get: Response = field(default_factory=lambda: account(role_arn=ROLE))
    create: Response = GRANTED
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    async def request(self, verb: str, path: str, *, body: object = None) -> Response:
        self.asked.append((verb, path))
        self.bodies.append(body)
        return self.get if verb == "get" else self.create


def answering(verb: str, answer: Response) -> Connection:
    return Connection(get=answer) if verb == "get" else Connection(create=answer)


async def failure(connection: Connection, identity: Identity = PULLER) -> Failure:
    with pytest.raises(FailureError) as raised:
        await ServiceAccountTokens(connection).web_identity(identity)
    assert TOKEN not in str(raised.value)
    return raised.value.failure


async def test_role_and_token_are_those_of_the_account() -> None:
    """One read tells the role, one TokenRequest gives a token, and nothing else is asked."""
    connection = Connection()
    assert await ServiceAccountTokens(connection).web_identity(PULLER) == (ROLE, TOKEN)
    assert connection.asked == [("get", PATH), ("create", f"{PATH}/token")]


@pytest.mark.parametrize(
    ("annotations", "audience"),
    [({}, "sts.amazonaws.com"), ({"audience": "sts.amazonaws.com.cn"}, "sts.amazonaws.com.cn")],
)
async def test_token_is_short_lived_and_for_the_audience_of_the_account(
    annotations: Mapping[str, str], audience: str
) -> None:
    """The audience is the account's own, else STS; ten minutes are the shortest life that Kubernetes gives."""
    connection = Connection(get=account(role_arn=ROLE, **annotations))
    await ServiceAccountTokens(connection).web_identity(PULLER)
    request = connection.bodies[1]
    assert (request["apiVersion"], request["kind"]) == ("authentication.k8s.io/v1", "TokenRequest")
    assert request["spec"] == {"audiences": [audience], "expirationSeconds": 600}


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (
            Connection(get=Response(status=404, body={})),
            "there is no such ServiceAccount: create it, or name another one",
        ),
        (Connection(create=Response(status=404, body={})), "there is no such ServiceAccount: create it"),
        (Connection(get=account()), f"it names no role: annotate it with {ROLE_KEY}"),
        (Connection(get=Response(status=200, body={"metadata": {}})), f"it names no role: annotate it with {ROLE_KEY}"),
        (Connection(get=Response(status=200, body={"metadata": {"annotations": None}})), "it names no role"),
        (Connection(get=account(role_arn="")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (Connection(get=account(role_arn=f"{ROLE}\n")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (Connection(get=account(role_arn="arn:aws:iam::123456789012:user/x")), "is not a role, which is all"),
        (Connection(get=Response(status=403, body={})), "no right to get on serviceaccounts there: grant it"),
        (
            Connection(create=Response(status=403, body={})),
            "no right to create on serviceaccounts/token there: grant it",
        ),
    ],
)
async def test_what_is_missing_is_said_to_whoever_can_mend_it(connection: Connection, words: str) -> None:
    """An account that is no identity names itself, what it lacks and what to do; it is not tried again soon."""
    found = await failure(connection)
    assert found.reason is Reason.SERVICE_ACCOUNT_UNUSABLE
    assert found.message.startswith(f"{PULLER} cannot be used: ")
    assert words in found.message
    assert found.reason.requires_action


@pytest.mark.parametrize("status", [401, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("verb", ["get", "create"])
async def test_an_api_server_in_trouble_is_tried_again(verb: str, status: int) -> None:
    """What is no verdict on the account is the API server's own trouble, which passes."""
    found = await failure(answering(verb, Response(status=status, body={"message": TOKEN})))
    assert found.reason is Reason.KUBERNETES_UNAVAILABLE
    assert found.message == f"the API server could not {verb} what belongs to {PULLER} (status {status})"
    assert not found.reason.requires_action


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"status": "Success"}, {"status": {}}, {"status": None}])
async def test_answer_that_cannot_be_read_is_a_failure(verb: str, body: Mapping[str, Any]) -> None:
    """Whatever stands between here and the API server, nothing but a failure comes out."""
    found = await failure(answering(verb, Response(status=200, body=body)))
    assert found.reason is Reason.KUBERNETES_UNAVAILABLE
    assert str(PULLER) in found.message


@pytest.mark.parametrize("name", ["../../victim/serviceaccounts/puller", "puller/token", "a?b", "a#b", "a%2fb"])
async def test_names_stay_within_their_part_of_the_path(name: str) -> None:
    """No name leads to another object than the one that it names."""
    connection = Connection()
    await ServiceAccountTokens(connection).web_identity(service_account("team-a", name))
    for _, path in connection.asked:
        rest = path.removeprefix("/api/v1/namespaces/team-a/serviceaccounts/").removesuffix("/token")
        assert not set(rest) & set("/?#")
        assert rest != name


async def test_failure_of_the_connection_is_passed_on() -> None:
    """Where there is no answer at all, the connection's own words stand."""
    silent = FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="no answer"))

    class Silent(Connection):
        async def request(self, verb: str, path: str, *, body: object = None) -> Response:
            await super().request(verb, path, body=body)
            raise silent

    with pytest.raises(FailureError) as raised:
        await ServiceAccountTokens(Silent()).web_identity(PULLER)
    assert raised.value is silent
