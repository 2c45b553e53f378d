"""Admission: rules that refuse a write after validation, in the words of the real server's plugins."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from testsupport.fake_kube import status
from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.status import ApiError

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"
Rule = Callable[[Call, str], ApiError | None]
"""Gives the refusal of a call, by its operation; None to let it pass."""


@dataclass(slots=True, eq=False)
class Admission:
    """The rules in force."""

    rules: list[Rule] = field(default_factory=list)

    def check(self, call: Call, operation: str) -> None:
        """Raise the first refusal."""
        for rule in list(self.rules):
            if error := rule(call, operation):
                raise error

    @contextmanager
    def rule(self, rule: Rule) -> Iterator[None]:
        """Put a rule in force for the length of a `with`."""
        self.rules.append(rule)
        try:
            yield
        finally:
            self.rules.remove(rule)


def no_secrets(quota: str, namespace: str) -> Rule:
    """A ResourceQuota that has no room for a Secret: it minds what comes into being alone."""

    def refuse(call: Call, operation: str) -> ApiError | None:
        if (call.namespace, call.resource.plural, operation) != (namespace, "secrets", CREATE):
            return None
        why = f"exceeded quota: {quota}, requested: secrets=1, used: secrets=0, limited: secrets=0"
        return status.forbidden("", "secrets", call.key.name, why)

    return refuse


def policy(name: str, namespace: str, resource: str, words: str, *, only: str = "") -> Rule:
    """A ValidatingAdmissionPolicy, bound under its own name, that denies each write of a resource, or `only` of one."""
    why = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {words}"

    def refuse(call: Call, operation: str) -> ApiError | None:
        if not _matches(call, operation, namespace, resource) or call.key.name != (only or call.key.name):
            return None
        error = status.forbidden("", resource, call.key.name, why, [{"message": why}])
        return ApiError(422, "Invalid", error.message, details=error.details)

    return refuse


def webhook(name: str, namespace: str, resource: str, *, code: int, words: str) -> Rule:
    """A webhook that denies each write of a resource with a status code of its own choice."""

    def refuse(call: Call, operation: str) -> ApiError | None:
        if not _matches(call, operation, namespace, resource):
            return None
        return ApiError(code, "", f'admission webhook "{name}" denied the request: {words}')

    return refuse


def _matches(call: Call, operation: str, namespace: str, resource: str) -> bool:
    return operation != DELETE and (call.namespace, call.resource.plural) == (namespace, resource)
