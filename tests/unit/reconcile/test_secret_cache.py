"""The pull Secrets as a whole, for whoever goes round all of them."""

from pullkeeper.reconcile.secret_cache import ByNamespace, OneNamespaceSecrets, SecretCache
from testsupport.examples import EU, managed, published

SECRET = managed(published(EU))


def test_all_are_those_of_every_namespace() -> None:
    """What one watch over the cluster tells, or one for each namespace, comes to the same."""
    everywhere = SecretCache(wake=lambda _: None)
    parts = {name: OneNamespaceSecrets(wake=lambda _: None) for name in ("a", "b")}
    for name, part in parts.items():
        everywhere.upsert((name, SECRET))
        part.upsert((name, SECRET))
    assert everywhere.all() == ByNamespace(parts).all() == {"a": SECRET, "b": SECRET}
