"""Carry the names of release.toml into every file that has them: `make release-names`."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from tools.release.names import FILE, ROOT, Names, NamesError, read

VALUES, RELEASING = "charts/pullkeeper/values.yaml", "docs/releasing.md"


def in_use(root: Path) -> Names:
    """Return the names that the files have now, each read where it is used."""
    chart = re.search(r"oci://(\S+)/pullkeeper ", (root / RELEASING).read_text())
    if chart is None:
        raise NamesError(f"{RELEASING} has no oci://…/pullkeeper")
    return Names(
        image=yaml.safe_load((root / VALUES).read_text())["image"]["repository"],
        charts=chart[1],
        repository=tomllib.loads((root / "pyproject.toml").read_text())["project"]["urls"]["Repository"],
    )


def replacements(old: Names, new: Names) -> Mapping[str, str]:
    """Return what replaces what; the repository is also a part of patterns, which signatures are compared with."""
    plain = {old.image: new.image, old.charts: new.charts, old.repository: new.repository}
    return plain | {_in_pattern(old.repository): _in_pattern(new.repository)}


def _in_pattern(name: str) -> str:
    return name.replace(".", r"\.")


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Replace all names at once, so that none is taken for a part of another that was just put there."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.sub(rf"(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", lambda match: names[match[0]], text)


def rename(root: Path, files: Iterable[str]) -> list[str]:
    """Rewrite the files that have a former name; returns those. Raises NamesError."""
    names = replacements(in_use(root), read(root))
    changed = []
    for file in files:
        path = root / file
        before = path.read_bytes()
        after = renamed(before.decode(errors="surrogateescape"), names).encode(errors="surrogateescape")
        if file != FILE and after != before:
            path.write_bytes(after)
            changed.append(file)
    return changed


def tracked(root: Path = ROOT) -> list[str]:
    """Return the files that git knows, without links and what was deleted."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    return [each for each in listed.split("\0") if each and (root / each).is_file()]


def main() -> int:
    """Rewrite the files and print which."""
    try:
        changed = rename(ROOT, tracked())
    except NamesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{file}\n" for file in changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
