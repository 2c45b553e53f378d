"""The limit on open files of this process."""

import resource
from contextlib import suppress

_ENOUGH = 65_536


def raise_file_limit() -> None:
    """Raise the soft limit to the hard one: many systems set it to 1024 for the sake of programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # refused by the system: the limit stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
