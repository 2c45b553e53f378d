"""ServiceAccounts: their tokens, who they are, and their imagePullSecrets."""

from datetime import datetime
from typing import Any

import jwt
import pytest

from testsupport import objects
from testsupport.access import grant, may, rule, token_of
from testsupport.objects import uid_of, version_of
from testsupport.rest import APPLY, MERGE, STRATEGIC, RestClient

ISSUER = "https://kubernetes.default.svc"
STS = "sts.amazonaws.com"


@pytest.fixture
async def account(api: RestClient, namespace: str) -> str:
    return await objects.create_service_account(api, namespace)


@pytest.fixture
def path(namespace: str, account: str) -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"


async def request_token(api: RestClient, path: str, **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await api.post(f"{path}/token", {"spec": spec})).ok()
    return body


async def verified(api: RestClient, token: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token after checking it as AWS does: by the published keys."""
    answer = await api.get("/openid/v1/jwks", accept="application/jwk-set+json")
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.ok()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=ISSUER)
    return claims


async def test_a_token_acts_as_its_service_account(api: RestClient, namespace: str, account: str) -> None:
    """The server knows the bearer by name, uid and groups."""
    user = api.using(await token_of(api, namespace, account))
    review = await user.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    known = review.ok()["status"]["userInfo"]
    assert known["username"] == f"system:serviceaccount:{namespace}:{account}"
    assert set(known["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    }


async def test_a_token_request_is_answered_in_full(api: RestClient, path: str, account: str) -> None:
    """The answer tells the token's end, and says whose it is; nothing is stored."""
    made = await request_token(api, path, audiences=[STS], expirationSeconds=600)
    assert made["kind"] == "TokenRequest"
    assert made["metadata"]["name"] == account
    assert made["spec"] == {"audiences": [STS], "expirationSeconds": 600, "boundObjectRef": None}
    assert made["status"].keys() == {"token", "expirationTimestamp"}
    claims = await verified(api, made["status"]["token"], STS)
    assert datetime.fromisoformat(made["status"]["expirationTimestamp"]).timestamp() == claims["exp"]


async def test_tokens_verify_by_the_published_keys(api: RestClient, path: str, namespace: str, account: str) -> None:
    """A token for another service is a JWT that names the ServiceAccount, checked without the API server."""
    made = await request_token(api, path, audiences=[STS], expirationSeconds=600)
    claims = await verified(api, made["status"]["token"], STS)
    assert claims["aud"] == [STS]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:{account}"
    assert claims["exp"] - claims["iat"] == 600
    own = claims["kubernetes.io"]
    assert own == {
        "namespace": namespace,
        "serviceaccount": {"name": account, "uid": uid_of((await api.get(path)).ok())},
    }


async def test_defaults_of_a_token(api: RestClient, path: str) -> None:
    """Without a wish a token is for the API server and lives an hour."""
    made = await request_token(api, path)
    assert made["spec"]["audiences"] == [ISSUER]
    assert made["spec"]["expirationSeconds"] == 3600


async def test_a_token_for_others_does_not_open_the_api(api: RestClient, path: str) -> None:
    """A token for STS is unauthorized here."""
    made = await request_token(api, path, audiences=[STS])
    answer = await api.using(made["status"]["token"]).get("/api/v1/namespaces")
    assert answer.verdict == (401, "Unauthorized")


async def test_ten_minutes_at_least(api: RestClient, path: str) -> None:
    """A shorter token is invalid."""
    answer = await api.post(f"{path}/token", {"spec": {"expirationSeconds": 599}})
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", "spec.expirationSeconds")]


async def test_no_token_for_a_missing_account(api: RestClient, namespace: str) -> None:
    """The details name the ServiceAccount."""
    answer = await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/none/token", {"spec": {}})
    assert answer.verdict == (404, "NotFound")
    assert answer.body["details"] == {"name": "none", "kind": "serviceaccounts"}


async def test_no_token_in_a_terminating_namespace(api: RestClient) -> None:
    """TokenRequest is a creation, also for an account that is still there."""
    namespace = await objects.create_namespace(api)
    account = await objects.create_service_account(api, namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
    (await api.json_patch(path, {"op": "add", "path": "/metadata/finalizers", "value": ["a.b/c"]})).ok()
    (await api.delete(f"/api/v1/namespaces/{namespace}")).ok()
    answer = await api.post(f"{path}/token", {"spec": {}})
    assert answer.verdict == (403, "Forbidden")
    assert answer.causes == [("NamespaceTerminating", "metadata.namespace")]


async def test_tokens_are_granted_by_subresource_and_name(
    api: RestClient, namespace: str, account: str, path: str
) -> None:
    """Create on serviceaccounts/token may be bounded by the account's name, which is in the path."""
    other = await objects.create_service_account(api, namespace)
    user = api.using(await token_of(api, namespace, other))
    refused = await user.post(f"{path}/token", {"spec": {}})
    assert refused.verdict == (403, "Forbidden")
    assert 'cannot create resource "serviceaccounts/token"' in refused.message
    await grant(api, user, namespace, other, rule("serviceaccounts/token", "create", name=account))
    assert (await user.post(f"{path}/token", {"spec": {}})).status == 201
    refused = await user.post(f"{path.removesuffix(account)}{other}/token", {"spec": {}})
    assert refused.verdict == (403, "Forbidden")


@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."])
async def test_an_unknown_bearer_is_unauthorized(api: RestClient, token: str) -> None:
    """A 401 has a Status that says no more than that."""
    answer = await api.using(token).get("/api/v1/namespaces")
    assert answer.verdict == (401, "Unauthorized")
    assert answer.message == "Unauthorized"


async def test_an_expired_bearer_is_unauthorized(api: RestClient) -> None:
    """A token past its end is as good as none: its signer does not matter."""
    token = jwt.encode({"iss": ISSUER, "exp": 1, "aud": [ISSUER]}, "s" * 32, algorithm="HS256")
    assert (await api.using(token).get("/api/v1/namespaces")).verdict == (401, "Unauthorized")


async def test_nobody_is_anonymous(api: RestClient) -> None:
    """Without a token a request is authenticated as system:anonymous, and forbidden."""
    answer = await api.using(None).get("/api/v1/namespaces")
    assert answer.verdict == (403, "Forbidden")
    assert 'User "system:anonymous" cannot list resource "namespaces"' in answer.message
    assert answer.message.endswith("at the cluster scope")


async def test_anybody_asks_for_health_and_version(api: RestClient) -> None:
    """Health and version are open to all."""
    nobody = api.using(None)
    for path in ("/readyz", "/livez", "/healthz"):
        assert (await nobody.get(path)).body == "ok"
    assert (await nobody.get("/version")).ok()["major"] == "1"


async def test_a_new_account_may_ask_what_it_may(api: RestClient, namespace: str, account: str) -> None:
    """Every authenticated user may review its own access, and is refused the rest."""
    user = api.using(await token_of(api, namespace, account))
    assert not await may(user, verb="list", resource="namespaces")
    answer = await user.get("/api/v1/namespaces")
    assert answer.verdict == (403, "Forbidden")
    assert answer.body["details"] == {"kind": "namespaces"}


async def test_pull_secrets_are_added_at_the_end(api: RestClient, namespace: str) -> None:
    """JSON Patch adds one entry and leaves the others."""
    account = await objects.create_service_account(api, namespace, imagePullSecrets=[{"name": "theirs"}])
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
    changed = await api.json_patch(path, {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": "o"}})
    assert changed.ok()["imagePullSecrets"] == [{"name": "theirs"}, {"name": "o"}]


async def test_adding_to_no_list_is_invalid(api: RestClient, path: str) -> None:
    """Where there is no list yet, adding at its end fails: the patch must make the list."""
    end = {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": "ours"}}
    assert (await api.json_patch(path, end)).verdict == (422, "Invalid")
    whole = {"op": "add", "path": "/imagePullSecrets", "value": [{"name": "ours"}]}
    assert (await api.json_patch(path, whole)).ok()["imagePullSecrets"] == [{"name": "ours"}]


async def test_a_list_that_changed_meanwhile_is_left_alone(api: RestClient, path: str) -> None:
    """A `test` on resourceVersion makes the patch fail when somebody was quicker."""
    version = version_of((await api.get(path)).ok())
    (await api.merge(path, {"imagePullSecrets": [{"name": "theirs"}]})).ok()
    answer = await api.json_patch(
        path,
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/imagePullSecrets", "value": [{"name": "ours"}]},
    )
    assert answer.verdict == (422, "Invalid")
    assert (await api.get(path)).ok()["imagePullSecrets"] == [{"name": "theirs"}]


@pytest.mark.parametrize("content_type", [APPLY, MERGE, STRATEGIC])
async def test_other_patches_replace_the_list(api: RestClient, namespace: str, content_type: str) -> None:
    """The list is atomic: apply and both kinds of merge patch drop everybody else's entries."""
    account = await objects.create_service_account(api, namespace, imagePullSecrets=[{"name": "theirs"}])
    body = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": account},
        "imagePullSecrets": [{"name": "ours"}],
    }
    changed = await api.send(
        "PATCH",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}",
        body=body,
        content_type=content_type,
        query={"fieldManager": "pullkeeper", **({"force": True} if content_type == APPLY else {})},
    )
    assert changed.ok()["imagePullSecrets"] == [{"name": "ours"}]
