"""What an installation leaves to others, or outside of the namespaces that it watches."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.durations import format_duration

CLEANUP = "`pullkeeper cleanup --unwatched --config SETTINGS` deletes them"


def limited_to(watched: Sequence[str]) -> str:
    """Say that these are the only namespaces that are watched, and what that means for all others."""
    count = "1 namespace is" if len(watched) == 1 else f"{len(watched):,} namespaces are"
    return f"only {count} watched ({listed(watched)}): pull Secrets elsewhere are neither renewed nor deleted"


def of_other_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Say which namespaces with annotations or a pull Secret are of other classes; nothing where there are none."""
    if not names:
        return ()
    count = "1 namespace is" if len(names) == 1 else f"{len(names):,} namespaces are"
    return (f"{count} of another class and left to its installation, if there is one: {listed(sorted(names))}",)


def abandoned(
    secrets: Iterable[ObservedSecret], watched: Sequence[str], installation: str
) -> tuple[ObservedSecret, ...]:
    """Return the Secrets outside of the watched namespaces that no other installation has written, as they say."""
    return tuple(
        secret
        for secret in secrets
        if secret.managed and secret.written and secret.namespace not in watched
        if secret.written_by in {"", installation}
    )


def describe(secrets: Sequence[ObservedSecret], now: datetime) -> str:
    """Say how many Secrets are abandoned, where, and how old they are."""
    names = listed(sorted(secret.namespace for secret in secrets))
    count = "1 pull Secret" if len(secrets) == 1 else f"{len(secrets):,} pull Secrets"
    return f"{count} in namespaces that nobody watches any more{_ages(secrets, now)}: {names}"


def _ages(secrets: Sequence[ObservedSecret], now: datetime) -> str:
    records = filter(None, (secret.as_of(now).record for secret in secrets))
    issued = [min(each.issued_at for each in record.validities) for record in records]
    if not issued:
        return ""
    oldest, youngest = (format_duration(now - moment) for moment in (min(issued), max(issued)))
    age = oldest if oldest == youngest else f"{youngest} to {oldest}"
    return f" (tokens issued {age} ago)"
