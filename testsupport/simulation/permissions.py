"""RBAC in the simulated API server: exactly the rules that the settings require, and nothing beside them."""

from collections import Counter
from collections.abc import Mapping

from pullkeeper.domain.config.rbac import RbacRule, required_rules
from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.sent import named
from testsupport.simulation.store import RefusedError


class Permissions:
    """Allows what the chart grants, and counts what is used and what is denied."""

    def __init__(self, settings: Settings, denied: list[str]) -> None:
        self._rules = required_rules(settings)
        self.used: Counter[RbacRule] = Counter()
        self._denied = denied

    def check(self, verb: str, path: str, query: Mapping[str, str]) -> None:
        """Count the rule that allows the request. Raises RefusedError without one."""
        wanted = requested(verb, path, query)
        rule = next((rule for rule in self._rules if _allows(rule, wanted)), None)
        if rule is None:
            self._denied.append(str(wanted))
            raise RefusedError(403, message=f'{wanted.resource} is forbidden: User "x" cannot {wanted}')
        self.used[rule] += 1

    def uses(self) -> dict[str, int]:
        """Return how often each rule was needed."""
        return {str(rule): self.used[rule] for rule in self._rules}


def requested(verb: str, path: str, query: Mapping[str, str]) -> RbacRule:
    """Return the right that a request needs; the selector of one name counts as that name, as it does in RBAC."""
    parts = path.strip("/").split("/")
    group, parts = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "")[:3]
    if not name:
        name = named(query)
    return RbacRule(verb=verb, group=group, resource=resource, subresource=subresource, name=name, namespace=namespace)


def _allows(rule: RbacRule, wanted: RbacRule) -> bool:
    same = (rule.verb, rule.group, rule.resource, rule.subresource) == (
        wanted.verb,
        wanted.group,
        wanted.resource,
        wanted.subresource,
    )
    return same and rule.name in ("", wanted.name) and rule.namespace in ("", wanted.namespace)
