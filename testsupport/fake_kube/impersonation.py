"""Acting as somebody else (`kubectl --as`)."""

from collections.abc import Iterator, Sequence

from testsupport.fake_kube.rbac import Access
from testsupport.fake_kube.tokens import User

ACCOUNT = "system:serviceaccount:"
AUTHENTICATED = "system:authenticated"


def _account(name: str) -> tuple[str, str] | None:
    """Split the user name of a ServiceAccount; None for any other."""
    namespace, colon, account = name.removeprefix(ACCOUNT).partition(":")
    return (namespace, account) if name.startswith(ACCOUNT) and colon else None


def accesses(name: str, groups: Sequence[str]) -> Iterator[Access]:
    """Give what one needs to be allowed for it."""
    account = _account(name)
    if account:
        yield Access(verb="impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Access(verb="impersonate", resource="users", name=name)
    for group in groups:
        yield Access(verb="impersonate", resource="groups", name=group)


def impersonated(name: str, groups: Sequence[str]) -> User:
    """Give the user that the headers name; without groups, with those that such a user has anyway."""
    account = _account(name)
    if account and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    if name != "system:anonymous" and AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(name=name, groups=tuple(groups))
