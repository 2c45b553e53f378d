"""docs/quickstart.md lists what no test types, and nothing else."""

import yaml

from pullkeeper.domain.config.settings import parse_settings
from testsupport.quickstart_page import LAPTOP, LOCAL, blocks, commands, is_typed, not_typed


def test_the_page_lists_what_no_test_types() -> None:
    """From a laptop everything else is typed; on a local cluster the rest is what the first section has, too."""
    everything = [*commands(LAPTOP), *commands(LOCAL)]
    for beginning in not_typed():
        assert [command for command in everything if f"{command} ".startswith(f"{beginning} ")], beginning
    typed_before = {command.split("=")[0] for command in commands(LAPTOP) if is_typed(command)}
    rest = {command.split("=")[0] for command in commands(LOCAL) if is_typed(command)}
    assert rest - typed_before == {"kubectl create namespace pullkeeper-system"}


def test_the_settings_touch_one_namespace_only() -> None:
    """A cluster may be somebody else's, too: no right beyond that namespace is needed, no port is open to others."""
    (block,) = blocks(LAPTOP, "yaml")
    settings = parse_settings(yaml.safe_load(block), {})
    assert settings.watch_namespaces == ("quickstart",)
    assert settings.http_host == "127.0.0.1"
