"""What is written into pull Secrets, read by the code of others: by programs that pull images, and by admission."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import PULL_SECRET, manifest
from testsupport.examples import auth, published
from testsupport.fuzzing import Fuzzer
from testsupport.interop_tools import find_secret_parsers

READERS = (
    "kubelet",
    "docker/cli",
    "containers/image",
    "go-containerregistry",
    "go-containerregistry's Kubernetes",
)
HOSTS = st.from_regex(registry_host.HOST, fullmatch=True)
PASSWORDS = st.one_of(
    st.builds(lambda part, count: part * count, st.text("ABCxyz019+/=", min_size=1, max_size=30), st.integers(1, 100)),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1),
    # Docker cuts off NULs at the end.
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
)
STRANGE = ("x{}", "{}.evil.example.com", "evil.example.com/{}", "{}x")
"""Forms of hosts that are not the registry, though its name is in theirs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The logins that a pull Secret is written with, and hosts that are none of its registries."""

    logins: Mapping[RegistryHost, str]
    strangers: Sequence[str]

    @property
    def question(self) -> dict[str, Any]:
        """Return the Secret as it is written, with all of the hosts."""
        content = PullSecret(
            record=published(*self.logins), auths={host: auth(password) for host, password in self.logins.items()}
        )
        data = PULL_SECRET.data(content)
        secret = manifest(PULL_SECRET, "team-a", content.record, data, installation="system/pullkeeper")
        return {"secret": secret, "hosts": [*map(str, self.logins), *self.strangers]}

    @property
    def answer(self) -> dict[str, list[Any]]:
        """Return what each reader should find: one login for each registry, and none for strangers."""
        found = [[{"user": "AWS", "password": password}] for password in self.logins.values()]
        return {reader: [*found, *([] for _ in self.strangers)] for reader in READERS}


def _written(logins: Mapping[RegistryHost, str], other: str, form: str) -> Written:
    others = {other} - set(map(str, logins))
    return Written(logins=logins, strangers=[*others, *(form.format(host) for host in logins)])


LOGINS = st.dictionaries(HOSTS.map(registry_host.parse), PASSWORDS, min_size=1, max_size=4)
WRITTEN = st.builds(_written, LOGINS, HOSTS, st.sampled_from(STRANGE))


def test_pull_secrets(fuzzer: Fuzzer, tmp_path: Path) -> None:
    """Each reader finds the login of each registry, and no other host's pulls are shown one."""
    asked: list[tuple[Written, dict[str, Any]]] = []
    fuzzer.hold("pull Secrets, read by others", 0.02, WRITTEN, lambda given: asked.append((given, given.question)))
    answers = _ask([question for _, question in asked], tmp_path)
    for (given, question), answer in zip(asked, answers, strict=True):
        assert answer == given.answer, question["hosts"]


def _ask(questions: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    lines = "".join(f"{json.dumps(each)}\n" for each in questions).encode()
    ended = subprocess.run([find_secret_parsers(), folder], input=lines, capture_output=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr.decode()
    return [json.loads(line) for line in ended.stdout.splitlines()]
