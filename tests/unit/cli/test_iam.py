"""`pullkeeper iam` without a cluster: what comes from the settings and the options."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.cli import main as command_line

SETTINGS = """\
registries: [123456789012.dkr.ecr.eu-west-1.amazonaws.com]
roles:
  - role: arn:aws:iam::222222222222:role/pull-blue
    namespaces: ["blue-*"]
"""
ISSUER = "https://oidc.example.com"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out."""
    for name in list(os.environ):
        if name.startswith(("PULLKEEPER_", "AWS_")) or name == "KUBECONFIG":
            monkeypatch.delenv(name)


def iam(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, settings: str = SETTINGS) -> int:
    file = folder / "settings.yaml"
    file.write_text(settings)
    monkeypatch.setattr("sys.argv", ["pullkeeper", "iam", "--config", str(file), *arguments])
    return command_line.main()


def test_the_controller_is_who_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its role in the first registry's account, its ServiceAccount where its Lease is."""
    settings = SETTINGS + "leaseNamespace: tools\nleaseName: ecr\n"
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, settings=settings) == 0
    accounts = json.loads(capsys.readouterr().out)["accounts"]
    role = accounts[0]["roles"][0]
    assert role["arn"] == "arn:aws:iam::123456789012:role/pullkeeper"
    assert "system:serviceaccount:tools:ecr" in json.dumps(role["trustPolicy"])
    assert [each["account"] for each in accounts] == ["123456789012", "222222222222"]


def test_options_say_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Role, by option or as IRSA's variable; ServiceAccount, audience; one account's part."""
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/keeper")
    options = ("--service-account", "a:b", "--audience", "ecr", "--account", "999999999999", "-o", "json")
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, *options) == 0
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert account["oidcProviders"][0]["clientIds"] == ["ecr"]
    assert account["roles"][0]["arn"] == "arn:aws:iam::999999999999:role/keeper"
    assert "system:serviceaccount:a:b" in json.dumps(account["roles"][0]["trustPolicy"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--issuer: found nothing, expected an https:// URL, or a kubeconfig"),
        (("--issuer", "http://x.example.com"), '--issuer: found "http://x.example.com"'),
        (("--issuer", 'https://x"y'), "--issuer: found"),
        (("--issuer", ISSUER, "--service-account", "pullkeeper"), "expected NAMESPACE:NAME"),
        (("--issuer", ISSUER, "--service-account", "a:B"), "expected NAMESPACE:NAME"),
        (("--issuer", ISSUER, "--role-arn", "pullkeeper"), "--role-arn: found"),
        (("--issuer", ISSUER, "--audience", "${x}"), "--audience: found"),
        (("--issuer", ISSUER, "--certificate-name", "${x}"), "--certificate-name: found"),
        (("--issuer", ISSUER, "--account", "1"), '--account: found "1", expected one of 123456789012, 222222222222'),
        (
            ("--issuer", ISSUER, "-n", "team-a"),
            "expected a namespace of the cluster that asks for a pull Secret, and a",
        ),
    ],
)
def test_what_iam_would_not_take_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """With the option's name, and nothing printed that could be pasted."""
    assert iam(monkeypatch, tmp_path, *arguments) == 2
    out, err = capsys.readouterr()
    assert (words in err, out) == (True, "")


def test_without_a_registry_the_role_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Since nothing says whose account it is in; ECR Public has none."""
    settings = "registries: [public.ecr.aws]\n"
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, settings=settings) == 2
    assert "--role-arn: found nothing" in capsys.readouterr().err


ANYWHERE = """\
rolesAnywhere:
  trustAnchorArn: arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111
  profileArn: arn:aws:rolesanywhere:eu-west-1:123456789012:profile/22222222-2222-2222-2222-222222222222
  roleArn: arn:aws:iam::123456789012:role/edge
  certificateFile: /tls/tls.crt
  keyFile: /tls/tls.key
"""


def test_with_roles_anywhere_role_and_trust_are_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No issuer is needed, but for the kubelet's own provider."""
    assert iam(monkeypatch, tmp_path, "--certificate-name", "edge-1", settings=SETTINGS + ANYWHERE) == 0
    role = json.loads(capsys.readouterr().out)["accounts"][0]["roles"][0]
    assert role["arn"] == "arn:aws:iam::123456789012:role/edge"
    assert role["trustPolicy"]["Statement"][0]["Condition"]["StringEquals"] == {
        "aws:PrincipalTag/x509Subject/CN": "edge-1"
    }
    assert iam(monkeypatch, tmp_path, "--kubelet", settings=SETTINGS + ANYWHERE) == 2
    assert "--issuer: found nothing" in capsys.readouterr().err


BY_REGISTRY = """\
identities:
  - name: edge
    registries: ["*.eu-west-1.*"]
    rolesAnywhere:
      trustAnchorArn: arn:aws:rolesanywhere:eu-west-1:666666666666:trust-anchor/11111111-1111-1111-1111-111111111111
      profileArn: arn:aws:rolesanywhere:eu-west-1:666666666666:profile/22222222-2222-2222-2222-222222222222
      roleArn: arn:aws:iam::666666666666:role/edge
      certificateFile: /tls/tls.crt
      keyFile: /tls/tls.key
"""
CHINA = """\
  - name: china
    registries: ["*.cn"]
    webIdentity: {roleArn: "arn:aws-cn:iam::123456789012:role/pullkeeper", tokenFile: /token}
"""


def test_identities_by_registry_have_roles_and_certificates_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each certificate's name is said by identity; the registry of another does not say where the controller is."""
    settings = SETTINGS + ANYWHERE + BY_REGISTRY
    names = ("--certificate-name", "a=b", "--certificate-name", "edge=edge-1")
    assert iam(monkeypatch, tmp_path, *names, settings=settings) == 0
    accounts = json.loads(capsys.readouterr().out)["accounts"]
    roles = {role["arn"]: role for account in accounts for role in account["roles"]}
    named = {arn: list(_common_names(role)) for arn, role in roles.items()}
    assert named["arn:aws:iam::666666666666:role/edge"] == ["edge-1"]
    assert named["arn:aws:iam::123456789012:role/edge"] == ["a=b"]
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, settings=SETTINGS + BY_REGISTRY) == 2
    assert "--role-arn: found nothing" in capsys.readouterr().err


def _common_names(role: dict[str, Any]) -> Iterator[str]:
    for statement in role["trustPolicy"]["Statement"]:
        if statement["Sid"] == "RolesAnywhere":
            yield statement["Condition"]["StringEquals"]["aws:PrincipalTag/x509Subject/CN"]


def test_an_identity_that_shows_tokens_needs_an_issuer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the controller's own has a certificate."""
    assert iam(monkeypatch, tmp_path, settings=SETTINGS + ANYWHERE + BY_REGISTRY + CHINA) == 2
    assert "--issuer: found nothing" in capsys.readouterr().err
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, settings=SETTINGS + ANYWHERE + BY_REGISTRY + CHINA) == 0
    assert "arn:aws-cn:iam::123456789012:oidc-provider/oidc.example.com" in capsys.readouterr().out


def test_what_the_kubelet_would_need_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a cluster nobody asks for anything: configuration and right, and what pull Secrets stay for."""
    assert iam(monkeypatch, tmp_path, "--issuer", ISSUER, "--kubelet") == 0
    out = capsys.readouterr().out
    assert out.startswith("# Pull Secrets are still needed")
    documents = [each["kind"] for each in yaml.safe_load_all(out) if each]
    assert documents == ["CredentialProviderConfig", "ClusterRole", "ClusterRoleBinding"]
