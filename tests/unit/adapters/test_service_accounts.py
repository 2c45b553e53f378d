"""ServiceAccounts: the role and web identity token of one, the patch of another, and what each response means."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountClient, ServiceAccountTokens
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.iam.identity import Identity, service_account
from pullkeeper.domain.iam.role_arn import FORM
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.secret.service_account_patch import (
    AttachmentOutcome,
    ServiceAccountPatch,
    observe_service_account,
)
from tests.unit.domain.test_service_account_patch import OURS
from tests.unit.domain.test_service_account_patch import account as raw_account
from testsupport.fake_client import AWAY, FakeClient, ok

ROLE = "arn:aws:iam::123456789012:role/team/puller"
PULLER = service_account("team-a", "puller")
PATH = "/api/v1/namespaces/team-a/serviceaccounts/puller"
UID = "11111111-2222-3333-4444-555555555555"


def jwt(uid: str) -> str:
    """Make a token with the claims that Kubernetes puts in; nobody verifies its signature here."""
    claims = {"kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "puller", "uid": uid}}}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.fake-signature"


TOKEN = jwt(UID)
ROLE_KEY = "eks.amazonaws.com/role-arn"
VERBS = {"get": "get", "create": "create a token of"}

OBSERVED = observe_service_account(raw_account("theirs"), OURS)
OPERATIONS = (
    {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
    {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": OURS}},
)
CHANGE = ServiceAccountPatch(outcome=AttachmentOutcome.ATTACHED, operations=OPERATIONS)


def account(**annotations: str) -> Response:
    found = {f"eks.amazonaws.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return ok({"metadata": {"name": "puller", "uid": UID, "annotations": found}})


GRANTED = ok({"status": {"token": TOKEN}}, 201)


def client(get: Response | None = None, create: Response = GRANTED) -> FakeClient:
    """Respond to the read of the ServiceAccount and to the request for a token."""
    return FakeClient(respond=lambda request: (get or account(role_arn=ROLE)) if request.verb == "get" else create)


async def web_identity(kube: FakeClient, identity: Identity = PULLER) -> tuple[Identity, str]:
    """Look a ServiceAccount up, and request its token."""
    tokens = ServiceAccountTokens(kube)
    resolved = await tokens.resolve(identity)
    return resolved, await tokens.request_token(resolved)


async def token_failure(kube: FakeClient) -> Failure:
    with pytest.raises(FailureError) as raised:
        await web_identity(kube)
    assert TOKEN not in str(raised.value)
    return raised.value.failure


async def test_web_identity_takes_two_requests() -> None:
    """One read for the role, one TokenRequest for the token."""
    kube = client()
    session = "arn:aws:sts::123456789012:assumed-role/puller"
    resolved = replace(PULLER, uid=UID, role_arn=ROLE, audience="sts.amazonaws.com", principal=session)
    assert await web_identity(kube) == (resolved, TOKEN)
    assert [(request.verb, request.path) for request in kube.requests] == [("get", PATH), ("create", f"{PATH}/token")]


@pytest.mark.parametrize(
    ("annotations", "audience"),
    [({}, "sts.amazonaws.com"), ({"audience": "sts.amazonaws.com.cn"}, "sts.amazonaws.com.cn")],
)
async def test_token_is_short_lived_and_for_the_annotated_audience(
    annotations: Mapping[str, str], audience: str
) -> None:
    """The audience defaults to STS; ten minutes are the shortest lifetime that Kubernetes issues."""
    kube = client(get=account(role_arn=ROLE, **annotations))
    await web_identity(kube)
    body = kube.requests[1].body
    assert (body["apiVersion"], body["kind"]) == ("authentication.k8s.io/v1", "TokenRequest")
    assert body["spec"] == {"audiences": [audience], "expirationSeconds": 600}


@pytest.mark.parametrize(
    ("kube", "words"),
    [
        (client(get=ok(status=404)), "the ServiceAccount does not exist: create it, or name another one"),
        (client(create=ok(status=404)), "the ServiceAccount does not exist: create it"),
        (client(get=account()), f"it has no role: annotate it with {ROLE_KEY}"),
        (client(get=ok({"metadata": {"uid": UID}})), f"it has no role: annotate it with {ROLE_KEY}"),
        (client(get=ok({"metadata": {"uid": UID, "annotations": None}})), "it has no role"),
        (client(get=account(role_arn="")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (client(get=account(role_arn=f"{ROLE}\n")), f"its annotation {ROLE_KEY} is not {FORM}"),
        (
            client(get=account(role_arn="arn:aws:iam::123456789012:user/x")),
            "is not a role, since nothing else",
        ),
        (client(get=ok(status=403)), "(403): grant the controller get on serviceaccounts there"),
        (client(create=ok(status=403)), "(403): grant the controller create on serviceaccounts/token there"),
    ],
)
async def test_unusable_service_account_is_described(kube: FakeClient, words: str) -> None:
    """The failure names the ServiceAccount, what it lacks and the fix, and is not retried soon."""
    failure = await token_failure(kube)
    assert failure.reason is Reason.SERVICE_ACCOUNT_UNUSABLE
    assert failure.message.startswith(f"{PULLER} cannot be used: ")
    assert words in failure.message
    assert failure.reason.requires_action


@pytest.mark.parametrize("status", [401, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("verb", ["get", "create"])
async def test_other_errors_are_retried(verb: str, status: int) -> None:
    """They say nothing about the ServiceAccount; the API server's text is not repeated."""
    failure = await token_failure(client(**{verb: ok({"message": TOKEN}, status)}))
    assert failure.reason is Reason.KUBERNETES_UNAVAILABLE
    assert failure.message == f"the API server could not {VERBS[verb]} {PULLER} (status {status})"
    assert not failure.reason.requires_action


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"status": "Success"}, {"status": {}}, {"status": None}])
async def test_malformed_response_is_a_failure(verb: str, body: Mapping[str, Any]) -> None:
    """Whatever a proxy on the way makes of a response, no other exception is raised."""
    failure = await token_failure(client(**{verb: ok(body)}))
    assert failure.reason is Reason.KUBERNETES_UNAVAILABLE
    assert str(PULLER) in failure.message


@pytest.mark.parametrize("token", [jwt("another"), "opaque", "a.b.c", "e30.e30.x", "e30.bnVsbA.x"])
async def test_token_of_another_service_account_is_not_used(token: str) -> None:
    """One that was made anew under its name since it was looked up, maybe by another tenant."""
    failure = await token_failure(client(create=ok({"status": {"token": token}}, 201)))
    assert failure.reason is Reason.SERVICE_ACCOUNT_UNUSABLE
    assert "deleted and created again" in failure.message


@pytest.mark.parametrize("name", ["../../victim/serviceaccounts/puller", "puller/token", "a?b", "a#b", "a%2fb"])
async def test_name_stays_one_segment_of_the_path(name: str) -> None:
    """No name addresses another object."""
    kube = client()
    await web_identity(kube, service_account("team-a", name))
    for request in kube.requests:
        rest = request.path.removeprefix("/api/v1/namespaces/team-a/serviceaccounts/").removesuffix("/token")
        assert not set(rest) & set("/?#")
        assert rest != name


async def test_failure_to_connect_is_passed_on() -> None:
    """Without a response, the client's own failure says what is wrong."""
    with pytest.raises(FailureError) as raised:
        await web_identity(FakeClient(AWAY))
    assert raised.value is AWAY


def patching(response: Response) -> tuple[ServiceAccountClient, FakeClient]:
    kube = FakeClient(response)
    return ServiceAccountClient(kube, secret_name=OURS), kube


async def test_patch_sends_the_operations_as_json_patch() -> None:
    """Under the controller's field manager; the response is the new observation."""
    after = raw_account("theirs", OURS, mark=OURS, resourceVersion="8")
    accounts, kube = patching(ok(after))
    assert await accounts.patch(OBSERVED, CHANGE) == observe_service_account(after, OURS)
    (request,) = kube.requests
    assert (request.verb, request.path) == ("patch", "/api/v1/namespaces/team-a/serviceaccounts/builder")
    assert (request.content_type, request.query) == ("application/json-patch+json", {"fieldManager": "pullkeeper"})
    assert json.loads(json.dumps(request.body)) == list(OPERATIONS)


@pytest.mark.parametrize(
    "response", [ok({"reason": "Invalid", "details": {}}, 422), ok({}, 422), ok({"details": None}, 409)]
)
async def test_patch_of_a_changed_service_account_is_stale(response: Response) -> None:
    """A failed `test` operation is refused without causes."""
    accounts, _ = patching(response)
    with pytest.raises(StaleObservationError, match="team-a/builder"):
        await accounts.patch(OBSERVED, CHANGE)


async def test_patch_of_a_deleted_service_account_is_none() -> None:
    """The watch reports the deletion."""
    accounts, _ = patching(ok(status=404))
    assert await accounts.patch(OBSERVED, CHANGE) is None


@pytest.mark.parametrize(
    ("response", "reason", "words"),
    [
        (
            ok(status=403),
            Reason.KUBERNETES_DENIED,
            "refused to patch ServiceAccount team-a/builder (403): grant the controller patch on serviceaccounts",
        ),
        (
            ok({"message": 'admission webhook "x.example" denied the request: no'}, 422),
            Reason.ADMISSION_REFUSED,
            'refused to patch ServiceAccount team-a/builder (422): admission webhook "x.example" denies it',
        ),
        (ok(status=500), Reason.KUBERNETES_UNAVAILABLE, "could not patch ServiceAccount team-a/builder (status 500)"),
        (ok({"details": {"causes": [{"field": "metadata"}]}}, 422), Reason.KUBERNETES_UNAVAILABLE, "(status 422)"),
    ],
)
async def test_refused_patch_is_a_failure(response: Response, reason: Reason, words: str) -> None:
    """An invalid object (422 with causes) is not a conflict, and is not retried at once."""
    accounts, _ = patching(response)
    with pytest.raises(FailureError) as raised:
        await accounts.patch(OBSERVED, CHANGE)
    assert raised.value.failure.reason is reason
    assert words in raised.value.failure.message
