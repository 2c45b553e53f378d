"""docs/outside-aws.md says of everything whether it was tried."""

import re
from pathlib import Path

from testsupport.outside_aws_page import TYPED, commands, is_typed, not_typed, sections, yaml_blocks

TESTS = Path("tests/control_plane/test_outside_aws_page.py").read_text()


def test_sections_with_commands_were_tried_or_name_their_source() -> None:
    """A command, or a file to be written, that no test types comes with the page of those who know."""
    untried = {title: text for title, text in sections().items() if "```" in text and title not in TYPED}
    assert [title for title, text in untried.items() if not _has_source(text)] == []


def test_the_page_lists_every_command_that_no_test_types() -> None:
    """And no other: what is typed is not on the list, and nothing is that is not on the page."""
    everything = {title: commands(title) for title in sections()}
    untyped = [each for title, found in everything.items() if title not in TYPED for each in found]
    assert [command for command in untyped if is_typed(command)] == []
    for beginning in not_typed():
        assert [each for found in everything.values() for each in found if f"{each} ".startswith(f"{beginning} ")]


def test_what_is_said_to_be_typed_is_typed() -> None:
    """By the test of that section."""
    assert [title for title in TYPED if f'typed("{title}")' not in TESTS] == []
    assert [title for title in TYPED if not [each for each in commands(title) if is_typed(each)]] == []


def test_flags_are_the_same_for_k3s_and_kubeadm() -> None:
    """A real API server is started with those of kubeadm; k3s sets the audiences itself."""
    k3s, kubeadm, *_ = yaml_blocks("k3s, RKE2, kubeadm, Talos")
    flags = [f"{each['name']}={each['value']}" for each in kubeadm["apiServer"]["extraArgs"]]
    assert k3s["kube-apiserver-arg"] == [each for each in flags if not each.startswith("api-audiences=")]


def _has_source(text: str) -> bool:
    return re.search(r"^Not tried here; source: \[[^]]+\]\(https://", text, re.MULTILINE | re.DOTALL) is not None
