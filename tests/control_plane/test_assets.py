"""Where the binaries come from, and what is said when they cannot be had."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testsupport.control_plane import assets
from testsupport.control_plane.assets import AssetsError, find, kubernetes_version

Fill = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Give a function that makes a folder with executables of the given names."""

    def filled(folder: str, *names: str) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for name in names:
            (path / name).touch(mode=0o755)
        return path

    return filled


@pytest.fixture
def cache() -> str:
    return str(Path("cache") / "pullkeeper" / f"kubernetes-{kubernetes_version()}")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment without Go and with an empty cache."""
    return {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_given_assets_are_taken(fill: Fill, environment: dict[str, str]) -> None:
    """KUBEBUILDER_ASSETS comes before everything else."""
    folder = fill("given", *assets.NAMES)
    found = find({**environment, "KUBEBUILDER_ASSETS": str(folder)})
    assert {found.etcd.parent, found.kube_apiserver.parent, found.kube_controller_manager.parent} == {folder}


def test_what_the_given_assets_lack_comes_from_the_cache(fill: Fill, cache: str, environment: dict[str, str]) -> None:
    """The controller manager, which setup-envtest does not bring, is the only one built."""
    folder = fill("given", "etcd", "kube-apiserver")
    built = fill(cache, "kube-controller-manager")
    found = find({**environment, "KUBEBUILDER_ASSETS": str(folder)})
    assert (found.etcd.parent, found.kube_controller_manager.parent) == (folder, built)


@pytest.mark.parametrize("present", ["etcd", "kube-apiserver"])
def test_given_assets_without_a_server_are_an_error(fill: Fill, environment: dict[str, str], present: str) -> None:
    """A folder that was named but has not what it should is never passed over in silence."""
    folder = fill("given", present)
    with pytest.raises(AssetsError, match=f"^KUBEBUILDER_ASSETS={folder} has no executable") as raised:
        find({**environment, "KUBEBUILDER_ASSETS": str(folder)})
    assert "\n" not in str(raised.value)


def test_the_cache_is_used(fill: Fill, cache: str, environment: dict[str, str]) -> None:
    """What was built once is built no more."""
    folder = fill(cache, *assets.NAMES)
    assert find(environment).etcd.parent == folder


def test_without_go_the_error_says_how_to_get_it(environment: dict[str, str]) -> None:
    """One line names what is missing and both ways out."""
    with pytest.raises(AssetsError) as raised:
        find(environment)
    message = str(raised.value)
    assert message.startswith("no etcd, kube-apiserver, kube-controller-manager of Kubernetes ")
    assert "install Go" in message
    assert "set KUBEBUILDER_ASSETS" in message
    assert "\n" not in message


GO = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo built > "$2"
chmod +x "$2"
"""


def test_with_go_the_missing_is_built(fill: Fill, cache: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Only what the cache lacks is built, and it is executable when it appears."""
    folder = fill(cache, "etcd", "kube-apiserver")
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    found = find({**environment, "PATH": f"{tmp_path}:/bin:/usr/bin"})
    assert found.kube_controller_manager.read_text() == "built\n"
    assert (folder / "etcd").read_text() == ""
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == list(assets.NAMES)


@pytest.mark.parametrize("minor", assets.OLDER)
def test_older_api_server_is_built_once_into_a_folder_of_its_own(
    environment: dict[str, str], tmp_path: Path, minor: str
) -> None:
    """Its version is that of its own module, and no other binary is built."""
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    built = assets.older_api_server(minor, {**environment, "PATH": f"{tmp_path}:/bin:/usr/bin"})
    assert built.read_text() == "built\n"
    assert built.parent.name.startswith(f"kubernetes-{minor}.")
    assert [path.name for path in built.parent.iterdir() if not path.name.startswith(".")] == ["kube-apiserver"]
    assert assets.older_api_server(minor, environment) == built


def test_a_failing_build_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    """The compiler's own output goes to the terminal; the error says what to do."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\nexit 3\n")
    go.chmod(0o755)
    with pytest.raises(AssetsError, match=r"^`go build \./etcd` in .* failed \(exit code 3\)"):
        find({**environment, "PATH": f"{tmp_path}:/bin:/usr/bin"})
