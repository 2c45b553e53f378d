"""The roles of the ServiceAccounts that namespaces fetch tokens as, as a record has them."""

from collections.abc import Iterator
from itertools import groupby

from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation.record import AccountVersion, Period, Record, Status

_KEY = f"{PREFIX}service-account-name"


def spans(record: Record, name: str, *, valid_alone: bool = True) -> Iterator[tuple[str, float, float]]:
    """Yield the role of a namespace's ServiceAccount, "" for none, and from when to when it asked as that.

    `valid_alone` leaves out when its annotations were invalid: then it is served as it asked before.
    """
    account = ""
    for version, end in record.lives_of(record.namespaces[name]):
        if version.status is not Status.INVALID:
            account = version.annotations.get(_KEY, "")
        elif valid_alone:
            continue
        if account:
            for role, start, until in _roles(record, name, account):
                if start < end and until > version.at:
                    yield role, max(start, version.at), min(until, end)


def without_role(record: Record, name: str) -> Iterator[Period]:
    """Yield when a namespace asked as a ServiceAccount that had no role."""
    found = spans(record, name, valid_alone=False)
    return (Period(start=start, end=end, reason="no role") for role, start, end in found if not role)


def _roles(record: Record, namespace: str, account: str) -> Iterator[tuple[str, float, float]]:
    """Yield each role of a ServiceAccount with the seconds from when to when it had that."""
    changes = [(0.0, ""), *((each.at, _role(each)) for each in record.accounts.get((namespace, account), ()))]
    found = [(role, next(same)[0]) for role, same in groupby(changes, key=lambda change: change[1])]
    for (role, start), until in zip(found, [*(at for _, at in found[1:]), record.end], strict=True):
        yield role, start, until


def _role(account: AccountVersion) -> str:
    role = "" if account.gone else account.annotations.get(ROLE_ANNOTATION, "")
    return role if role.startswith("arn:") else ""
