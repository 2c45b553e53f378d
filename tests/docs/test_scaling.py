"""The figures on the page about scaling are those that its command prints."""

from pathlib import Path

from tools import scaling

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_every_table_is_as_printed() -> None:
    """In the same order."""
    printed = scaling.text().split("\n\n")
    places = [PAGE.index(table.strip()) for table in printed]
    assert places == sorted(places)


def test_another_number_of_shards_moves_few_namespaces() -> None:
    """To the new shard alone: what stays keeps its holder."""
    names = [f"team-{number}" for number in range(2000)]
    moved = [scaling.shard_of(name, 5) for name in names if scaling.shard_of(name, 5) != scaling.shard_of(name, 4)]
    assert set(moved) == {4}
    assert len(moved) < len(names) * 0.25
