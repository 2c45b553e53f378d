"""One suite that says what a Kubernetes API server does, as far as the controller relies on it.

`pytest tests/contract` holds it against the in-memory server of tests/fakes/kube, and
`pytest tests/contract --server=real` against a real kube-apiserver: what passes on both is what the
in-memory server may be trusted with. Everything is arranged over REST, under names of each test's own.
"""
