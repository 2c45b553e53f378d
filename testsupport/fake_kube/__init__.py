"""An in-memory Kubernetes API server (as of 1.36) for tests and the demo.

`async with serve() as server`, `with serve_in_thread() as server`, or `python -m testsupport.fake_kube`.
"""

from testsupport.fake_kube.faults import Fault, Faults, always, matching
from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.server import ApiServer, serve, serve_in_thread
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.versions import Change

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
