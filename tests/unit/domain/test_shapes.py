"""The shapes of Secrets beside the pull Secret: what is in them, and that edits of them are noticed."""

import base64
import json
import re
from typing import Any

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import EVERY_NAMESPACE
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.secret.observed_secret import observe
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import PULL_SECRET, Login, SecretShape, manifest, shape_of
from testsupport.examples import EU, PASSWORD, auth, published

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PATTERN = r"^(oci://)?123456789012\.dkr\.ecr\.eu-west-1\.amazonaws\.com/"
ARGOCD, KARGO = "argocd.argoproj.io/secret-type", "kargo.akuity.io/cred-type"
LOGIN = {"username": "AWS", "password": PASSWORD}
CONTENT = PullSecret(record=published(EU), auths={EU: auth()})


def shape(name: ShapeName, path: str = "") -> Login:
    return shape_of(AdditionalSecret(name="other", shape=name, registry=EU, path=path, namespaces=EVERY_NAMESPACE))


def secret(given: SecretShape) -> dict[str, Any]:
    return manifest(given, "team-a", CONTENT.record, given.data(CONTENT), installation="system/pullkeeper")


def decoded(body: dict[str, Any]) -> dict[str, str]:
    return {key: base64.b64decode(text, validate=True).decode() for key, text in body["data"].items()}


def applied(given: SecretShape) -> dict[str, Any]:
    """Return the metadata of a Secret of this shape after our apply."""
    body = secret(given)
    fields = {
        "f:data": {f"f:{key}": {} for key in body["data"]},
        "f:metadata": {
            "f:labels": {f"f:{key}": {} for key in body["metadata"]["labels"]},
            "f:annotations": {f"f:{key}": {} for key in body["metadata"]["annotations"]},
        },
        "f:type": {},
    }
    entry = {"manager": "pullkeeper", "operation": "Apply", "fieldsV1": fields}
    return {**body["metadata"], "uid": "uid-1", "resourceVersion": "7", "managedFields": [entry]}


EXPECTED = {
    ShapeName.ARGOCD_REPOSITORY: (
        "Opaque",
        {ARGOCD: "repository"},
        {**LOGIN, "type": "helm", "enableOCI": "true", "name": "other", "url": HOST},
    ),
    ShapeName.ARGOCD_REPO_CREDS: (
        "Opaque",
        {ARGOCD: "repo-creds"},
        {**LOGIN, "type": "helm", "enableOCI": "true", "url": f"{HOST}/"},
    ),
    ShapeName.ARGOCD_OCI_REPO_CREDS: (
        "Opaque",
        {ARGOCD: "repo-creds"},
        {**LOGIN, "type": "oci", "url": f"oci://{HOST}/"},
    ),
    ShapeName.BASIC_AUTH: ("kubernetes.io/basic-auth", {}, LOGIN),
    ShapeName.CDI: ("Opaque", {}, {"accessKeyId": "AWS", "secretKey": PASSWORD}),
    ShapeName.KARGO_IMAGE: (
        "Opaque",
        {KARGO: "image"},
        {**LOGIN, "repoURL": PATTERN, "repoURLIsRegex": "true"},
    ),
    ShapeName.KARGO_HELM: (
        "Opaque",
        {KARGO: "helm"},
        {**LOGIN, "repoURL": PATTERN, "repoURLIsRegex": "true"},
    ),
}
"""Type, labels and data of each shape."""


@pytest.mark.parametrize("name", ShapeName)
def test_each_shape_is_what_its_reader_takes(name: ShapeName) -> None:
    """And nothing more."""
    body = secret(shape(name))
    kind, labels, data = EXPECTED[name]
    assert (body["type"], decoded(body)) == (kind, data)
    assert body["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "pullkeeper", **labels}
    assert body["metadata"]["name"] == "other"
    layout = {key: text for key, text in data.items() if key not in LOGIN and key not in {"accessKeyId", "secretKey"}}
    said = json.loads(body["metadata"]["annotations"]["pullkeeper.dev/shape"])
    assert said == {"shape": name.value, "registry": HOST, **layout}


def test_a_password_may_have_a_colon() -> None:
    """Only the first one ends the name of the user."""
    given = shape(ShapeName.BASIC_AUTH)
    data = given.data(PullSecret(record=published(EU), auths={EU: auth("a:b:c")}))
    assert base64.b64decode(data["password"]) == b"a:b:c"
    assert given.read_auths(data) == {EU: auth("a:b:c")}


def test_a_helm_repository_may_be_a_part_of_a_registry() -> None:
    """Argo CD compares its URL with that of the Application."""
    assert decoded(secret(shape(ShapeName.ARGOCD_REPOSITORY, "charts")))["url"] == f"{HOST}/charts"


@pytest.mark.parametrize(
    ("url", "matches"),
    [
        (f"{HOST}/team/app", True),
        (f"oci://{HOST}/charts/app", True),
        (f"{HOST}.evil.example/app", False),
        (f"evil.example/{HOST}/app", False),
        (HOST.replace(".dkr", "xdkr") + "/app", False),
    ],
)
def test_the_pattern_for_kargo_is_for_one_registry(url: str, *, matches: bool) -> None:
    """The token is for nobody else."""
    pattern = decoded(secret(shape(ShapeName.KARGO_HELM)))["repoURL"]
    assert (re.search(pattern, url) is not None) is matches


@pytest.mark.parametrize("name", ShapeName)
def test_the_token_is_in_the_data_alone(name: ShapeName) -> None:
    """No annotation, no label and no `repr` has it."""
    body = secret(shape(name))
    texts = json.dumps(body["metadata"]) + repr(shape(name))
    assert PASSWORD not in texts
    assert auth().reveal() not in texts


@pytest.mark.parametrize("name", ShapeName)
def test_what_was_written_is_read_back(name: ShapeName) -> None:
    """An entry that is kept costs no new token."""
    given = shape(name)
    assert given.read_auths(given.data(CONTENT)) == {EU: auth()}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"username": "QVdT"},
        {"username": "QVdT", "password": ""},
        {"username": "QVdT", "password": "x"},
        {"username": "QVdT", "password": None},
        {"username": base64.b64encode(b"root").decode(), "password": "eA=="},
        {"username": "QVdT", "password": base64.b64encode(b"\xff").decode()},
    ],
)
def test_what_somebody_else_has_written_is_not_read(data: Any) -> None:
    """Such an entry is not kept."""
    assert shape(ShapeName.BASIC_AUTH).read_auths(data) == {}


def test_what_is_no_login_is_not_written() -> None:
    """The error names the registry and not the content."""
    content = PullSecret(record=published(EU), auths={EU: Password("hush")})
    with pytest.raises(ValueError, match=r"^the entry of 1234\S+ is not base64 of AWS:<password>$"):
        shape(ShapeName.CDI).data(content)


@pytest.mark.parametrize("name", ShapeName)
def test_a_secret_as_applied_is_intact(name: ShapeName) -> None:
    """Otherwise it would be written for ever."""
    given = shape(name)
    found = observe(applied(given), given)
    assert (found.intact, found.managed, found.name) == (True, True, "other")
    assert found.record == CONTENT.record


@pytest.mark.parametrize("name", ShapeName)
def test_an_edit_of_any_field_is_noticed(name: ShapeName) -> None:
    """Of each key of the data, of the labels that its reader selects by, and of the type."""
    given = shape(name)
    for part in (("f:data",), ("f:metadata", "f:labels")):
        for key in list(_fields(applied(given), *part)):
            metadata = applied(given)
            del _fields(metadata, *part)[key]
            assert not observe(metadata, given).intact, key
    metadata = applied(given)
    del _fields(metadata)["f:type"]
    assert not observe(metadata, given).intact


def test_a_change_of_the_settings_is_noticed_without_reading_the_data() -> None:
    """The layout is in an annotation."""
    before, after = shape(ShapeName.ARGOCD_REPOSITORY, "a"), shape(ShapeName.ARGOCD_REPOSITORY, "b")
    assert observe(applied(before), before).intact
    assert not observe(applied(before), after).intact
    assert not observe(applied(shape(ShapeName.KARGO_IMAGE)), shape(ShapeName.KARGO_HELM)).intact
    assert not observe(applied(PULL_SECRET), before).intact


@pytest.mark.parametrize("key", ["f:url", "f:password"])
def test_who_edits_a_field_of_the_shape_is_named(key: str) -> None:
    """As for the pull Secret."""
    given = shape(ShapeName.ARGOCD_REPO_CREDS)
    metadata = applied(given)
    later = {"manager": "kubectl-edit", "time": "2026-03-01T13:00:00Z", "fieldsV1": {"f:data": {key: {}}}}
    metadata["managedFields"].append(later)
    assert observe(metadata, given).writer == "kubectl-edit"


def test_messages_say_which_of_the_names_it_is() -> None:
    """An operator finds it in the settings."""
    assert shape(ShapeName.CDI).called == "the name other (`additionalSecrets` in the settings)"
    assert shape(ShapeName.CDI).noun == "the Secret other"
    assert (PULL_SECRET.called, PULL_SECRET.noun) == ("the pull Secret's name", "the pull Secret")
    assert PULL_SECRET.read_auths(PULL_SECRET.data(CONTENT)) == {EU: auth()}


def _fields(metadata: dict[str, Any], *path: str) -> dict[str, Any]:
    found: dict[str, Any] = metadata["managedFields"][0]["fieldsV1"]
    for key in path:
        found = found[key]
    return found
