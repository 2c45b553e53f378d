"""The door to ServiceAccounts: their role, and a token that AWS takes."""

from collections.abc import Mapping
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountTokens
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.identity import Identity, service_account
from pullkeeper.domain.iam.role_arn import FORM
from pullkeeper.domain.kube.api import Response
from testsupport.fake_client import AWAY, FakeClient

ROLE = "arn:aws:iam::123456789012:role/team/puller"
PULLER = service_account("team-a", "puller")
PATH = "/api/v1/namespaces/team-a/serviceaccounts/puller"
VERBS = {"get": "get", "create": "create a token of"}
TOKEN = "fake-jwt-of-puller"
ROLE_KEY = "eks.amazonaws.com/role-arn"


def account(**annotations: str) -> Response:
    found = {f"eks.amazonaws.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Response(status=200, body={"metadata": {"name": "puller", "annotations": found}})


GRANTED = Response(status=201, body={"status": {"token": TOKEN}})


def client(get: Response | None = None, create: Response = GRANTED) -> FakeClient:
    """Respond to the read of the ServiceAccount and to the request of a token."""
    return FakeClient(respond=lambda request: (get or account(role_arn=ROLE)) if request.verb == "get" else create)


async def failure(kube: FakeClient, identity: Identity = PULLER) -> Failure:
    with pytest.raises(FailureError) as raised:
        await ServiceAccountTokens(kube).web_identity(identity)
    assert TOKEN not in str(raised.value)
    return raised.value.failure


async def test_role_and_token_are_those_of_the_account() -> None:
    """One read tells the role, one TokenRequest gives a token, and nothing else is asked."""
    kube = client()
    assert await ServiceAccountTokens(kube).web_identity(PULLER) == (ROLE, TOKEN)
    assert [(request.verb, request.path) for request in kube.requests] == [("get", PATH), ("create", f"{PATH}/token")]


@pytest.mark.parametrize(
    ("annotations", "audience"),
    [({}, "sts.amazonaws.com"), ({"audience": "sts.amazonaws.com.cn"}, "sts.amazonaws.com.cn")],
)
async def test_token_is_short_lived_and_for_the_audience_of_the_account(
    annotations: Mapping[str, str], audience: str
) -> None:
    """The audience is the account's own, else STS; ten minutes are the shortest life that Kubernetes gives."""
    kube = client(get=account(role_arn=ROLE, **annotations))
    await ServiceAccountTokens(kube).web_identity(PULLER)
    request = kube.requests[1].body
    assert (request["apiVersion"], request["kind"]) == ("authentication.k8s.io/v1", "TokenRequest")
    assert request["spec"] == {"audiences": [audience], "expirationSeconds": 600}


@pytest.mark.parametrize(
    ("kube", "words"),
    [
        (
            client(get=Response(status=404, body={})),
            "the ServiceAccount does not exist: create it, or name another one",
        ),
        (client(create=Response(status=404, body={})), "the ServiceAccount does not exist: create it"),
        (client(get=account()), f"it has no role: annotate it with {ROLE_KEY}"),
        (client(get=Response(status=200, body={"metadata": {}})), f"it has no role: annotate it with {ROLE_KEY}"),
        (client(get=Response(status=200, body={"metadata": {"annotations": None}})), "it has no role"),
        (client(get=account(role_arn="")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (client(get=account(role_arn=f"{ROLE}\n")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (client(get=account(role_arn="arn:aws:iam::123456789012:user/x")), "is not a role, which is all"),
        (
            client(get=Response(status=403, body={})),
            f"refused to get {PULLER} (403): grant the controller get on serviceaccounts there",
        ),
        (
            client(create=Response(status=403, body={})),
            "(403): grant the controller create on serviceaccounts/token there",
        ),
    ],
)
async def test_what_is_missing_is_said_to_whoever_can_mend_it(kube: FakeClient, words: str) -> None:
    """An account that is no identity names itself, what it lacks and what to do; it is not tried again soon."""
    found = await failure(kube)
    assert found.reason is Reason.SERVICE_ACCOUNT_UNUSABLE
    assert found.message.startswith(f"{PULLER} cannot be used: ")
    assert words in found.message
    assert found.reason.requires_action


@pytest.mark.parametrize("status", [401, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("verb", ["get", "create"])
async def test_an_api_server_in_trouble_is_tried_again(verb: str, status: int) -> None:
    """What is no verdict on the account is the API server's own trouble, which passes."""
    found = await failure(client(**{verb: Response(status=status, body={"message": TOKEN})}))
    assert found.reason is Reason.KUBERNETES_UNAVAILABLE
    assert found.message == f"the API server could not {VERBS[verb]} {PULLER} (status {status})"
    assert not found.reason.requires_action


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"status": "Success"}, {"status": {}}, {"status": None}])
async def test_answer_that_cannot_be_read_is_a_failure(verb: str, body: Mapping[str, Any]) -> None:
    """Whatever stands between here and the API server, nothing but a failure comes out."""
    found = await failure(client(**{verb: Response(status=200, body=body)}))
    assert found.reason is Reason.KUBERNETES_UNAVAILABLE
    assert str(PULLER) in found.message


@pytest.mark.parametrize("name", ["../../victim/serviceaccounts/puller", "puller/token", "a?b", "a#b", "a%2fb"])
async def test_names_stay_within_their_part_of_the_path(name: str) -> None:
    """No name leads to another object than the one that it names."""
    kube = client()
    await ServiceAccountTokens(kube).web_identity(service_account("team-a", name))
    for request in kube.requests:
        rest = request.path.removeprefix("/api/v1/namespaces/team-a/serviceaccounts/").removesuffix("/token")
        assert not set(rest) & set("/?#")
        assert rest != name


async def test_failure_to_connect_is_passed_on() -> None:
    """Without a response, the client's own failure says what is wrong."""
    with pytest.raises(FailureError) as raised:
        await ServiceAccountTokens(FakeClient(AWAY)).web_identity(PULLER)
    assert raised.value is AWAY
