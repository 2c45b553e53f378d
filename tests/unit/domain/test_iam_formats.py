"""What `pullkeeper iam` prints; tests/chart/test_iam_formats.py lets tools of each format read the same."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pullkeeper.domain.config.policy import EVERY_NAMESPACE, Policy, RoleGrant
from pullkeeper.domain.views.commented import Raw, as_hcl, as_yaml
from pullkeeper.domain.views.iam_commands import as_script
from pullkeeper.domain.views.iam_documents import as_cloudformation, as_json
from pullkeeper.domain.views.iam_needs import plan
from pullkeeper.domain.views.iam_plan import Plan
from pullkeeper.domain.views.iam_terraform import as_terraform
from testsupport import golden
from testsupport.iam_examples import (
    ANYWHERE,
    BY_REGISTRY,
    CONTROLLER_OF_IT,
    IRELAND,
    SETTINGS,
    SHARED,
    asked,
    by_registry,
    desired_by_registry,
    desired_states,
)

GOLDEN = Path(__file__).parent / "golden"
FORMATS: Mapping[str, Callable[[Plan], str]] = {
    "json": as_json,
    "terraform": as_terraform,
    "cloudformation": as_cloudformation,
    "aws-cli": as_script,
}
COMMENTED = ("terraform", "cloudformation", "aws-cli")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("only", ["", "blue-1"])
def test_the_whole_and_a_namespaces_part_match_the_golden_files(form: str, only: str) -> None:
    """Every kind of identity, several accounts, a repository policy, notes."""
    found = plan(SETTINGS, CONTROLLER_OF_IT, desired_states(), only=only)
    golden.check(GOLDEN / f"iam-{form}{'-part' if only else ''}.txt", FORMATS[form](found) + "\n")


@pytest.mark.parametrize("form", FORMATS)
def test_identities_by_registry_match_the_golden_files(form: str) -> None:
    """Three partitions, two accounts of the same number, a certificate, keys whose owner nobody knows."""
    found = plan(by_registry(), BY_REGISTRY, desired_by_registry())
    golden.check(GOLDEN / f"iam-{form}-identities.txt", FORMATS[form](found) + "\n")


@pytest.mark.parametrize("form", COMMENTED)
def test_notes_and_reasons_are_comments_of_one_line(form: str) -> None:
    """Whatever they contain: text from the cluster must not become code."""
    found = plan(SETTINGS, CONTROLLER_OF_IT, desired_states())
    hostile = 'namespace/x: $(id)\naccount_1() { rm; }\r\u2028resource "x" {}\x1b[2J'
    text = FORMATS[form](replace(found, notes=(hostile, "x" * 3000, "another")))
    lines = [line for line in re.split(r"[\n\r\u2028]", text) if "NOTE" in line or "$(id)" in line]
    assert lines == [
        '# NOTE: namespace/x: $(id)\\naccount_1() { rm; }\\r\\u2028resource "x" {}\\x1b[2J',
        f"# NOTE: {'x' * 1993}…",
        "# NOTE: another",
    ]
    assert "\x1b" not in text


@pytest.mark.parametrize("form", COMMENTED)
def test_every_statement_says_why_it_is_needed(form: str) -> None:
    """As a comment, which the policy itself cannot have."""
    found = plan(SETTINGS, CONTROLLER_OF_IT, desired_states())
    text = FORMATS[form](found)
    for account in found.accounts:
        for role in account.roles:
            assert role.why in text
            assert all(statement.why in text for statement in (*role.trust, *role.permissions))


@pytest.mark.parametrize("form", FORMATS)
def test_an_account_with_nothing_but_repositories_is_named(form: str) -> None:
    """Its part creates nothing, and says what each repository has to allow."""
    part = plan(SETTINGS, CONTROLLER_OF_IT, desired_states()).of_account("555555555555")
    text = FORMATS[form](part)
    assert "555555555555" in text
    assert "set-repository-policy" in text or json.loads(text)["accounts"][0]["repositoryPolicies"]


@pytest.mark.parametrize("form", COMMENTED)
def test_a_command_is_whole_however_long_it_is(form: str) -> None:
    """Unlike other comments: it is there to be copied."""
    arns = [f"arn:aws:iam::333333333333:role/{'team/' * 10}{number}" for number in range(100)]
    policy = Policy(registries=(SHARED,), roles=tuple(RoleGrant(role=arn, namespaces=EVERY_NAMESPACE) for arn in arns))
    text = FORMATS[form](plan(policy, CONTROLLER_OF_IT, {}))
    (line,) = [line for line in text.split("\n") if "set-repository-policy" in line]
    (statement,) = json.loads(shlex.split(line)[-1])["Statement"]
    assert statement["Principal"]["AWS"] == sorted([CONTROLLER_OF_IT.role.text, *arns])


def test_a_role_waits_for_those_that_it_trusts() -> None:
    """IAM refuses a trust policy that names what does not exist; what is not created here exists."""
    policy = Policy(
        registries=(IRELAND,),
        roles=(RoleGrant(role="arn:aws:iam::123456789012:role/Team_A", namespaces=EVERY_NAMESPACE),),
    )
    found = plan(policy, CONTROLLER_OF_IT, {})
    resources = yaml.safe_load(as_cloudformation(found))["Resources"]
    provider, own, team = resources
    assert re.fullmatch("RoleTeamA[0-9a-f]{8}", team)
    assert [each.get("DependsOn") for each in resources.values()] == [None, [provider], [own]]
    waits = re.findall(r"depends_on = \[\n\s+(\S+),\n\s+\]", as_terraform(found))
    assert waits == [f"aws_iam_openid_connect_provider.{provider}", f"aws_iam_role.{own}"]
    asking = {"a": asked(policy, "a", role_arn=policy.roles[0].role)}
    part = plan(policy, CONTROLLER_OF_IT, asking, only="a")
    assert "depends_on" not in as_terraform(part)
    assert "DependsOn" not in as_cloudformation(part)


def test_without_registries_there_are_no_regions_and_no_permissions() -> None:
    """IAM has no regions, and the provider of Terraform can have one from elsewhere."""
    found = plan(replace(SETTINGS, registries=(), roles=()), CONTROLLER_OF_IT, {})
    assert [account.region for account in found.accounts] == [""]
    assert [role["policies"] for role in json.loads(as_json(found))["accounts"][0]["roles"]] == [[]]
    assert "region" not in as_terraform(found)
    assert "aws_iam_role_policy" not in as_terraform(found)
    assert "\n  policy " not in as_script(found)
    assert "Policies" not in as_cloudformation(found)


@pytest.mark.parametrize("form", FORMATS)
def test_what_roles_anywhere_needs_is_said(form: str) -> None:
    """Nobody but its owner knows what else a profile is for: the command is a comment."""
    found = plan(SETTINGS, replace(CONTROLLER_OF_IT, anywhere=ANYWHERE), {})
    text = FORMATS[form](found)
    assert ANYWHERE.trust_anchor in text
    if form == "json":
        assert json.loads(text)["accounts"][0]["rolesAnywhere"][0]["roleArns"] == [ANYWHERE.role.text]
    else:
        profile = "22222222-2222-2222-2222-222222222222"
        assert f"#   aws rolesanywhere update-profile --region eu-west-1 --profile-id {profile} --role-arns" in text


def test_yaml_quotes_what_is_no_plain_word() -> None:
    """Keys with colons, texts with marks, and nothing that is empty gets lost."""
    tree = {"#": "why", "a:b": 'say "x"\n', "none": [], "empty": {}, "list": [{"#": "first", "k": "v", "l": 1}, "t"]}
    assert as_yaml(tree).split("\n") == [
        "# why",
        '"a:b": "say \\"x\\"\\n"',
        "none: []",
        "empty: {}",
        "list:",
        "  # first",
        '  - k: "v"',
        "    l: 1",
        '  - "t"',
    ]


def test_hcl_takes_marks_of_templates_for_themselves() -> None:
    """In texts and in keys; only what is given as an expression is one. It does not know JSON's pairs of escapes."""
    tree = {"#": "why", "${x}": "%{ if } ${a} é😀", "a": Raw("aws_iam_role.x"), "n": [1, {"b": "c"}]}
    assert as_hcl(tree).split("\n") == [
        "{",
        "  # why",
        '  "$${x}" = "%%{ if } $${a} é😀"',
        "  a       = aws_iam_role.x",
        "  n = [",
        '    "1",',
        "    {",
        '      b = "c"',
        "    },",
        "  ]",
        "}",
    ]
