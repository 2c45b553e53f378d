"""Where a command's settings are from: what was said, the pod's own file, or the only installation of the cluster."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pullkeeper.adapters.kubernetes.installations import MAX_NAMED
from pullkeeper.cli import found_settings, options
from pullkeeper.cli.found_settings import FoundSettings, find_settings, find_settings_alone
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.kube.api import METADATA_LIST, Response
from testsupport.fake_client import AWAY, FakeClient, Request, items, ok

FILE = "endMarker: true\nsecretName: theirs\n...\n"
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12))
"""To quote the last of them would take gigabytes."""
DENIED = ok({"message": "no"}, 403)


class Cluster:
    """Holds ConfigMaps, each with the same settings; what is denied is denied."""

    def __init__(self, *names: str, text: str = FILE, cluster_wide: bool = True, readable: bool = True) -> None:
        self._names = names
        self._text = text
        self._cluster_wide = cluster_wide
        self._readable = readable
        self.client = FakeClient(respond=self._respond)
        self.client.namespace = "mine"

    def _respond(self, request: Request) -> Response:
        *_, namespaces, where, kind = f"//{request.path}".split("/")
        if kind != "configmaps":
            return self._one(request.path)
        if namespaces != "namespaces":
            return self._list(*self._names) if self._cluster_wide else DENIED
        assert where == "mine"
        return self._list(*(each for each in self._names if each.startswith("mine/"))) if self._readable else DENIED

    def _list(self, *names: str) -> Response:
        """One page, as an API server gives it that was asked for no more."""
        most = MAX_NAMED + 1
        keys = [dict(zip(("namespace", "name"), each.split("/"), strict=True)) for each in names[:most]]
        return items(*({"metadata": each} for each in keys), more="next" if len(names) > most else "")

    def _one(self, path: str) -> Response:
        _, _, _, _, namespace, _, name = path.split("/")
        found = f"{namespace}/{name}" in self._names
        return ok({"data": {"settings.yaml": self._text}}) if found else ok(status=404)


def said(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add_settings(parser)
    options.add_secret_name(parser)
    return parser.parse_args(arguments)


async def found(cluster: Cluster, *arguments: str) -> FoundSettings:
    return await find_settings(said(*arguments), cluster.client)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out."""
    for name in ("PULLKEEPER_CONFIG", "PULLKEEPER_SECRET_NAME", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


async def test_the_only_installation_needs_no_option() -> None:
    """The search reads names; one ConfigMap is read."""
    cluster = Cluster("system/keeper")
    settings = await found(cluster)
    assert (settings.settings.secret_name, settings.source) == ("theirs", "ConfigMap system/keeper")
    assert settings.known
    assert settings.in_cluster
    assert settings.notes == ()
    search, read = cluster.client.requests
    assert search.accept == METADATA_LIST
    assert search.query == {"labelSelector": "pullkeeper.dev/component=settings", "limit": str(MAX_NAMED + 1)}
    assert (read.verb, read.path) == ("get", "/api/v1/namespaces/system/configmaps/keeper")


async def test_whoever_may_not_search_the_cluster_searches_the_namespace_of_the_context() -> None:
    """A team that has an installation of its own."""
    settings = await found(Cluster("mine/keeper", "other/keeper", cluster_wide=False))
    assert settings.source == "ConfigMap mine/keeper"


async def test_a_page_that_goes_on_is_not_taken_for_the_only_installation() -> None:
    """A server may give fewer than it was asked for: which others there are is not known."""
    client = FakeClient(items({"metadata": {"namespace": "system", "name": "keeper"}}, more="next"))
    with pytest.raises(InvalidInputError) as error:
        await find_settings(said(), client)
    assert "installations: found system/keeper and more, expected one, or --installation" in str(error.value)


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (Cluster(), "no installation is found here"),
        (Cluster("other/keeper", cluster_wide=False), "found in namespace mine, the only one that may be searched"),
        (Cluster("mine/keeper", cluster_wide=False, readable=False), "grant list on configmaps, in all namespaces or"),
    ],
)
async def test_what_is_not_found_is_said(cluster: Cluster, words: str) -> None:
    """With what to do; the defaults are in its place."""
    settings = await found(cluster)
    (note,) = settings.notes
    assert words in note
    assert "name them with --installation NAMESPACE/NAME or --config FILE" in note
    assert not settings.known
    assert settings.settings.secret_name == "ecr-pull-secret"


async def test_an_api_server_that_is_away_is_a_note() -> None:
    """Whatever the command asks next says the same, with the status that it has."""
    (note,) = (await find_settings(said(), FakeClient(AWAY))).notes
    assert "not read: the API server is away" in note


async def test_a_search_that_hangs_is_given_up() -> None:
    """The command goes on without."""

    class Hanging(FakeClient):
        async def request(self, *_: object, **__: object) -> Response:
            await asyncio.sleep(3600)
            return ok()

    began = asyncio.get_running_loop().time()
    (note,) = (await find_settings(said(), Hanging())).notes
    assert "not read within 5 s" in note
    assert asyncio.get_running_loop().time() - began == 5


async def test_several_are_named_and_none_is_chosen() -> None:
    """The first few of them: anybody may make ConfigMaps with the label."""
    with pytest.raises(InvalidInputError) as raised:
        await found(Cluster("a/keeper", "b/keeper"))
    assert (
        str(raised.value) == "installations: found a/keeper, b/keeper, expected one, or --installation NAMESPACE/NAME"
    )


@pytest.mark.parametrize("count", [MAX_NAMED + 1, MAX_NAMED + 2, 5000])
async def test_of_very_many_only_the_first_are_asked_for(count: int) -> None:
    """With one request."""
    cluster = Cluster(*(f"n{number}/keeper" for number in range(count)))
    with pytest.raises(InvalidInputError, match=rf"n{MAX_NAMED - 1}/keeper and more, expected one") as raised:
        await found(cluster)
    assert f"n{MAX_NAMED}/" not in str(raised.value)
    assert len(cluster.client.requests) == 1


async def test_the_one_that_is_named_is_read_without_a_search() -> None:
    """It takes no right but to that ConfigMap."""
    cluster = Cluster("a/keeper", "b/keeper", cluster_wide=False, readable=False)
    assert (await found(cluster, "--installation", "b/keeper")).source == "ConfigMap b/keeper"
    assert [request.path for request in cluster.client.requests] == ["/api/v1/namespaces/b/configmaps/keeper"]


@pytest.mark.parametrize("name", ["keeper", "b/absent", "B/keeper", "b/../secrets", "b/keeper/x", "/", "b/keeper?x"])
async def test_a_name_of_none_is_refused(name: str) -> None:
    """It would be part of an address."""
    with pytest.raises(InvalidInputError, match="--installation: found "):
        await found(Cluster("b/keeper"), "--installation", name)


async def test_one_that_is_named_and_may_not_be_read_is_a_failure() -> None:
    """Nothing else takes its place."""
    with pytest.raises(FailureError, match="grant get on configmaps named keeper in b"):
        await find_settings(said("--installation", "b/keeper"), FakeClient(DENIED))
    with pytest.raises(FailureError, match=r"ConfigMap b/keeper has no key settings\.yaml"):
        await find_settings(said("--installation", "b/keeper"), FakeClient(ok({"data": {"other": ""}})))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("endMarker: true\nnope: 1\n...\n", "ConfigMap a/keeper: nope: found an unknown key"),
        ("endMarker: true\nsecretName: x\n", "ConfigMap a/keeper: found a file that was cut off"),
        ("a: [", "ConfigMap a/keeper: found "),
        ("", "ConfigMap a/keeper: found an empty file"),
        (BOMB, "ConfigMap a/keeper: found aliases (*), expected the file that the chart writes"),
        ("#" * 300_000, "ConfigMap a/keeper: found 300,000 bytes, expected the file that the chart writes"),
    ],
)
async def test_invalid_settings_name_their_config_map(text: str, words: str) -> None:
    """And every problem."""
    with pytest.raises(InvalidInputError) as raised:
        await found(Cluster("a/keeper", text=text))
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    "cluster", [Cluster("a/keeper", text="nope: 1"), Cluster("a/keeper", "b/keeper"), Cluster("a/keeper")]
)
async def test_with_a_secret_name_nothing_else_is_needed(cluster: Cluster) -> None:
    """Settings that are invalid, of several, or of another pull Secret are not used, and that is said."""
    settings = await found(cluster, "--secret-name", "mine")
    assert (settings.settings.secret_name, settings.known, len(settings.notes)) == ("mine", False, 1)


async def test_a_secret_name_that_is_the_installations_changes_nothing() -> None:
    """Its settings are known."""
    assert (await found(Cluster("a/keeper"), "--secret-name", "theirs")).known


async def test_a_file_that_was_said_is_all_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option before the variable that a pod of the chart has, and either before any search."""
    for name in ("option", "variable"):
        (tmp_path / name).write_text(f"secretName: {name}")
    monkeypatch.setenv("PULLKEEPER_CONFIG", str(tmp_path / "variable"))
    cluster = Cluster("a/keeper")
    assert (await found(cluster)).settings.secret_name == "variable"
    assert (await found(cluster, "--config", str(tmp_path / "option"))).settings.secret_name == "option"
    assert cluster.client.requests == []
    assert (await found(cluster, "--installation", "a/keeper")).settings.secret_name == "theirs"


async def test_without_an_api_server_some_commands_work_with_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where an installation is named, which nobody could read."""

    async def away() -> FakeClient:
        raise AWAY

    @asynccontextmanager
    async def connected(_: argparse.Namespace) -> AsyncIterator[FakeClient]:
        yield await away()

    monkeypatch.setattr(found_settings, "connected", connected)
    (note,) = (await find_settings_alone(said())).notes
    assert "not read: the API server is away" in note
    with pytest.raises(FailureError):
        await find_settings_alone(said("--installation", "a/keeper"))


async def test_a_file_takes_no_api_server(tmp_path: Path) -> None:
    """A pipeline may have none."""
    (tmp_path / "file").write_text("secretName: x")
    assert (await find_settings_alone(said("--config", str(tmp_path / "file")))).settings.secret_name == "x"
