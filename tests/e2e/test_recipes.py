"""Recipes of docs/identities.md for helpers beside the controller; AWS's own helper is in the interop tier."""

from pathlib import Path

import pytest
import yaml

from testsupport.fake_aws.issuer import Issuer
from testsupport.installation import ROLE, Installation
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
