"""How tests that read no kubeconfig reach an API server."""

from pullkeeper.adapters.kubernetes.login import ConnectionInfo


def connection_info(server: str, *, authorization: str | None = None) -> ConnectionInfo:
    """Return a connection without a CA, a client certificate or a proxy of its own."""
    return ConnectionInfo(
        server=server,
        authorization=authorization,
        ca_path=None,
        certificate_path=None,
        key_path=None,
        insecure=False,
        tls_server_name=None,
        proxy=None,
    )
