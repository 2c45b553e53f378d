"""Who is behind ServiceAccounts that are watched, and whom a change of theirs enqueues."""

import pytest

from pullkeeper.domain.iam.principal import NOBODY, UNKNOWN
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from pullkeeper.reconcile.cached_kinds import namespace_cache
from pullkeeper.reconcile.caches import CacheReports
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.watched_roles import WatchedRoles, role_caches
from testsupport.examples import NOW

ROLE = "arn:aws:sts::111111111111:assumed-role/x"


def account(namespace: str, version: int, principal: str = ROLE, name: str = "puller") -> ObservedServiceAccount:
    return ObservedServiceAccount(
        namespace=namespace, name=name, uid=namespace, resource_version=version, principal=principal
    )


class Watched:
    """Namespaces `a` and `b`, of which `a` names a ServiceAccount, with the caches of some names."""

    def __init__(self, *names: str, scope: str = "") -> None:
        self.enqueued: list[str] = []
        self.namespaces = namespace_cache(
            lambda _: None, NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW)
        )
        self.namespaces.handler()
        for name, annotations in (("a", {"service-account-name": "puller"}), ("b", {})):
            found = ObservedNamespace(name=name, uid=name, resource_version=1, annotations=annotations)
            self.namespaces.upsert(found)
        self.caches = role_caches(names, self.namespaces, self.enqueued.append, CacheReports())
        self.handlers = {name: cache.handler(scope) for name, cache in self.caches.items()}
        self.roles = WatchedRoles(self.caches)


@pytest.mark.parametrize("name", ["puller", "*"])
def test_role_is_known_as_the_watch_tells_it(name: str) -> None:
    """From the first listing on; of a ServiceAccount that does not exist it is nobody."""
    watched = Watched(name)
    assert (watched.roles.principal("a", "puller"), watched.roles.is_watched("a", "puller")) == (UNKNOWN, False)
    watched.handlers[name].replace([account("a", 1)], 1, watched=False)
    assert (watched.roles.principal("a", "puller"), watched.roles.is_watched("a", "puller")) == (ROLE, True)
    assert watched.roles.principal("b", "puller") == NOBODY
    watched.handlers[name].upsert(account("a", 2, NOBODY))
    assert watched.roles.principal("a", "puller") == NOBODY
    watched.handlers[name].delete(account("a", 3, NOBODY))
    assert watched.roles.principal("a", "puller") == NOBODY


def test_nothing_is_told_of_what_is_not_watched() -> None:
    """Of another name, or of a namespace outside of those that are watched."""
    watched = Watched("puller", scope="a")
    watched.handlers["puller"].replace([], 1, watched=False)
    assert watched.roles.is_watched("a", "puller")
    for where in (("a", "other"), ("b", "puller")):
        assert (watched.roles.principal(*where), watched.roles.is_watched(*where)) == (UNKNOWN, False)


def test_what_is_denied_is_not_relied_on_until_it_is_listed_again() -> None:
    """What was known before may be old: the ServiceAccounts are read one by one meanwhile."""
    watched = Watched("puller")
    watched.handlers["puller"].replace([account("a", 1)], 1, watched=False)
    watched.handlers["puller"].on_forbidden()
    assert (watched.roles.principal("a", "puller"), watched.roles.is_watched("a", "puller")) == (UNKNOWN, False)
    watched.handlers["puller"].replace([account("a", 1)], 2, watched=False)
    assert (watched.roles.principal("a", "puller"), watched.roles.is_watched("a", "puller")) == (ROLE, True)


def test_only_namespaces_that_name_a_service_account_are_enqueued() -> None:
    """At each change, at a deletion, and after the first listing, also where there is none of the name."""
    watched = Watched("puller")
    handler = watched.handlers["puller"]
    handler.replace([account("b", 1)], 1, watched=False)
    assert watched.enqueued == ["a"]
    for change in (handler.upsert, handler.delete):
        watched.enqueued.clear()
        for namespace in ("a", "b", "unknown"):
            change(account(namespace, 2 if change == handler.upsert else 3))
        assert watched.enqueued == ["a"]
