"""The names that release.toml gives: `python3 -m tools.release.names image|charts|repository` prints one of them.

Needs the standard library only, because the release workflow runs it with the system's Python.
"""

import re
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = "release.toml"
WORKFLOW = ".github/workflows/release.yaml"
"""The workflow that publishes and signs, within the repository."""

# The grammar of OCI's distribution specification: components in lower case, separated by slashes, after a host.
_OCI = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+){2}")


class NamesError(ValueError):
    """release.toml is wrong; the message is one line and says what is expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Where a release is published."""

    image: str
    charts: str
    repository: str

    @property
    def chart(self) -> str:
        """The chart's own OCI repository, without tag."""
        return f"{self.charts}/pullkeeper"

    @property
    def workflow(self) -> str:
        """The URL of the workflow that signs: the identity in the certificates, before `@refs/tags/…`."""
        return f"{self.repository}/{WORKFLOW}"

    def file(self, path: str, version: str) -> str:
        """Return the URL of a file of a release."""
        return f"{self.repository}/blob/v{version}/{path}"


KEYS = tuple(field.name for field in fields(Names))


def read(root: Path = ROOT) -> Names:
    """Read the names; raises NamesError."""
    found = tomllib.loads((root / FILE).read_text())
    if sorted(found) != sorted(KEYS):
        raise NamesError(f"{FILE}: found {', '.join(sorted(found))}, expected {', '.join(sorted(KEYS))}")
    for key in KEYS:
        pattern, form = (_URL, "https://HOST/OWNER/NAME") if key == "repository" else (_OCI, "HOST/PATH in lower case")
        if not isinstance(found[key], str) or not pattern.fullmatch(found[key]):
            raise NamesError(f"{FILE}: {key}: found {found[key]!r}, expected {form}")
    return Names(**found)


def version(root: Path = ROOT) -> str:
    """Read the version that is to be released."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def main(arguments: list[str]) -> int:
    """Print one name, or everything that is wrong."""
    if arguments[:1] not in [[key] for key in KEYS] or len(arguments) != 1:
        sys.stderr.write(f"usage: python3 -m tools.release.names {'|'.join(KEYS)}\n")
        return 2
    try:
        sys.stdout.write(f"{getattr(read(), arguments[0])}\n")
    except NamesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
