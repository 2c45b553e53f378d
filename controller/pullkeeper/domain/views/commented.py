"""Documents with comments: trees of mappings, lists and texts, written as YAML or HCL."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pullkeeper.domain.errors.text import printable

COMMENT = "#"
"""Key of a mapping's comment; everything else is content."""
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_HCL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_COMMENT = 2000


class Raw(str):
    """An expression of the language that is written, not a text."""

    __slots__ = ()


def without_comments(tree: Any) -> Any:
    """Return the content alone."""
    if isinstance(tree, Mapping):
        return {key: without_comments(value) for key, value in tree.items() if key != COMMENT}
    return [without_comments(each) for each in tree] if isinstance(tree, list | tuple) else tree


def comment(text: str) -> str:
    """Return one line of comment, for YAML, HCL and shells."""
    return f"# {printable(text, _MAX_COMMENT)}"


def as_yaml(tree: Mapping[str, Any]) -> str:
    """Return a mapping as YAML; texts are quoted as JSON is, which is YAML too."""
    return "\n".join(_yaml_mapping(tree))


def _yaml_mapping(tree: Mapping[str, Any]) -> Iterator[str]:
    if COMMENT in tree:
        yield comment(tree[COMMENT])
    for key, value in tree.items():
        if key != COMMENT:
            yield from _yaml_item(f"{key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)}:", value)


def _yaml_item(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from (f"  {line}" for line in _yaml_mapping(value))
    elif isinstance(value, list | tuple) and value:
        yield head
        for each in value:
            yield from (f"  {line}" for line in _yaml_element(each))
    else:
        yield f"{head} {json.dumps(value)}"


def _yaml_element(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"- {json.dumps(value)}"
        return
    lines = list(_yaml_mapping(value))
    comments = [line for line in lines[:1] if COMMENT in value]
    yield from comments
    first, *rest = lines[len(comments) :]
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def as_hcl(tree: Any) -> str:
    """Return a value as an expression in HCL."""
    return "\n".join(_hcl(tree))


def hcl_text(text: str) -> str:
    """Return a text in HCL's quotes; its template marks stand for themselves."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _hcl(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        yield "{"
        yield from (f"  {line}" for line in _hcl_mapping(tree))
        yield "}"
    elif isinstance(tree, list | tuple):
        yield from _hcl_list(tree)
    else:
        yield tree if isinstance(tree, Raw) else hcl_text(str(tree))


def _hcl_mapping(tree: Mapping[str, Any]) -> Iterator[str]:
    if COMMENT in tree:
        yield comment(tree[COMMENT])
    keys = {key: key if _HCL_NAME.fullmatch(key) else hcl_text(key) for key in tree if key != COMMENT}
    yield from hcl_assignments([(name, as_hcl(tree[key])) for key, name in keys.items()])


def hcl_assignments(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Return the lines of names and expressions, aligned as `terraform fmt` wants."""
    for is_long, group in groupby(items, key=lambda item: "\n" in item[1]):
        found = list(group)
        width = 0 if is_long else max(len(name) for name, _ in found)
        for name, value in found:
            yield from f"{name:<{width}} = {value}".split("\n")


def _hcl_list(values: Sequence[Any]) -> Iterator[str]:
    yield "["
    for each in values:
        *lines, last = _hcl(each)
        yield from (f"  {line}" for line in lines)
        yield f"  {last},"
    yield "]"
