"""The pull Secrets as a whole, for whoever goes round all of them."""

from controller.pull_secrets import ByNamespace, OneNamespaceSecrets, PullSecrets
from tests.core.examples import EU, managed, published

SECRET = managed(published(EU))


def test_all_are_those_of_every_namespace() -> None:
    """What one watch over the cluster tells, or one for each namespace, comes to the same."""
    everywhere = PullSecrets(wake=lambda _: None)
    parts = {name: OneNamespaceSecrets(wake=lambda _: None) for name in ("a", "b")}
    for name, part in parts.items():
        everywhere.see((name, SECRET))
        part.see((name, SECRET))
    assert everywhere.all() == ByNamespace(parts).all() == {"a": SECRET, "b": SECRET}
