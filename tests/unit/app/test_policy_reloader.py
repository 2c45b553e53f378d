"""The policy is taken over whenever its file changes, and a broken file changes nothing."""

import asyncio
import logging
from pathlib import Path

import pytest
import yaml

from pullkeeper.app.policy_reloader import PolicyReloader
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from testsupport.waiting import HANG_GUARD

ROLE = "arn:aws:iam::123456789012:role/blue"
NONE: dict[str, object] = {"maxConcurrentReconciles": 4}
BLUE: dict[str, object] = {**NONE, "roles": [{"role": ROLE, "namespaces": ["blue-*"]}]}
BROKEN: dict[str, object] = {**NONE, "roles": "nonsense"}


def parsed(content: bytes) -> Settings:
    try:
        document = yaml.safe_load(content)
    except (ValueError, yaml.YAMLError):
        raise InvalidInputError([Problem(where="the file", found="noise", expected="YAML")]) from None
    return parse_settings(document, {})


class Installation:
    """A settings file, and whoever listens to its changes."""

    def __init__(self, folder: Path, document: object = NONE) -> None:
        self.path = folder / "settings.yaml"
        self.changes = 0
        self.valid: list[bool] = []
        self.write(document)
        content = self.path.read_bytes()
        self.file = PolicyReloader(
            self.path, content, parsed(content), read=parsed, changed=self._changed, meter=self.valid.append
        )

    def _changed(self) -> None:
        self.changes += 1

    def write(self, document: object) -> None:
        self.path.write_text(yaml.safe_dump(document))

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            asyncio.run(self.file.look(self.path))

    @property
    def roles(self) -> list[str]:
        return [grant.role for grant in self.file.policy().roles]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_changed_policy_is_in_force(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """A changed file is taken over, said and passed on once, however often it is looked at."""
    installation.write(BLUE)
    installation.look(times=3)
    assert installation.roles == [ROLE]
    assert (installation.changes, installation.valid) == (1, [True, True])
    assert caplog.messages == ["the changed policy is in force"]


def test_unchanged_file_is_left_alone(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is woken for nothing."""
    installation.look(times=3)
    assert (installation.changes, installation.valid, caplog.messages) == (0, [True], [])


def test_other_words_for_the_same_wake_nobody(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """A comment changes the file and not the policy."""
    installation.path.write_text(f"# why\n{installation.path.read_text()}")
    installation.look()
    assert (installation.changes, caplog.messages) == (0, [])


@pytest.mark.parametrize("content", [yaml.safe_dump(BROKEN), "{", "[]", "roles: [", "\x00", "roles: [{operator: []}]"])
def test_broken_file_keeps_the_old_policy_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """Whatever is wrong with it: the old policy stays, the gauge tells, and the log says it once."""
    installation = Installation(tmp_path, BLUE)
    installation.path.write_text(content)
    installation.look(times=3)
    assert installation.roles == [ROLE]
    assert (installation.changes, installation.valid) == (0, [True, False])
    (message,) = caplog.messages
    assert message.startswith("the changed settings are wrong, so the old ones stay in force: ")


def test_file_that_is_no_text_keeps_the_old_policy(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are one more way of being broken."""
    installation = Installation(tmp_path, BLUE)
    installation.path.write_bytes(b"\xff\xfe\xfa")
    installation.look()
    assert (installation.roles, installation.valid) == ([ROLE], [True, False])


def test_each_new_mistake_is_said(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """Who mends one mistake and makes another reads of that one too."""
    for document in (BROKEN, {"optIn": 7}):
        installation.write(document)
        installation.look(times=2)
    assert ["roles: found" in message for message in caplog.messages] == [True, False]
    assert "optIn: found 7" in caplog.messages[1]


@pytest.mark.parametrize(("mended", "changes"), [(NONE, 0), (BLUE, 1)])
def test_mended_file_is_valid_again(installation: Installation, mended: dict[str, object], changes: int) -> None:
    """After a broken file the right one counts at once, be it the old one or a new one."""
    installation.write(BROKEN)
    installation.look()
    installation.write(mended)
    installation.look()
    assert (installation.changes, installation.valid) == (changes, [True, False, True])


@pytest.mark.parametrize(
    "document",
    [{"maxConcurrentReconciles": 5}, {**NONE, "secretName": "other"}, {**NONE, "allowNodeInstanceRole": True}, {}],
)
def test_what_takes_a_restart_is_said(
    installation: Installation, caplog: pytest.LogCaptureFixture, document: dict[str, object]
) -> None:
    """A key outside of the policy waits for a restart, wakes nobody, and does not pass in silence."""
    installation.write(document)
    installation.look()
    assert installation.changes == 0
    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "WARNING",
        "the changed settings take a restart, but for the policy, which is in force now",
    )


def test_accounts_to_attach_to_change_without_a_restart(tmp_path: Path) -> None:
    """The list is policy, and whether ServiceAccounts are touched at all is not."""
    installation = Installation(tmp_path, {"serviceAccountAttachment": True})
    installation.write({"serviceAccountAttachment": True, "attachToServiceAccounts": ["builder"]})
    installation.look()
    assert "builder" in installation.file.policy().attach_to
    installation.write({})
    installation.look()
    assert (bool(installation.file.policy().attach_to), installation.changes) == (False, 2)


def test_policy_beside_what_takes_a_restart_counts(installation: Installation) -> None:
    """One change of both takes the policy over now."""
    installation.write({**BLUE, "maxConcurrentReconciles": 5})
    installation.look()
    assert (installation.roles, installation.changes) == ([ROLE], 1)


@pytest.mark.parametrize("document", [BLUE, NONE])
def test_file_that_vanishes_changes_nothing(
    installation: Installation, caplog: pytest.LogCaptureFixture, document: dict[str, object]
) -> None:
    """A ConfigMap is swapped under our feet: while it is away all stays as it is, and then it is parse_settings."""
    installation.path.unlink()
    installation.look(times=2)
    assert (installation.changes, installation.valid, caplog.messages) == (0, [True], [])
    installation.write(document)
    installation.look()
    assert installation.changes == (document is BLUE)


def test_swapped_link_is_followed(tmp_path: Path) -> None:
    """The kubelet brings a new ConfigMap by turning a symbolic link to another folder."""
    for folder, document in (("one", NONE), ("two", BLUE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "settings.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "data").symlink_to("one")
    path = tmp_path / "data" / "settings.yaml"
    content, woken = path.read_bytes(), asyncio.Event()
    file = PolicyReloader(path, content, parsed(content), read=parsed, changed=woken.set, meter=lambda _: None)
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    asyncio.run(file.look(path))
    assert woken.is_set()


def test_change_before_the_first_look_is_seen(tmp_path: Path) -> None:
    """What counts is the file as the settings were parse_settings from, not as it is when the watch begins."""
    installation = Installation(tmp_path)
    installation.write(BLUE)
    content = yaml.safe_dump(NONE).encode()
    file = PolicyReloader(
        installation.path, content, parsed(content), read=parsed, changed=lambda: None, meter=lambda _: None
    )
    asyncio.run(file.look(installation.path))
    assert [grant.role for grant in file.policy().roles] == [ROLE]


def test_watch_looks_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to tell that the file has changed, a first time and a second."""
    monkeypatch.setattr("pullkeeper.app.policy_reloader._EVERY", 0.001)
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(NONE))

    async def scenario() -> list[int]:
        woken: asyncio.Queue[None] = asyncio.Queue()
        content, counts = path.read_bytes(), []
        file = PolicyReloader(
            path,
            content,
            parsed(content),
            read=parsed,
            changed=lambda: woken.put_nowait(None),
            meter=lambda _: None,
        )
        watch = asyncio.create_task(file.watch())
        for document in (BLUE, NONE):
            path.write_text(yaml.safe_dump(document))
            await asyncio.wait_for(woken.get(), HANG_GUARD)
            counts.append(len(file.policy().roles))
        watch.cancel()
        return counts

    assert asyncio.run(scenario()) == [1, 0]


def test_without_a_file_there_is_nothing_to_watch() -> None:
    """Settings from the environment alone stay as they are."""
    file = PolicyReloader(None, b"", Settings(), read=parsed, changed=lambda: None, meter=lambda _: None)
    asyncio.run(file.watch())
    assert file.policy() == Settings().policy
