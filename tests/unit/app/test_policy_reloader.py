"""The policy is reloaded when the settings file changes; an invalid file changes nothing."""

import asyncio
import logging
from pathlib import Path

import pytest
import yaml

from pullkeeper.app.config_loader import Config
from pullkeeper.app.policy_reloader import CurrentPolicy, PolicyReloader
from pullkeeper.domain.config.policy import Policy
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


def config(path: Path, content: bytes) -> Config:
    return Config(settings=parsed(content), path=path, content=content)


class SettingsFile:
    """A settings file with a reloader, counting the changes that it reports."""

    def __init__(self, folder: Path, document: object = NONE) -> None:
        self.path = folder / "settings.yaml"
        self.changes = 0
        self.valid: list[bool] = []
        self.write(document)
        content = self.path.read_bytes()
        self.policy = CurrentPolicy(parsed(content).policy)
        self.reloader = PolicyReloader(
            config(self.path, content), self.policy, read=parsed, on_change=self._changed, set_valid=self.valid.append
        )

    def _changed(self) -> None:
        self.changes += 1

    def write(self, document: object) -> None:
        self.path.write_text(yaml.safe_dump(document))

    def reload(self, times: int = 1) -> None:
        for _ in range(times):
            asyncio.run(self.reloader.reload(self.path))

    @property
    def roles(self) -> list[str]:
        return [grant.role for grant in self.policy().roles]


@pytest.fixture
def settings_file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_changed_policy_is_in_force(settings_file: SettingsFile, caplog: pytest.LogCaptureFixture) -> None:
    """A changed policy is applied, logged and reported once, however often the file is read."""
    settings_file.write(BLUE)
    settings_file.reload(times=3)
    assert settings_file.roles == [ROLE]
    assert (settings_file.changes, settings_file.valid) == (1, [True, True])
    assert caplog.messages == ["policy reloaded"]


def test_unchanged_file_is_left_alone(settings_file: SettingsFile, caplog: pytest.LogCaptureFixture) -> None:
    """An unchanged file reports nothing."""
    settings_file.reload(times=3)
    assert (settings_file.changes, settings_file.valid, caplog.messages) == (0, [True], [])


def test_comment_does_not_reload_the_policy(settings_file: SettingsFile, caplog: pytest.LogCaptureFixture) -> None:
    """A change of the file that leaves the policy equal reports nothing."""
    settings_file.path.write_text(f"# why\n{settings_file.path.read_text()}")
    settings_file.reload()
    assert (settings_file.changes, caplog.messages) == (0, [])


@pytest.mark.parametrize("content", [yaml.safe_dump(BROKEN), "{", "[]", "roles: [", "\x00", "roles: [{operator: []}]"])
def test_invalid_file_keeps_the_policy_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """Whatever is wrong with it: the policy stays, the gauge turns 0, and one error is logged."""
    settings_file = SettingsFile(tmp_path, BLUE)
    settings_file.path.write_text(content)
    settings_file.reload(times=3)
    assert settings_file.roles == [ROLE]
    assert (settings_file.changes, settings_file.valid) == (0, [True, False])
    (message,) = caplog.messages
    assert message.startswith("settings not reloaded, the previous ones stay in force: ")


def test_file_that_is_not_utf8_keeps_the_policy(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 make the file invalid."""
    settings_file = SettingsFile(tmp_path, BLUE)
    settings_file.path.write_bytes(b"\xff\xfe\xfa")
    settings_file.reload()
    assert (settings_file.roles, settings_file.valid) == ([ROLE], [True, False])


def test_each_new_mistake_is_logged(settings_file: SettingsFile, caplog: pytest.LogCaptureFixture) -> None:
    """A second, different mistake is logged as well."""
    for document in (BROKEN, {"optIn": 7}):
        settings_file.write(document)
        settings_file.reload(times=2)
    assert ["roles: found" in message for message in caplog.messages] == [True, False]
    assert "optIn: found 7" in caplog.messages[1]


@pytest.mark.parametrize(("fixed", "changes"), [(NONE, 0), (BLUE, 1)])
def test_fixed_file_is_valid_again(settings_file: SettingsFile, fixed: dict[str, object], changes: int) -> None:
    """A valid file takes effect at once after an invalid one, whether it is the old one or a new one."""
    settings_file.write(BROKEN)
    settings_file.reload()
    settings_file.write(fixed)
    settings_file.reload()
    assert (settings_file.changes, settings_file.valid) == (changes, [True, False, True])


@pytest.mark.parametrize("rest", [NONE, BLUE])
def test_a_file_without_the_opt_in_that_was_there_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rest: dict[str, object]
) -> None:
    """It may have been cut off; to opt nobody in is to say so, and then the key may go."""
    settings_file = SettingsFile(tmp_path, {**NONE, "optIn": {"namespaces": ["a"]}})
    before = settings_file.policy()
    settings_file.write(rest)
    settings_file.reload(times=2)
    assert (settings_file.policy(), settings_file.valid) == (before, [True, False])
    (message,) = caplog.messages
    assert "stay in force: optIn: found nothing any more, expected it as before, or `optIn: {" in message
    settings_file.write({**rest, "optIn": {"namespaces": []}})
    settings_file.reload()
    settings_file.write(rest)
    settings_file.reload()
    assert settings_file.valid == [True, False, True, True]
    assert settings_file.policy().opt_in == Policy().opt_in


@pytest.mark.parametrize(
    "document",
    [{"maxConcurrentReconciles": 5}, {**NONE, "secretName": "other"}, {**NONE, "allowNodeInstanceRole": True}, {}],
)
def test_change_that_needs_a_restart_is_logged(
    settings_file: SettingsFile, caplog: pytest.LogCaptureFixture, document: dict[str, object]
) -> None:
    """A key outside the policy is not applied but logged as needing a restart."""
    settings_file.write(document)
    settings_file.reload()
    assert settings_file.changes == 0
    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "WARNING",
        "policy reloaded; other changed settings need a restart",
    )


def test_service_accounts_to_attach_to_are_reloaded(tmp_path: Path) -> None:
    """`attachToServiceAccounts` is part of the policy; `serviceAccountAttachment` is not."""
    settings_file = SettingsFile(tmp_path, {"serviceAccountAttachment": True})
    settings_file.write({"serviceAccountAttachment": True, "attachToServiceAccounts": ["builder"]})
    settings_file.reload()
    assert "builder" in settings_file.policy().attach_to
    settings_file.write({})
    settings_file.reload()
    assert (bool(settings_file.policy().attach_to), settings_file.changes) == (False, 2)


def test_identities_of_the_controller_stay_until_a_restart(
    settings_file: SettingsFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Their sources are opened at the start; what else the policy says is in force at once."""
    china = {"name": "china", "registries": ["*.cn"], "keysFile": "/keys"}
    settings_file.write({"identities": [china], "clusterName": "prod"})
    settings_file.reload()
    assert (settings_file.policy().cluster_name, settings_file.policy().identities) == ("prod", ())
    assert "other changed settings need a restart" in caplog.text


def test_policy_is_reloaded_along_with_a_change_that_needs_a_restart(settings_file: SettingsFile) -> None:
    """A change of both applies the policy now."""
    settings_file.write({**BLUE, "maxConcurrentReconciles": 5})
    settings_file.reload()
    assert (settings_file.roles, settings_file.changes) == ([ROLE], 1)


@pytest.mark.parametrize("document", [BLUE, NONE])
def test_one_failed_read_says_nothing(
    settings_file: SettingsFile, caplog: pytest.LogCaptureFixture, document: dict[str, object]
) -> None:
    """The kubelet may just be swapping the ConfigMap; the file is read once it is back."""
    settings_file.path.unlink()
    settings_file.reload()
    assert (settings_file.changes, settings_file.valid, caplog.messages) == (0, [True], [])
    settings_file.write(document)
    settings_file.reload()
    assert settings_file.changes == (document is BLUE)


@pytest.mark.parametrize("document", [BLUE, NONE, BROKEN])
@pytest.mark.parametrize("missing", [True, False])
def test_file_that_stays_unreadable_is_reported_once(
    settings_file: SettingsFile, caplog: pytest.LogCaptureFixture, document: dict[str, object], *, missing: bool
) -> None:
    """Whether it is missing or something else is there; when it is back it is judged anew, changed or not."""
    settings_file.path.unlink()
    if not missing:
        settings_file.path.mkdir()
    settings_file.reload(times=5)
    assert (settings_file.changes, settings_file.valid) == (0, [True, False])
    (message,) = caplog.messages
    assert message.startswith(f"settings file {settings_file.path} cannot be read, the previous ones stay in force: ")
    if not missing:
        settings_file.path.rmdir()
    settings_file.write(document)
    settings_file.reload(times=2)
    assert settings_file.valid == [True, False, document is not BROKEN]
    assert settings_file.changes == (document is BLUE)


def test_swapped_symbolic_link_is_followed(tmp_path: Path) -> None:
    """The kubelet updates a ConfigMap by pointing a symbolic link at another directory."""
    for folder, document in (("one", NONE), ("two", BLUE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "settings.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "data").symlink_to("one")
    path = tmp_path / "data" / "settings.yaml"
    content, changed = path.read_bytes(), asyncio.Event()
    policy = CurrentPolicy(parsed(content).policy)
    reloader = PolicyReloader(
        config(path, content), policy, read=parsed, on_change=changed.set, set_valid=lambda _: None
    )
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    asyncio.run(reloader.reload(path))
    assert changed.is_set()


def test_change_before_the_first_read_is_noticed(tmp_path: Path) -> None:
    """Changes are relative to the content that the settings came from, not to the file when `run` starts."""
    settings_file = SettingsFile(tmp_path)
    settings_file.write(BLUE)
    content = yaml.safe_dump(NONE).encode()
    policy = CurrentPolicy(parsed(content).policy)
    reloader = PolicyReloader(
        config(settings_file.path, content), policy, read=parsed, on_change=lambda: None, set_valid=lambda _: None
    )
    asyncio.run(reloader.reload(settings_file.path))
    assert [grant.role for grant in policy().roles] == [ROLE]


def test_run_checks_the_file_repeatedly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first and a second change are noticed without any notification."""
    monkeypatch.setattr("pullkeeper.app.policy_reloader._INTERVAL", 0.001)
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(NONE))

    async def scenario() -> list[int]:
        changed: asyncio.Queue[None] = asyncio.Queue()
        content, counts = path.read_bytes(), []
        policy = CurrentPolicy(parsed(content).policy)
        reloader = PolicyReloader(
            config(path, content),
            policy,
            read=parsed,
            on_change=lambda: changed.put_nowait(None),
            set_valid=lambda _: None,
        )
        watch = asyncio.create_task(reloader.run())
        for document in (BLUE, NONE):
            path.write_text(yaml.safe_dump(document))
            await asyncio.wait_for(changed.get(), HANG_GUARD)
            counts.append(len(policy().roles))
        watch.cancel()
        return counts

    assert asyncio.run(scenario()) == [1, 0]


def test_run_returns_without_a_file() -> None:
    """Settings from the environment alone never change."""
    policy = CurrentPolicy(Settings().policy)
    reloader = PolicyReloader(
        Config(settings=Settings()), policy, read=parsed, on_change=lambda: None, set_valid=lambda _: None
    )
    asyncio.run(reloader.run())
    assert policy() == Settings().policy


def test_a_change_of_the_class_is_a_warning(settings_file: SettingsFile, caplog: pytest.LogCaptureFixture) -> None:
    """Everything that was served is left to others from then on; a change of anything else says nothing of it."""
    settings_file.write(BLUE)
    settings_file.reload()
    assert "this installation serves" not in caplog.text
    settings_file.write({**BLUE, "class": "canary"})
    settings_file.reload()
    assert settings_file.policy().installation_class == "canary"
    assert "this installation serves the class canary instead of the default class: pull Secrets in" in caplog.text
