"""Refusals of the API server that are neither a missing right nor a conflict, as PullSecretClient tells them."""

from datetime import UTC, datetime

import pytest

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity
from pullkeeper.domain.errors.failures import Failure, FailureError, NamespaceGoneError, Reason, StaleObservationError
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import DockerConfig
from testsupport.examples import record_of
from testsupport.fake_client import FakeClient

HOST = registry_host.parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
TIMES = TokenValidity(issued_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
AUTH = "QVdTOmZpcnN0LXRva2Vu"
CONTENT = PullSecret(record=record_of({HOST: TIMES}, "controller"), auths={HOST: Password(AUTH)})
LIVE = ObservedSecret(namespace="team-a", uid="u", resource_version=7, managed=True)

POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
HOOK = 'admission webhook "h.example" denied the request: no'


def answer(code: int, message: str, /, **cause: str) -> Response:
    details = {"name": "pull", "kind": "secrets", **({"causes": [cause]} if cause else {})}
    return Response(status=code, body={"kind": "Status", "code": code, "message": message, "details": details})


async def failure(response: Response, secret: ObservedSecret | None = LIVE) -> Failure:
    client = PullSecretClient(FakeClient(response), shape=DockerConfig(name="pull"), installation="system/pullkeeper")
    with pytest.raises(FailureError) as raised:
        await client.apply("team-a", CONTENT, secret)
    return raised.value.failure


REFUSED = {
    "quota": (answer(403, 'secrets "pull" is forbidden: exceeded quota: q, requested: secrets=1'), "QuotaExceeded"),
    "policy": (answer(422, f'secrets "pull" is forbidden: {POLICY}', message=POLICY), "AdmissionRefused"),
    **{f"webhook {code}": (answer(code, HOOK), "AdmissionRefused") for code in (400, 403, 404, 409, 422, 500)},
    "webhook with a cause": (answer(422, HOOK, field="type", message="immutable"), "AdmissionRefused"),
    "webhook away": (
        answer(500, 'Internal error occurred: failed calling webhook "h.example": EOF'),
        "AdmissionUnavailable",
    ),
    "right": (answer(403, 'secrets "pull" is forbidden: User "u" cannot patch resource "secrets"'), "KubernetesDenied"),
}


@pytest.mark.parametrize("secret", [LIVE, None], ids=["change", "first"])
@pytest.mark.parametrize("how", REFUSED)
async def test_each_refusal_has_its_reason(how: str, secret: ObservedSecret | None) -> None:
    """Whatever the status; a right is named only where one is missing, and nobody is told to delete anything."""
    response, reason = REFUSED[how]
    found = await failure(response, secret)
    assert found.reason == reason
    assert ("grant create and patch" in found.message) is (how == "right")
    assert "delete" not in found.message
    assert bool(found.detail) is (how != "right")


FIXED = {
    "type": ("type", "Invalid value: field is immutable", "is not of type"),
    "immutable": ("data", "Forbidden: field is immutable when `immutable` is set", "is marked immutable"),
}


@pytest.mark.parametrize("obstacle", FIXED)
async def test_deletion_is_advised_only_where_a_field_cannot_change(obstacle: str) -> None:
    """Then a new Secret is the only way."""
    field, words, why = FIXED[obstacle]
    found = await failure(answer(422, 'Secret "pull" is invalid', field=field, message=words))
    assert found.reason is Reason.SECRET_CONFLICT
    assert why in found.message
    assert found.message.endswith("delete it, and Pullkeeper creates a new one at once")


@pytest.mark.parametrize("field", ["data", "metadata.annotations", "data[x\x1b]"])
async def test_another_invalid_field_is_named(field: str) -> None:
    """What somebody else put there may be too large; that is no reason to delete a live Secret."""
    found = await failure(answer(422, 'Secret "pull" is invalid', field=field, message="Too long"))
    assert found.reason is Reason.SECRET_CONFLICT
    assert "it would be invalid in " in found.message
    assert "delete" not in found.message
    assert found.message.isprintable()


async def test_unknown_refusal_is_passed_on_by_its_status() -> None:
    """A 422 that names no field says nothing of a conflict."""
    found = await failure(answer(422, "no", message="no"))
    assert found.reason is Reason.KUBERNETES_UNAVAILABLE
    assert "(status 422)" in found.message


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(404, 'namespaces "team-a" not found'), NamespaceGoneError),
        (answer(409, "Operation cannot be fulfilled"), StaleObservationError),
        (answer(422, "uid", field="metadata.uid", message="field is immutable"), StaleObservationError),
        (answer(422, "no causes"), StaleObservationError),
    ],
)
async def test_the_servers_own_verdicts_stay_what_they_are(response: Response, error: type[Exception]) -> None:
    """Gone is gone and stale is stale."""
    with pytest.raises(error):
        await PullSecretClient(
            FakeClient(response), shape=DockerConfig(name="pull"), installation="system/pullkeeper"
        ).apply("team-a", CONTENT, LIVE)


@pytest.mark.parametrize("quoted", [AUTH, "AWS:first-token", "first-token", CONTENT.data()[".dockerconfigjson"]])
async def test_no_token_comes_back_from_a_webhook_that_quotes_the_object(quoted: str) -> None:
    """Neither the entry, nor the password in it, nor the Secret's data."""
    found = await failure(answer(403, f'admission webhook "h.example" denied the request: {quoted} is no good'))
    assert quoted not in f"{found}{found!r}"
    assert "is no good" in found.detail
