"""The names of registry and repository: one file has them, and everything else follows it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tools.release.names import FILE, ROOT, Names, NamesError, read
from tools.release.rename import VALUES, in_use, rename, renamed, replacements, tracked

HOST = "registry.example.com:5000"
ELSEWHERE = Names(
    image=f"{HOST}/tools/controller", charts=f"{HOST}/helm", repository=f"https://{HOST.partition(':')[0]}/tools/fork"
)
OTHERS = re.compile(r"ghcr\.io/[\w./-]*pullkeeper[\w./-]*\w|https://github\.com/[\w-]*pullkeeper[\w-]*/[\w.-]*\w")
"""What looks like a name of ours."""


def write(root: Path, names: Names) -> None:
    """Write a release.toml."""
    lines = [f'{key} = "{getattr(names, key)}"\n' for key in ("image", "charts", "repository")]
    (root / FILE).write_text("".join(lines))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the files that git knows."""
    for file in tracked():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    return tmp_path


def test_every_file_has_the_names_of_release_toml() -> None:
    """Nothing names another registry or repository of ours than the three."""
    names = read()
    assert in_use(ROOT) == names
    allowed = (names.image, names.charts, names.chart, names.repository)
    strange = [
        (file, found)
        for file in tracked()
        for found in OTHERS.findall((ROOT / file).read_text(errors="replace"))
        if found not in allowed and not file.startswith("tests/")
    ]
    assert strange == []


def test_whoever_publishes_elsewhere_changes_one_file(copy: Path) -> None:
    """Afterwards no file has a former name, and a second run changes nothing."""
    former = read()
    write(copy, ELSEWHERE)
    changed = rename(copy, tracked())
    assert {VALUES, "pyproject.toml", "docs/releasing.md", "charts/pullkeeper/README.md"} <= set(changed)
    assert in_use(copy) == ELSEWHERE
    assert yaml.safe_load((copy / VALUES).read_text())["image"]["repository"] == ELSEWHERE.image
    names = (former.image, former.charts, former.repository, former.repository.replace(".", r"\."))
    texts = {file: (copy / file).read_text(errors="replace") for file in tracked()}
    left = [(file, name) for file, text in texts.items() for name in names if name in text]
    assert left == []
    assert rename(copy, tracked()) == []


def test_and_may_change_it_back(copy: Path) -> None:
    """No file loses which name stood where."""
    former = read()
    write(copy, ELSEWHERE)
    rename(copy, tracked())
    write(copy, former)
    rename(copy, tracked())
    assert [
        file for file in tracked() if file != FILE and (copy / file).read_bytes() != (ROOT / file).read_bytes()
    ] == []


def test_names_may_be_parts_of_each_other() -> None:
    """All are replaced at once, and only where they end."""
    old = Names(image="h/a/b", charts="h/a", repository="https://h/a/b")
    new = Names(image="h/a", charts="h/a/b", repository="https://h/a/b/c")
    assert renamed("h/a/b:1 h/a/x https://h/a/b/blob h/a/bc h/a-b", replacements(old, new)) == (
        "h/a:1 h/a/b/x https://h/a/b/c/blob h/a/b/bc h/a-b"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'image = "ghcr.io/Acme/pullkeeper"',
            "image: found 'ghcr.io/Acme/pullkeeper', expected HOST/PATH in lower case",
        ),
        ('image = "ghcr.io/acme/pullkeeper:1"', "image: found 'ghcr.io/acme/pullkeeper:1', expected HOST/PATH"),
        ("image = 1", "image: found 1, expected HOST/PATH"),
        (
            'image = "x/y"\nregistry = "z"',
            "found charts, image, registry, repository, expected charts, image, repository",
        ),
    ],
)
def test_a_wrong_name_is_refused(tmp_path: Path, line: str, message: str) -> None:
    """With one line that says what is expected."""
    (tmp_path / FILE).write_text(f'charts = "h/charts"\nrepository = "https://h/a/b"\n{line}\n')
    with pytest.raises(NamesError, match=re.escape(message)):
        read(tmp_path)


@pytest.mark.parametrize("url", ["http://h/a/b", "https://h/a", "https://h/a/b/", "git@h:a/b"])
def test_a_repository_is_an_https_url(tmp_path: Path, url: str) -> None:
    """Documents link below it, and signatures name it."""
    write(tmp_path, Names(image="h/i", charts="h/c", repository=url))
    with pytest.raises(NamesError, match="expected https://HOST/OWNER/NAME"):
        read(tmp_path)
