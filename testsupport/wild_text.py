"""Hypothesis strategies for what strangers write: text, JSON and nearly valid documents, of any size."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

text = st.text(st.characters(codec="utf-8"), max_size=60)
large = st.builds(lambda part, count: part * count, st.text(min_size=1, max_size=8), st.integers(1, 20_000))
any_text = st.one_of(text, text, text, text, text, text, text, text, text, large)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), text, st.sampled_from([-1, 0, 1, 2**63, "", "*", "true", "0"])
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)


def damaged(documents: st.SearchStrategy[Any], others: st.SearchStrategy[Any] = json_values) -> st.SearchStrategy[Any]:
    """Take valid documents and put something else somewhere in them, at up to three places."""
    spots = st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=6), others), max_size=3)

    def put(document: Any, changes: Sequence[tuple[Sequence[int], Any]]) -> Any:
        for path, value in changes:
            document = _put(document, path, value)
        return document

    return st.builds(put, documents, spots)


def _put(document: Any, path: Sequence[int], value: Any) -> Any:
    if not path or not isinstance(document, (list, Mapping)) or not document:
        return value
    first, rest = path[0] % len(document), path[1:]
    if isinstance(document, list):
        return [_put(each, rest, value) if index == first else each for index, each in enumerate(document)]
    chosen = sorted(document, key=str)[first]
    return {key: _put(each, rest, value) if key == chosen else each for key, each in document.items()}


def configurations(auths: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Encode what the data of a Secret might say of registries."""
    return auths.map(lambda each: _encoded(json.dumps({"auths": each})))


def web_tokens(claims: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Put claims into the form of a JSON Web Token, with no valid signature."""
    return claims.map(
        lambda each: f"e30.{base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip('=')}.c2ln"
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def cut(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Take texts whole, cut off, or with something put in."""
    places = st.tuples(texts, st.integers(0, 400), st.one_of(st.none(), st.binary(max_size=20)))

    def change(given: tuple[str, int, bytes | None]) -> bytes:
        text, place, put = given[0].encode(), given[1], given[2]
        return text if put is None else text[:place] + put + (text[place:] if put else b"")

    return places.map(change)


def json_bodies(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Draw bodies that are, or might have been, JSON."""
    written = damaged(documents).map(json.dumps)
    nested = st.just(b"[" * 25_000)
    return st.one_of(cut(written), cut(written), cut(written), st.binary(max_size=200), nested)


def answers(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[Answer]:
    """Draw responses around bodies, with headers as AWS and proxies send them."""
    headers = st.fixed_dictionaries(
        {},
        optional={
            "content-type": st.sampled_from(["application/x-amz-json-1.1", "text/xml", "text/html", ""]),
            "x-amzn-errortype": st.one_of(st.just("AccessDeniedException:http://a/"), st.text("aZ9:#_é ", max_size=20)),
            "x-amzn-requestid": st.text("a-0", max_size=9),
            "x-amzn-query-error": st.text("a;0", max_size=9),
            "date": st.sampled_from(["Sun, 01 Mar 2026 12:00:00 GMT", "yesterday", ""]),
        },
    )
    statuses = st.one_of(
        st.just(200), st.sampled_from([200, 301, 400, 403, 404, 407, 413, 429, 500, 503]), st.integers(100, 999)
    )
    return st.builds(
        lambda status, given, body: Answer(status=status, headers=given, body=body), statuses, headers, bodies
    )
