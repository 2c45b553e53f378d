"""A real Kubernetes control plane for tests, and the tests that need one.

`python -m tests.control_plane` starts one to look around in; the fixture `plane` gives it to a test.
"""
