"""Recipes of docs/identities.md and docs/outside-aws.md; the helpers themselves are in the interop tier."""

from pathlib import Path

import pytest
import yaml

from testsupport.fake_aws.issuer import Issuer
from testsupport.fake_aws.network import NOT_PROXIED
from testsupport.installation import ROLE, Installation
from testsupport.outside_aws_page import yaml_blocks
from testsupport.tenant_identities import principals

pytestmark = pytest.mark.slow

RECIPE = yaml.safe_load(Path("charts/pullkeeper/ci/spiffe-values.yaml").read_text())
SPIFFE_ID = "spiffe://example.org/ns/pullkeeper-system/sa/pullkeeper"


async def test_jwt_svid_in_a_file_is_a_web_identity(installation: Installation) -> None:
    """With the recipe's variables, before the file is there and after, and with the next SVID when that one is over."""
    aws, file = installation.aws, installation.folder / "svid"
    issuer = Issuer("https://oidc-discovery.example.org")
    aws.trust_issuer(issuer.url, issuer.jwks())
    aws.allow_role(ROLE, trusts_subjects=SPIFFE_ID, issuer=issuer.url)
    given = {each["name"]: each["value"] for each in RECIPE["extraEnv"]}
    assert given["AWS_ROLE_ARN"] == ROLE
    bare = {name: value for name, value in aws.environment(region=None).items() if "ACCESS_KEY" not in name}
    await installation.start(environment={**bare, **given, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)})
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "a credentials file cannot be read" in event["note"]
    async with installation.recording() as recorder:
        file.write_text(issuer.token(SPIFFE_ID))
        first = await recorder.created(team)
        assert principals(installation, first.secret) == {ROLE}
        file.write_text(issuer.token(SPIFFE_ID))
        aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="1")
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
    assert aws.count("AssumeRoleWithWebIdentity", outcome="ok") == 2


async def test_a_proxy_that_opens_tls(installation: Installation) -> None:
    """With the variables and settings of the page and nothing else of the kind: AWS and registries are reached."""
    (page,) = yaml_blocks("With a private CA")
    aws = installation.aws
    proxied = {"HTTPS_PROXY": aws.network.url, "NO_PROXY": NOT_PROXIED, "AWS_CA_BUNDLE": aws.network.ca_file}
    assert [each["name"] for each in page["extraEnv"]] == list(proxied)
    ours = {name.lower() for name in proxied}
    others = {name: value for name, value in aws.environment(region=None).items() if name.lower() not in ours}
    settings = {**page["settings"], "registryCaFile": aws.network.ca_file}
    process = await installation.start(settings, environment={**others, **proxied})
    await installation.create_served_namespace()
    assert await process.metric("pullkeeper_registry_probes_total", result="accepted") >= 1
