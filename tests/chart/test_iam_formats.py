"""What `pullkeeper iam` prints, read by tools of each format: cfn-lint, a parser of HCL, shellcheck.

cfn-lint knows the grammar of IAM's policies and every action, so it is the policies' judge too. It reads the golden
files of tests/unit/domain/test_iam_formats.py.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from cfnlint.api import lint

GOLDEN = Path("tests/unit/domain/golden")
PRINTED = ("", "-part", "-identities")


def printed(form: str, part: str = "") -> str:
    return (GOLDEN / f"iam-{form}{part}.txt").read_text()


def templates(part: str = "") -> list[str]:
    found = printed("cloudformation", part).split("\n---\n")
    return [each for each in found if yaml.safe_load(each) is not None]


@pytest.mark.parametrize("part", PRINTED)
def test_cfn_lint_finds_nothing_in_templates_and_their_policies(part: str) -> None:
    """Neither errors nor warnings, whatever the region."""
    found = [f"{match.rule.id} {match.linenumber}: {match.message}" for each in templates(part) for match in lint(each)]
    assert (found, bool(templates(part))) == ([], True)


@pytest.mark.parametrize(
    ("given", "wrong", "rule"),
    [
        ("ecr:BatchGetImage", "ecr:BatchGetImages", "W3037"),
        ('Effect: "Allow"', 'Effect: "allow"', "E3530"),
        ("StringEquals:", "StringEqual:", "E3530"),
        ("PolicyName:", "Name:", "E3002"),
    ],
)
def test_cfn_lint_would_find_what_is_wrong(given: str, wrong: str, rule: str) -> None:
    """An action that there is not, a wrong word of a policy, a property that there is not."""
    template = next(each for each in templates() if given in each)
    assert rule in {match.rule.id for match in lint(template.replace(given, wrong))}


@pytest.mark.parametrize("part", PRINTED)
def test_terraform_is_hcl_with_the_same_policies(part: str) -> None:
    """Each resource names a provider that there is, and depends on resources that there are."""
    parsed: Mapping[str, Any] = hcl2.loads(printed("terraform", part))
    aliases = {block['"aws"']["alias"].strip('"') for block in parsed["provider"]}
    resources = {
        (kind.strip('"'), name.strip('"')): block
        for each in parsed["resource"]
        for kind, named in each.items()
        for name, block in named.items()
    }
    assert {block["provider"] for block in resources.values()} <= {f"${{aws.{alias}}}" for alias in aliases}
    known = {f"${{{kind}.{name}}}" for kind, name in resources}
    assert {each for block in resources.values() for each in block.get("depends_on", ())} <= known
    roles = [name for kind, name in resources if kind == "aws_iam_role"]
    assert len(roles) == sum(each.count('Type: "AWS::IAM::Role"') for each in templates(part))


def test_shellcheck_finds_nothing_in_the_script(tmp_path: Path) -> None:
    """Nor does Bash in its grammar."""
    for part in PRINTED:
        script = tmp_path / f"iam{part}.sh"
        script.write_text(printed("aws-cli", part))
        commands = (["bash", "-n"], [str(Path(sys.executable).with_name("shellcheck")), "--severity=style"])
        for command in commands:
            ended = subprocess.run([*command, str(script)], capture_output=True, text=True, check=False)
            assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
