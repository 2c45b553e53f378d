"""A real Kubernetes control plane for tests, and the tests that need one.

`python -m tests.cluster` starts one to look around in; the fixture `plane` gives it to a test.
"""
