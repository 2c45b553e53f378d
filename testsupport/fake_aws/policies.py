"""IAM policies: read strictly, and evaluated as IAM does, as far as pulling from ECR goes.

Sources: "Policy evaluation logic", "IAM JSON policy elements" and "Policy variables" in AWS's IAM User Guide. What is
not known here is an error: a policy must never be taken for one that allows less or more than it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_STATEMENT: Final = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_PRINCIPALS: Final = {"AWS", "Federated", "Service"}
_OPERATOR: Final = re.compile(r"(?P<set>ForAllValues:|ForAnyValue:)?(?P<like>String(?:Equals|Like)|Arn(?:Equals|Like))")
_MARK: Final = re.compile(r"\$\{(?P<literal>[*?$])\}|(?P<mark>[*?])|(?P<text>[^*?$]+|\$)", re.DOTALL)
_SID: Final = re.compile(r"[A-Za-z0-9]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What somebody wants to do: an action on a resource, who it is, by all names, and the keys of conditions."""

    action: str
    resource: str = "*"
    principals: frozenset[str] = frozenset()
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Condition:
    quantifier: str
    pattern: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, Sequence[str]]) -> bool:
        found = [self._matches(each) for each in context.get(self.key, ())]
        # Of all values of none each one matches: IAM says so of ForAllValues, and of nothing else.
        return all(found) if self.quantifier == "ForAllValues:" else any(found)

    def _matches(self, found: str) -> bool:
        return any(matches(each, found) if self.pattern else _literal(each) == found for each in self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statement:
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...] | None
    conditions: tuple[_Condition, ...]

    def covers(self, access: Access) -> bool:
        acting = any(matches(each.lower(), access.action.lower()) for each in self.actions)
        named = self.principals is None or bool(access.principals & set(self.principals))
        there = not self.resources or any(matches(each, access.resource) for each in self.resources)
        return acting and named and there and all(each.holds(access.context) for each in self.conditions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The statements of one document."""

    statements: tuple[_Statement, ...]

    def allows(self, access: Access) -> bool:
        """Whether a statement allows it and none denies it."""
        covering = [each.allows for each in self.statements if each.covers(access)]
        return bool(covering) and all(covering)


def parse(document: Mapping[str, Any], *, of_identity: bool) -> Policy:
    """Read a document; raises ValueError for what IAM or this fake does not know.

    The policy of an identity has resources and no principals, one of a role's trust or of a repository the opposite.
    """
    if set(document) != {"Version", "Statement"} or document["Version"] != "2012-10-17":
        raise ValueError(f"not a policy of version 2012-10-17: {document}")
    sids = [each["Sid"] for each in document["Statement"] if "Sid" in each]
    if len(set(sids)) < len(sids) or not document["Statement"]:
        raise ValueError(f"not statements with Sids of their own: {document}")
    return Policy(statements=tuple(_statement(each, of_identity=of_identity) for each in document["Statement"]))


def _statement(given: Mapping[str, Any], *, of_identity: bool) -> _Statement:
    needed = {"Effect", "Action", "Resource" if of_identity else "Principal"}
    unknown = set(given) - _STATEMENT | ({"Principal"} if of_identity else {"Resource"}) & set(given)
    if unknown or not needed <= set(given) or given["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"not a statement: {given}")
    if not _SID.fullmatch(given.get("Sid", "")):
        raise ValueError(f"not a Sid: {given['Sid']}")
    return _Statement(
        allows=given["Effect"] == "Allow",
        actions=_texts(given["Action"]),
        resources=_texts(given["Resource"]) if of_identity else (),
        principals=None if of_identity else _principals(given["Principal"]),
        conditions=tuple(_conditions(given.get("Condition", {}))),
    )


def _principals(given: Mapping[str, Any]) -> tuple[str, ...]:
    if not given or not set(given) <= _PRINCIPALS:
        raise ValueError(f"not principals: {given}")
    names = tuple(name for each in given.values() for name in _texts(each))
    if any("*" in name for name in names):
        raise ValueError(f"IAM takes no pattern for a principal: {given}")
    return names


def _conditions(given: Mapping[str, Mapping[str, Any]]) -> Iterable[_Condition]:
    for operator, keys in given.items():
        match = _OPERATOR.fullmatch(operator)
        if match is None or not keys:
            raise ValueError(f"not a condition: {operator}: {keys}")
        for key, values in keys.items():
            # ArnEquals behaves as ArnLike does.
            pattern = match["like"] != "StringEquals"
            yield _Condition(quantifier=match["set"] or "", pattern=pattern, key=key, values=_texts(values))


def _texts(given: object) -> tuple[str, ...]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(each, str) and each for each in texts):
        raise ValueError(f"not a text or a list of texts: {given}")
    return tuple(texts)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` and `?` matches; `${*}`, `${?}` and `${$}` are the characters themselves."""
    expression = "".join(
        {"*": ".*", "?": "."}[each["mark"]] if each["mark"] else re.escape(each["literal"] or each["text"])
        for each in _MARK.finditer(pattern)
    )
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _literal(text: str) -> str:
    return re.sub(r"\$\{([*?$])\}", r"\1", text)
