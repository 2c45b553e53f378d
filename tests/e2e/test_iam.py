"""`pullkeeper iam` with a cluster: its issuer, and the namespaces that ask."""

import json
from typing import Any

import pytest

from testsupport.command_line import CommandResult, kubeconfig, pullkeeper, settings_file
from testsupport.fake_aws.iam_documents import load
from testsupport.fake_aws.pulls import refusals
from testsupport.installation import ACCOUNT_NAME, IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.tenant_identities import OWN, account_with_role, own_account, principals

pytestmark = pytest.mark.slow

BLUE = "arn:aws:iam::222222222222:role/pull-blue"
ELSEWHERE = "555555555555.dkr.ecr.eu-west-1.amazonaws.com"
EXTRAS = {"externalId": "id-of-blue", "sessionTags": True, "sourceIdentity": True}
SETTINGS = {
    "clusterName": "test",
    "roles": [{"role": "arn:aws:iam::222222222222:role/pull-*", "namespaces": ["blue-*"], **EXTRAS}],
    "serviceAccountIdentity": {"namespaces": ["own-*"]},
}


async def test_what_the_namespaces_ask_for_is_printed(installation: Installation) -> None:
    """With the cluster's issuer; what one asks for in vain is a note, and only its own."""
    blue = await installation.create_namespace("blue", enabled="true", role_arn=BLUE, registries=VIRGINIA)
    own = await installation.create_namespace("own", enabled="true", service_account_name="puller")
    await account_with_role(installation, own, "puller")
    orphan = await installation.create_namespace("own", enabled="true", service_account_name="nobody")
    thief = await installation.create_namespace("thief", enabled="true", role_arn=BLUE)
    wrong = await installation.create_namespace("wrong", enabled="yes")
    await installation.create_namespace("none")
    others = await installation.create_namespace("thief", enabled="true", role_arn=BLUE, **{"class": "canary"})
    document = await iam(installation)
    roles = {role["arn"]: role for account in document["accounts"] for role in account["roles"]}
    issuer = (await installation.api.get("/.well-known/openid-configuration")).ok()["issuer"]
    assert document["accounts"][0]["oidcProviders"][0]["url"] == issuer
    assert VIRGINIA[:12] in json.dumps(roles[BLUE]["policies"])
    assert f"system:serviceaccount:{own}:puller" in json.dumps(roles[OWN]["trustPolicy"])
    for name, words in ((orphan, "does not exist"), (thief, "does not let this namespace use"), (wrong, 'found "yes"')):
        assert [note for note in document["notes"] if note.startswith(f"namespace/{name}: ") and words in note]
    assert others not in json.dumps(document), "another installation serves it, with an identity of its own"
    part = await iam(installation, "--namespace", blue)
    assert [account["account"] for account in part["accounts"]] == [IRELAND[:12], BLUE.split(":")[4]]
    refused = await command(installation, "--namespace", wrong)
    assert (refused.status, refused.out) == (2, "")
    assert f'namespace/{wrong}: pullkeeper.dev/enabled: found "yes"' in refused.err


async def test_the_controller_works_with_what_is_printed_and_nothing_else(installation: Installation) -> None:
    """Each identity has its own tokens, and pulls with them, from another account too."""
    own = await installation.create_namespace("own")
    await own_account(installation, own)
    async with installation.recording() as recorder:
        await installation.annotate(own, enabled="true", service_account_name="puller")
        teams = {
            ROLE: await installation.create_namespace("plain", enabled="true", registries=f"{ELSEWHERE},{IRELAND}"),
            BLUE: await installation.create_namespace("blue", enabled="true", role_arn=BLUE, registries=VIRGINIA),
            OWN: own,
        }
        who = ("--service-account", f"{installation.namespace}:{ACCOUNT_NAME}", "--role-arn", ROLE)
        load(installation.aws, await iam(installation, *who))
        await installation.start(SETTINGS)
        for role, team in teams.items():
            secret = (await recorder.created(team)).secret
            assert principals(installation, secret) == {role}
            for host, authorization in auths(secret).items():
                assert await refusals(installation.aws, host, authorization) == []


async def command(installation: Installation, *arguments: str) -> CommandResult:
    """Run it with the administrator's kubeconfig, whose context has to be named."""
    config = settings_file(installation, **SETTINGS)
    cluster = ("--kubeconfig", kubeconfig(installation), "--context", "here")
    return await pullkeeper(installation, "iam", "--config", config, *cluster, *arguments, environment={})


async def iam(installation: Installation, *arguments: str) -> dict[str, Any]:
    ended = await command(installation, *arguments)
    assert (ended.status, ended.err) == (0, "")
    document: dict[str, Any] = json.loads(ended.out)
    return document
