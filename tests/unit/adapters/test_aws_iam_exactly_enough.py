"""What `pullkeeper iam` prints is enough for every identity to pull, and nothing of it can be left out."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.adapters.aws import Ecr, credentials
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.views.iam_controller import with_identities
from pullkeeper.domain.views.iam_documents import as_json
from pullkeeper.domain.views.iam_needs import plan
from pullkeeper.tokens import call_queue
from tests.unit.adapters.aws_harness import RequestRecorder
from tests.unit.adapters.identity_harness import issuer
from testsupport.client_certificates import authority
from testsupport.examples import demand
from testsupport.fake_aws import AwsFake, serve_in_thread
from testsupport.fake_aws.iam_documents import load
from testsupport.fake_aws.pulls import refusals
from testsupport.iam_examples import (
    CONTROLLER_OF_IT,
    CONTROLLERS_ROLE,
    EDGES_ANCHOR,
    EDGES_PROFILE,
    EDGES_ROLE,
    SETTINGS,
    by_registry,
    desired_by_registry,
    desired_states,
)

POPULATIONS = {
    "tenants": (SETTINGS, desired_states()),
    "identities by registry": (by_registry(), desired_by_registry()),
}


def printed(population: str) -> dict[str, Any]:
    policy, found = POPULATIONS[population]
    controller = with_identities(replace(CONTROLLER_OF_IT, issuer=issuer().url), policy, {"edge": "pullkeeper"})
    document: dict[str, Any] = json.loads(as_json(plan(policy, controller, found)))
    return document


def statement_lists(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Return every list of statements, with whose it is."""
    for account in document["accounts"]:
        for role in account["roles"]:
            yield f"trust of {role['arn']}", role["trustPolicy"]["Statement"]
            for policy in role["policies"]:
                yield f"permissions of {role['arn']}", policy["document"]["Statement"]
        yield f"repositories of {account['partition']}:{account['account']}", account["repositoryPolicies"]


def sid(statement: Mapping[str, Any]) -> str:
    found: str = statement.get("statement", statement)["Sid"]
    return found


ALL = [
    (population, where, sid(statement))
    for population in POPULATIONS
    for where, statements in statement_lists(printed(population))
    for statement in statements
]


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsFake]:
    """One AWS for all, whose roles each test writes anew."""
    with serve_in_thread() as fake:
        # Which provider takes which audience is for the documents to say.
        fake.trust_issuer(issuer().url, issuer().jwks(), audiences=("sts.amazonaws.com", "sts.amazonaws.com.cn"))
        yield fake


@pytest.fixture
def ecr(aws: AwsFake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ecr:
    """The controller's own ways to tokens: its ServiceAccount, and what its identities by registry have."""
    (tmp_path / "own-token").write_text(issuer().token(CONTROLLER_OF_IT.subject))
    (tmp_path / "token").write_text(issuer().token(CONTROLLER_OF_IT.subject, audience="sts.amazonaws.com.cn"))
    root = authority()
    root.write(tmp_path)
    aws.roles_anywhere.anchors[EDGES_ANCHOR] = root.certificate
    aws.roles_anywhere.profiles[EDGES_PROFILE] = frozenset({EDGES_ROLE})
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment(
        web_identity_token_file=str(tmp_path / "own-token"), role_arn=CONTROLLERS_ROLE
    ).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
    for name in ("_MIN_REMEMBERED", "_MAX_REMEMBERED"):
        monkeypatch.setattr(credentials, name, 0.0)
    monkeypatch.setattr(Ecr, "_start_caller_log", lambda *_: None)
    return Ecr(
        environment=os.environ,
        registries=(),
        allow_node_instance_role=False,
        clock=lambda: datetime.now(UTC),
        metrics=RequestRecorder(),
        service_account_token=service_account_token,
        identities=by_registry(str(tmp_path)).identities,
    )


async def service_account_token(identity: Identity) -> str:
    return issuer().token(str(identity))


async def refused(aws: AwsFake, ecr: Ecr, population: str) -> AsyncIterator[str]:
    """Return what is refused to whom, one by one: a token, or a pull with it."""
    for namespace, desired in POPULATIONS[population][1].items():
        for host, identity in desired.identities.items():
            try:
                token = await ecr.fetch(TokenScope.of(host, identity), demand(namespace))
            except FailureError as error:
                yield f"{error.failure.reason} for {namespace}: {error}"
            else:
                for each in await refusals(aws, host.name, token.auth.reveal()):
                    yield f"{Reason.ACCESS_DENIED} for {namespace}: {each}"


@pytest.mark.parametrize("population", POPULATIONS)
async def test_every_identity_pulls(aws: AwsFake, ecr: Ecr, population: str) -> None:
    """From each of its registries, those of other accounts included."""
    load(aws, printed(population))
    assert [each async for each in refused(aws, ecr, population)] == []


@pytest.mark.parametrize(("population", "where", "which"), ALL)
async def test_without_any_one_statement_something_is_refused(
    aws: AwsFake, ecr: Ecr, population: str, where: str, which: str
) -> None:
    """Whatever it is: a trust policy's, a permission, or what a repository of another account allows."""
    document = printed(population)
    (statements,) = [found for whose, found in statement_lists(document) if whose == where]
    statements[:] = [each for each in statements if sid(each) != which]
    load(aws, document)
    async with first(refused(aws, ecr, population)) as found:
        assert found.startswith(f"{Reason.ACCESS_DENIED} for ")


@asynccontextmanager
async def first(found: AsyncIterator[str]) -> AsyncIterator[str]:
    """Return the first, "" if there is none."""
    yield await anext(found, "")
