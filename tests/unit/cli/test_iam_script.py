"""The script of `pullkeeper iam -o aws-cli`, run with an `aws` that only writes down what it is asked for."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.views.iam_commands import as_script
from pullkeeper.domain.views.iam_documents import as_json
from pullkeeper.domain.views.iam_needs import plan
from testsupport.iam_examples import (
    BY_REGISTRY,
    CHINAS_ROLE,
    CONTROLLER_OF_IT,
    CONTROLLERS_ROLE,
    SETTINGS,
    by_registry,
    desired_by_registry,
    desired_states,
)

# $existing says whether the account has everything already.
AWS = """\
#!/usr/bin/env bash
case "$2" in
  get-caller-identity) echo "arn:$partition:sts::$account:assumed-role/admin/me"; exit ;;
  get-*) [ "$existing" = true ]; exit ;;
esac
printf '%s\\n' "$@" '' >> "$recorded"
"""


def run(
    folder: Path, account: str, *, partition: str = "aws", existing: bool = False, script: str = ""
) -> tuple[int, list[list[str]]]:
    (folder / "aws").write_text(AWS)
    (folder / "aws").chmod(0o755)
    recorded = folder / "recorded"
    recorded.write_text("")
    script = script or as_script(plan(SETTINGS, CONTROLLER_OF_IT, desired_states()))
    variables = {
        "account": account,
        "partition": partition,
        "existing": str(existing).lower(),
        "recorded": str(recorded),
    }
    environment = {**os.environ, **variables, "PATH": f"{folder}:{os.environ['PATH']}"}
    ended = subprocess.run(["bash"], input=script, env=environment, text=True, capture_output=True, check=False)
    # No argument of the script has several lines, or is empty.
    return ended.returncode, [each.split("\n") for each in recorded.read_text().split("\n\n") if each]


def option(command: Sequence[str], name: str) -> str:
    return command[command.index(name) + 1]


def planned(account: str) -> Any:
    document = json.loads(as_json(plan(SETTINGS, CONTROLLER_OF_IT, desired_states())))
    return next(each for each in document["accounts"] if each["account"] == account)


@pytest.mark.parametrize("account", ["123456789012", "222222222222", "444444444444"])
@pytest.mark.parametrize("existing", [False, True])
def test_the_script_does_what_the_json_says_in_the_account_that_it_runs_in(
    tmp_path: Path, account: str, *, existing: bool
) -> None:
    """The first time it creates, the second time it updates: the same documents, and nothing of other accounts."""
    status, commands = run(tmp_path, account, existing=existing)
    there = planned(account)
    trust = "update-assume-role-policy" if existing else "create-role"
    document = "--policy-document" if existing else "--assume-role-policy-document"
    roles = {option(each, "--role-name"): json.loads(option(each, document)) for each in commands if each[1] == trust}
    policies = [json.loads(option(each, "--policy-document")) for each in commands if each[1] == "put-role-policy"]
    assert (status, roles) == (0, {each["arn"].rpartition("/")[2]: each["trustPolicy"] for each in there["roles"]})
    assert policies == [policy["document"] for each in there["roles"] for policy in each["policies"]]
    providers = [each for each in commands if "open-id-connect-provider" in each[1]]
    ways = {"add-client-id-to-open-id-connect-provider" if existing else "create-open-id-connect-provider"}
    assert ({each[1] for each in providers} or ways, len(providers)) == (ways, len(there["oidcProviders"]))


def test_an_account_of_repositories_alone_is_left_as_it_is(tmp_path: Path) -> None:
    """What each repository has to allow is a comment: nobody but its owner knows its policy."""
    assert run(tmp_path, "555555555555") == (0, [])


@pytest.mark.parametrize(("partition", "role"), [("aws", CONTROLLERS_ROLE), ("aws-cn", CHINAS_ROLE)])
def test_accounts_of_the_same_number_are_told_apart_by_their_partition(
    tmp_path: Path, partition: str, role: str
) -> None:
    """Each partition numbers its accounts itself."""
    script = as_script(plan(by_registry(), BY_REGISTRY, desired_by_registry()))
    status, commands = run(tmp_path, "123456789012", partition=partition, script=script)
    (provider,) = [each for each in commands if each[1] == "create-open-id-connect-provider"]
    (trust,) = [option(each, "--assume-role-policy-document") for each in commands if each[1] == "create-role"]
    assert (status, role.split(":")[1] in json.loads(trust)["Statement"][0]["Principal"]["Federated"]) == (0, True)
    assert provider[-1] == ("sts.amazonaws.com.cn" if partition == "aws-cn" else "sts.amazonaws.com")
    assert run(tmp_path, "123456789012", partition="aws-us-gov", script=script) == (1, [])


def test_in_another_account_the_script_does_nothing(tmp_path: Path) -> None:
    """It fails, and says which accounts it is for."""
    assert run(tmp_path, "999999999999") == (1, [])
