"""What mutmut leaves out because it is decorated gets its mutants all the same."""

from pathlib import Path

import pytest

from testsupport.mutation.project import mutants_of
from testsupport.mutation.undecorated import undecorate

SOURCE = """
from functools import lru_cache

class Life:
    @property
    def ends(self) -> int:
        return 1 + 2

    @staticmethod
    def kind() -> str:
        return "a"

@lru_cache(maxsize=2)
def find(key: str) -> int:
    match key:
        case "a":
            return 1
        case _:
            return 2
"""


@pytest.mark.parametrize("function", ["ecr.life.Life.ends", "ecr.life.Life.kind", "ecr.life.find"])
def test_decorated_functions_have_mutants(function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Properties, cached functions and static methods; `match` loses a case."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.mutmut]\nsource_paths = ["controller"]\n')
    path = Path("controller/pullkeeper/domain/ecr/life.py")
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    found = [mutant for mutant in mutants_of(path) if mutant.function == function]
    assert found
    assert all(mutant.removed or mutant.added for mutant in found)


def test_a_decorator_is_applied_beside_its_function() -> None:
    """The module does what it did."""
    names: dict[str, object] = {}
    exec(undecorate(SOURCE), names)  # noqa: S102 -- the source above
    life, find = names["Life"], names["find"]
    assert isinstance(life, type)
    assert life().ends == 3
    assert life().kind() == "a"
    assert callable(find)
    assert (find("a"), find("b")) == (1, 2)
    assert hasattr(find, "cache_clear")
