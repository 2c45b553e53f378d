"""Parser for the policy's part of the settings file; every problem has the path of its key."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pullkeeper.domain.config import mappings, own_sources
from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.own_sources import OwnSource
from pullkeeper.domain.config.pattern import NAMESPACE_PATTERN, overlap
from pullkeeper.domain.config.policy import DEFAULT_AUDIENCES, EVERY_NAMESPACE, Grant, Matcher, OwnIdentity, RoleGrant
from pullkeeper.domain.config.role_partitions import may_be_of
from pullkeeper.domain.ecr.partitions import PARTITIONS
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.errors.validation import Problem, quoted
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import OWN_NAME

# STS: an ExternalId has 2 to 1224 of these characters; the chart's expressions repeat nothing so often.
EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,}")
MAX_EXTERNAL_ID = 1224
_ROLE_PATTERN = re.compile(r"arn:aws[a-z-]*:iam::[0-9*]{1,12}:role/[!-~]+")
HOST_PATTERN = re.compile(r"[a-z0-9*._-]+")

# IAM: a client ID of an OIDC provider has 1 to 255 characters. With a scheme it would be an API server's audience.
AUDIENCE = re.compile(r"[A-Za-z0-9._-]{1,255}")
API_SERVER = "kubernetes."

MAX_IDENTITIES = 20
"""Each has sessions, calls, and series of its own."""

_MATCHER_KEYS = mappings.MATCHER.keys()
_OWN_KEYS = {*mappings.GRANT, "name", "region", *own_sources.KEYS}


class PolicyParser:
    """Parses parts of a document and collects their problems; an invalid part yields a value that allows nothing."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def roles(self, value: object) -> tuple[RoleGrant, ...]:
        """Parse `roles`, a list of grants."""
        if not isinstance(value, list):
            self._add_problem("roles", value, "a list of {role, namespaces or namespaceSelector, externalId, ...}")
            return ()
        grants = tuple(self._role(item, f"roles[{index}]") for index, item in enumerate(value))
        self._check_external_ids(grants)
        return grants

    def _check_external_ids(self, grants: tuple[RoleGrant, ...]) -> None:
        """Reject grants that differ in the ExternalId for a role that both cover: it is not clear which one holds."""
        for index, grant in enumerate(grants):
            for earlier, other in enumerate(grants[:index]):
                if grant.external_id != other.external_id and grant.role and overlap(grant.role, other.role):
                    expected = f"the same as in roles[{earlier}], whose {other.role} covers roles of {grant.role}"
                    self._add_problem(f"roles[{index}].externalId", grant.external_id, expected)
                    break

    def identities(self, value: object) -> tuple[OwnIdentity, ...]:
        """Parse `identities`: the controller's, beside the one without a name."""
        if not isinstance(value, list) or len(value) > MAX_IDENTITIES:
            expected = f"a list of at most {MAX_IDENTITIES} {{name, registries, {' or '.join(own_sources.KEYS)}}}"
            self._add_problem("identities", value, expected)
            return ()
        parsed = [self._own_identity(item, f"identities[{index}]") for index, item in enumerate(value)]
        found = tuple(each for each in parsed if each)
        for name in sorted({each.name for each in found if [other.name for other in found].count(each.name) > 1}):
            self._add_problem("identities", name, "each name once")
        return found

    def _own_identity(self, value: object, where: str) -> OwnIdentity | None:
        given = self._mapping(value, where, _OWN_KEYS)
        before = len(self.problems)
        if "registries" not in given:
            self._add_problem(
                f"{where}.registries", None, "the registry hosts that it serves, in which * stands for anything"
            )
        if not isinstance(name := given.get("name"), str) or not OWN_NAME.fullmatch(name):
            self._add_problem(f"{where}.name", name, "at most 32 lower case letters, digits and '-'")
        region = self._region(given.get("region", ""), f"{where}.region")
        registries, namespaces = self._registries(given, where), self._namespaces(given, where)
        source = self._source(given, where)
        if source is None or len(self.problems) > before:
            return None
        found = OwnIdentity(name=str(name), registries=registries, namespaces=namespaces, source=source, region=region)
        self._check_partition(found, where)
        return found

    def _namespaces(self, given: Mapping[str, Any], where: str) -> Matcher:
        return self._matcher(given, where) if _MATCHER_KEYS & given.keys() else EVERY_NAMESPACE

    def _source(self, given: Mapping[str, Any], where: str) -> OwnSource | None:
        try:
            return own_sources.parse(given)
        except ValueError as error:
            named = [key for key in own_sources.KEYS if key in given]
            self._add_problem(where, given[named[0]] if len(named) == 1 else listed(named) or None, str(error))
            return None

    def _region(self, value: object, where: str) -> str:
        if value == "" or (isinstance(value, str) and any(each.has(value) for each in PARTITIONS)):
            return str(value)
        self._add_problem(where, value, "a region such as eu-west-1")
        return ""

    def _check_partition(self, own: OwnIdentity, where: str) -> None:
        """Reject what no call could make right: credentials are valid in one partition only."""
        partition = own.partition
        if own.region and not any(each.name == partition and each.has(own.region) for each in PARTITIONS):
            self._add_problem(f"{where}.region", own.region, f"a region of {partition}, the partition of its role")
        for pattern in own.registries:
            if partition and not may_be_of(partition, pattern):
                self._add_problem(
                    f"{where}.registries", pattern, f"registries of {partition}, the partition of its credentials"
                )

    def controller_identity(self, value: object) -> Grant:
        """Parse `controllerIdentity`: without a matcher it is for all namespaces."""
        where = "controllerIdentity"
        given = self._mapping(value, where, mappings.GRANT)
        # An empty list left by a template must not allow everybody: it was written to restrict.
        unrestricted = not (isinstance(value, dict) and _MATCHER_KEYS & value.keys())
        namespaces = EVERY_NAMESPACE if unrestricted else self._required_matcher(given, where)
        return Grant(namespaces=namespaces, registries=self._registries(given, where))

    def service_accounts(self, value: object) -> tuple[Grant, tuple[str, ...]]:
        """Parse `serviceAccountIdentity`: the grant, and the audiences that tokens may be requested for."""
        where = "serviceAccountIdentity"
        given = self._mapping(value, where, mappings.SERVICE_ACCOUNT_IDENTITY)
        grant = Grant(namespaces=self._required_matcher(given, where), registries=self._registries(given, where))
        return grant, self._audiences(given.get("audiences", list(DEFAULT_AUDIENCES)), f"{where}.audiences")

    def _audiences(self, value: object, where: str) -> tuple[str, ...]:
        given = value if isinstance(value, list) and all(isinstance(each, str) for each in value) else []
        invalid = [each for each in given if not AUDIENCE.fullmatch(each) or each.startswith(API_SERVER)]
        if invalid or not given:
            found = invalid[0] if invalid else value
            self._add_problem(where, found, "a list of client IDs of IAM OIDC providers, none of the API server")
        return tuple(given)

    def opt_in(self, value: object) -> tuple[Matcher, Matcher]:
        """Parse `optIn`: the namespaces to opt in, and the exceptions."""
        given = self._mapping(value, "optIn", mappings.OPT_IN)
        excluded = self._patterns(given.get("exclude", []), "optIn.exclude", NAMESPACE_PATTERN)
        return self._required_matcher(given, "optIn"), Matcher(names=excluded)

    def _role(self, value: object, where: str) -> RoleGrant:
        given = self._mapping(value, where, mappings.ROLE)
        return RoleGrant(
            role=self._role_pattern(given.get("role"), f"{where}.role"),
            namespaces=self._required_matcher(given, where),
            registries=self._registries(given, where),
            external_id=self._external_id(given.get("externalId"), f"{where}.externalId"),
            session_tags=self._flag(given, "sessionTags", where),
            source_identity=self._flag(given, "sourceIdentity", where),
        )

    def _role_pattern(self, value: object, where: str) -> str:
        if isinstance(value, str) and ((_ROLE_PATTERN.fullmatch(value) and "*" in value) or _is_role(value)):
            return value
        self._add_problem(where, value, f"{role_arn.FORM}, in which * stands for anything")
        return ""

    def _external_id(self, value: object, where: str) -> str | None:
        if value is None:
            return None
        if isinstance(value, str) and len(value) <= MAX_EXTERNAL_ID and EXTERNAL_ID.fullmatch(value):
            return value
        self._add_problem(where, value, f"2 to {MAX_EXTERNAL_ID} letters, digits and characters of +=,.@:/-_")
        return None

    def _flag(self, given: Mapping[str, Any], key: str, where: str) -> bool:
        value = given.get(key, False)
        if not isinstance(value, bool):
            self._add_problem(f"{where}.{key}", value, "true or false")
        return value is True

    def _registries(self, given: Mapping[str, Any], where: str) -> tuple[str, ...]:
        return self._patterns(given.get("registries", ["*"]), f"{where}.registries", HOST_PATTERN)

    def _required_matcher(self, given: Mapping[str, Any], where: str) -> Matcher:
        if not _MATCHER_KEYS & given.keys():
            self._add_problem(where, None, "`namespaces` (name patterns), `namespaceSelector`, or both")
        return self._matcher(given, where)

    def _matcher(self, given: Mapping[str, Any], where: str) -> Matcher:
        given_names = given.get("namespaces")
        # An empty list is no missing one: what a template left of it must not let the selector decide alone.
        names = None if given_names is None else self._patterns(given_names, f"{where}.namespaces", NAMESPACE_PATTERN)
        selector = given.get("namespaceSelector")
        where = f"{where}.namespaceSelector"
        return Matcher(names=names, selector=None if selector is None else self._selector(selector, where))

    def _selector(self, value: object, where: str) -> LabelSelector:
        given = self._mapping(value, where, mappings.SELECTOR)
        labels, expressions = given.get("matchLabels", {}), given.get("matchExpressions", [])
        if not isinstance(labels, dict) or not all(isinstance(text, str) for pair in labels.items() for text in pair):
            self._add_problem(f"{where}.matchLabels", labels, "a mapping of label keys to texts")
            labels = {}
        if not isinstance(expressions, list):
            self._add_problem(f"{where}.matchExpressions", expressions, "a list of {key, operator, values}")
            expressions = []
        equal = [Requirement(key=key, operator=Operator.IN, values=frozenset({label})) for key, label in labels.items()]
        found = [
            self._requirement(item, f"{where}.matchExpressions[{index}]") for index, item in enumerate(expressions)
        ]
        return LabelSelector(requirements=(*equal, *found))

    def _requirement(self, value: object, where: str) -> Requirement:
        given = self._mapping(value, where, mappings.REQUIREMENT)
        key, operator, values = given.get("key"), given.get("operator"), given.get("values", [])
        is_list = isinstance(values, list) and all(isinstance(each, str) for each in values)
        needs_values = operator in ("In", "NotIn")
        if isinstance(key, str) and operator in tuple(Operator) and is_list and bool(values) == needs_values:
            return Requirement(key=key, operator=Operator(operator), values=frozenset(values))
        self._add_problem(
            where, value, "{key, operator: In or NotIn, values: [...]} or {key, operator: Exists or DoesNotExist}"
        )
        return Requirement(key="", operator=Operator.EXISTS)

    def _patterns(self, value: object, where: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        valid = []
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and pattern.fullmatch(each):
                valid.append(each)
            else:
                self._add_problem(where, each, "a list of names, in which * stands for anything")
        return tuple(valid)

    def _mapping(self, value: object, where: str, known: Collection[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._add_problem(where, value, f"a mapping with {', '.join(sorted(known))}")
            return {}
        for key in (key for key in value if key not in known):
            self.problems.append(
                Problem(where=f"{where}.{key}", found="an unknown key", expected=f"one of {', '.join(sorted(known))}")
            )
        # What a template left without a value was written to restrict: its default would be everybody, or everything.
        for key in (key for key in mappings.GRANT if key in value and value[key] is None):
            self._add_problem(f"{where}.{key}", None, "a value, or no such key")
        return {str(key): each for key, each in value.items() if each is not None}

    def _add_problem(self, where: str, found: object, expected: str) -> None:
        self.problems.append(
            Problem(where=where, found="nothing" if found is None else quoted(found), expected=expected)
        )


def _is_role(text: str) -> bool:
    try:
        role_arn.parse(text)
    except ValueError:
        return False
    return True
