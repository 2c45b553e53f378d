"""An in-memory Kubernetes API server (as of 1.36) for tests and the demo.

`async with serve() as server`, `with serve_in_thread() as server`, or `python -m tests.fakes.kube`.
"""

from tests.fakes.kube.faults import Fault, Faults, always, matching
from tests.fakes.kube.objects import Object
from tests.fakes.kube.request_info import RequestRecord
from tests.fakes.kube.server import ApiServer, serve, serve_in_thread
from tests.fakes.kube.store import Store
from tests.fakes.kube.versions import Change

__all__ = [
    "ApiServer",
    "Change",
    "Fault",
    "Faults",
    "Object",
    "RequestRecord",
    "Store",
    "always",
    "matching",
    "serve",
    "serve_in_thread",
]
