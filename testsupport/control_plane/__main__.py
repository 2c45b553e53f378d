"""Starts a control plane to look around in: `python -m testsupport.control_plane`, until Ctrl-C."""

import signal
import sys

from testsupport.control_plane import plane
from testsupport.control_plane.assets import AssetsError


def main() -> int:
    """Start a plane, print where its kubeconfig is, wait for Ctrl-C or SIGTERM, and stop it."""
    stops = {signal.SIGINT, signal.SIGTERM}
    try:
        running = plane.start()
    except (AssetsError, plane.PlaneError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with running:
        sys.stdout.write(f"export KUBECONFIG={running.write_kubeconfig()}\n{running.url}; Ctrl-C ends it\n")
        sys.stdout.flush()
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
