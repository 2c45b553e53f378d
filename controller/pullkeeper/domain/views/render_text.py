"""A forecast for a Namespace, in words and as a document."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.render_result import LIFE, RefreshTime, RenderResult

_LABEL = 14


def as_text(found: RenderResult) -> str:
    """Write it for people, but for the Secret."""
    lines = [f"namespace/{found.namespace}: {found.why}"]
    lines += [f"  {problem}" for problem in found.problems]
    for label, texts in _parts(found):
        lines += [f"  {'' if number else label:<{_LABEL}}{text}" for number, text in enumerate(texts)]
    return "\n".join(lines)


def as_document(found: RenderResult) -> Mapping[str, Any]:
    """Write it for machines, the Secret included."""
    desired, turn = found.desired, found.turn
    return {
        "namespace": found.namespace,
        "ok": not found.problems,
        "why": found.why,
        "problems": list(found.problems),
        "registries": [host.name for host in desired.registries] if desired else [],
        "identity": desired.identity.name if desired else None,
        "allowedBy": found.allowed_by or None,
        "tokens": [{"scope": scope.label, "registries": _opened(found, scope)} for scope in found.scopes],
        "permissions": list(found.permissions),
        "dueAt": _moment(turn.due_at) if turn else None,
        "turnAt": _moment(turn.at) if turn else None,
        "secret": found.secret,
    }


def _parts(found: RenderResult) -> Iterator[tuple[str, Sequence[str]]]:
    if found.desired is None or found.turn is None:
        return
    by = ", by `registries` of the settings" if found.by_default else ""
    yield "registries", [f"{host}{by}" for host in found.desired.registries]
    yield "identity", [f"{found.desired.identity}, allowed by `{found.allowed_by}` of the settings"]
    yield "tokens", [f"{scope.label}{_endpoint(scope)}: {', '.join(_opened(found, scope))}" for scope in found.scopes]
    yield "permissions", found.permissions
    yield "rotation", [_rotation(found.turn)]


def _opened(found: RenderResult, scope: TokenScope) -> list[str]:
    hosts: Sequence[RegistryHost] = found.desired.registries if found.desired else ()
    return [host.name for host in hosts if TokenScope.of(host, scope.identity) == scope]


def _endpoint(scope: TokenScope) -> str:
    kinds = [name for name, asked in (("FIPS", scope.fips), ("dual-stack", scope.dual_stack)) if asked]
    return f" by the {' and '.join(kinds)} endpoint" if kinds else ""


def _rotation(turn: RefreshTime) -> str:
    after, later = format_duration(turn.due_at - turn.issued_at), format_duration(turn.at - turn.due_at)
    what = f"a token issued at {_moment(turn.issued_at)} that lives {format_duration(LIFE)}"
    return f"{what} is due after {after}, and this namespace's turn is {later} later: {_moment(turn.at)}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
