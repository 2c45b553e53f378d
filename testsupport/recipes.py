"""Pages' commands, run as they stand there: each becomes the request that kubectl makes."""

import argparse
import json
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testsupport.rest import RestClient
from testsupport.waiting import until

PAGE = Path(__file__).parents[1] / "docs" / "migrating.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^\$ (?P<command>.*)\n(?P<shown>(?:[^$\n].*\n)*)", re.MULTILINE)
_PATHS = {
    "namespace": "/api/v1/namespaces/{name}",
    "secret": "/api/v1/namespaces/{namespace}/secrets/{name}",
    "serviceaccount": "/api/v1/namespaces/{namespace}/serviceaccounts/{name}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command, and whether the page shows it to print something."""

    words: tuple[str, ...]
    prints: bool

    def on_a_kind_of_ours(self) -> bool:
        """Whether it is about an object that the API server of a test has; the others are the other tool's."""
        return self.words[0] == "kubectl" and self.words[2] in _PATHS


def recipe(heading: str, names: Mapping[str, str]) -> list[Step]:
    """Read the steps under a heading, with the page's names replaced by a test's."""
    _, _, rest = PAGE.read_text().partition(f"\n## {heading}\n")
    section, _, _ = rest.partition("\n## ")
    blocks = _BLOCK.findall(section)
    assert len(blocks) == 1, f"{PAGE.name}: one console block is expected under {heading!r}, found {len(blocks)}"
    whole = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))
    text = whole.sub(lambda match: names[match[0]], blocks[0])
    return [
        Step(words=tuple(shlex.split(match["command"])), prints=bool(match["shown"])) for match in _STEP.finditer(text)
    ]


class Kubectl:
    """As much of kubectl as the page uses; anything else is an error."""

    def __init__(self, api: RestClient) -> None:
        self._api = api
        self._verbs: dict[str, Callable[[str, argparse.Namespace, Step], Awaitable[None]]] = {
            "annotate": self._annotate,
            "create": self._create,
            "label": self._annotate,
            "patch": self._patch,
            "delete": self._delete,
            "get": self._get,
        }

    async def run(self, step: Step) -> None:
        """Run one command to its end."""
        given = _arguments(step.words[1:])
        path = _PATHS[given.kind].format(namespace=given.namespace, name=given.name)
        await self._verbs[given.verb](path, given, step)

    async def _create(self, path: str, given: argparse.Namespace, _: Step) -> None:
        (await self._api.post(path.rpartition("/")[0], {"metadata": {"name": given.name}})).ok()

    async def _annotate(self, path: str, given: argparse.Namespace, _: Step) -> None:
        field = {"annotate": "annotations", "label": "labels"}[given.verb]
        held = (await self._api.get(path)).ok()["metadata"].get(field) or {}
        changes = dict(_change(text) for text in given.changes)
        for key, value in changes.items():
            assert value is None or held.get(key, value) == value, f"{key} is there already: kubectl wants --overwrite"
        (await self._api.merge(path, {"metadata": {field: changes}})).ok()

    async def _patch(self, path: str, given: argparse.Namespace, _: Step) -> None:
        patch = json.loads(given.patch)
        send = {"merge": lambda: self._api.merge(path, patch), "json": lambda: self._api.json_patch(path, *patch)}
        (await send[given.type]()).ok()

    async def _delete(self, path: str, _given: argparse.Namespace, _: Step) -> None:
        (await self._api.delete(path)).ok()

    async def _get(self, path: str, given: argparse.Namespace, step: Step) -> None:
        """Ask until it prints what the page shows, something or nothing."""

        async def as_shown() -> bool:
            answer = await self._api.get(path)
            return answer.status == 200 and bool(_look_up(answer.body, given.output)) is step.prints

        await until(as_shown, f"`{shlex.join(step.words)}` to print {'something' if step.prints else 'nothing'}")


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kubectl", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("verb", choices=["annotate", "create", "label", "patch", "delete", "get"])
    parser.add_argument("kind", choices=list(_PATHS))
    parser.add_argument("name")
    parser.add_argument("changes", nargs="*")
    parser.add_argument("-n", dest="namespace")
    parser.add_argument("-o", dest="output")
    parser.add_argument("--type")
    parser.add_argument("-p", dest="patch")
    return parser.parse_intermixed_args(list(words))


def _change(text: str) -> tuple[str, str | None]:
    key, assigned, value = text.partition("=")
    assert assigned or key.endswith("-"), text
    return (key, value) if assigned else (key.removesuffix("-"), None)


def _look_up(found: Any, output: str | None) -> Any:
    """Follow a jsonpath of names alone; a dot in a name has a backslash before it. Without one, give everything."""
    if output is None:
        return found
    path = re.fullmatch(r"jsonpath=\{\.(.+)\}", output)
    assert path, f"-o {output} is not understood here"
    for name in re.split(r"(?<!\\)\.", path[1]):
        found = (found or {}).get(name.replace("\\.", "."))
    return found
