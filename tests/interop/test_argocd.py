"""Argo CD's own code (its `util/db`) reads the Secrets that we write for it: the token is for that registry alone."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import EVERY_NAMESPACE
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import manifest, shape_of
from testsupport.examples import EU, PASSWORD, auth, published
from testsupport.interop_tools import find_argocd

OTHER = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
LOGIN = ("AWS", PASSWORD)
NOBODY = ("", "")


@pytest.fixture(scope="session")
def argocd() -> Path:
    """Give the program, which `make test-pull` has built."""
    return find_argocd()


def _secret(shape: ShapeName, path: str = "") -> dict[str, Any]:
    """Return the Secret as it is applied in Argo CD's namespace."""
    given = AdditionalSecret(name=f"ecr-{shape}", shape=shape, registry=EU, path=path, namespaces=EVERY_NAMESPACE)
    content = PullSecret(record=published(EU), auths={EU: auth()})
    layout = shape_of(given)
    return manifest(layout, "argocd", content.record, layout.data(content), installation="system/pullkeeper")


def _read(argocd: Path, secrets: Sequence[dict[str, Any]], *urls: str) -> dict[str, dict[str, Any]]:
    ended = subprocess.run(
        [argocd, *urls], input=json.dumps(secrets), capture_output=True, text=True, check=True, timeout=60
    )
    return dict(zip(urls, json.loads(ended.stdout), strict=True))


def _logins(found: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {url: (each["username"], each["password"]) for url, each in found.items()}


def test_a_helm_repository_is_registered_with_its_login(argocd: Path) -> None:
    """By the URL that an Application names, without a scheme; without a path it is the registry itself."""
    root = _read(argocd, [_secret(ShapeName.ARGOCD_REPOSITORY)], str(EU), f"{EU}.evil.example")
    assert _logins(root) == {str(EU): LOGIN, f"{EU}.evil.example": NOBODY}
    found = _read(argocd, [_secret(ShapeName.ARGOCD_REPOSITORY, "charts")], f"{EU}/charts", f"{EU}/other")
    ours = found[f"{EU}/charts"]
    assert (ours["type"], ours["enableOCI"], ours["name"]) == ("helm", True, "ecr-argocd-repository")
    assert not ours["inherited"]
    assert _logins(found) == {f"{EU}/charts": LOGIN, f"{EU}/other": NOBODY}


def test_credentials_are_for_every_helm_repository_of_the_registry_and_no_other(argocd: Path) -> None:
    """Nor for a host whose name begins with the registry's, which is how Argo CD compares them."""
    ours = (f"{EU}/charts", f"{EU}/charts/team")
    theirs = (f"{OTHER}/charts", f"evil.example/{EU}/charts", f"{EU}.evil.example/charts", f"{EU}.cn/charts")
    found = _read(argocd, [_secret(ShapeName.ARGOCD_REPO_CREDS)], *ours, *theirs)
    assert _logins(found) == {**dict.fromkeys(ours, LOGIN), **dict.fromkeys(theirs, NOBODY)}
    assert all(found[url]["enableOCI"] for url in ours)


def test_credentials_for_oci_sources_beside_those_for_helm(argocd: Path) -> None:
    """Both kinds in one namespace: each source is given its own."""
    secrets = [_secret(ShapeName.ARGOCD_OCI_REPO_CREDS), _secret(ShapeName.ARGOCD_REPO_CREDS)]
    urls = (f"oci://{EU}/charts/app", f"{EU}/charts", f"oci://{OTHER}/charts/app", f"oci://{EU}.evil.example/app")
    found = _read(argocd, secrets, *urls)
    assert _logins(found) == {**dict.fromkeys(urls[:2], LOGIN), **dict.fromkeys(urls[2:], NOBODY)}
    assert (found[urls[0]]["type"], found[urls[1]]["type"]) == ("oci", "helm")


def test_without_its_label_none_of_them_is_read(argocd: Path) -> None:
    """What Argo CD goes by; a Secret of another shape means nothing to it."""
    bare = _secret(ShapeName.ARGOCD_REPO_CREDS)
    del bare["metadata"]["labels"]["argocd.argoproj.io/secret-type"]
    url = f"{EU}/charts"
    assert _logins(_read(argocd, [bare, _secret(ShapeName.KARGO_HELM)], url)) == {url: NOBODY}
