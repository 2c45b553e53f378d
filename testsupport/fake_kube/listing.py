"""Lists: versions of the past, selectors, chunks."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from testsupport.fake_kube import status
from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.faults import Faults
from testsupport.fake_kube.objects import Key, Object
from testsupport.fake_kube.selectors import selection
from testsupport.fake_kube.status import ApiError, FieldError, bad_request
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.tokens import base64url
from testsupport.fake_kube.versions import Version

MATCH = "resourceVersionMatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A list, or a chunk of one."""

    versions: list[Version]
    resource_version: int
    next: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        """Give the list's metadata."""
        meta: Object = {"resourceVersion": str(self.resource_version)}
        if self.next:
            meta["continue"] = self.next
        if self.remaining is not None:
            meta["remainingItemCount"] = self.remaining
        return meta


@dataclass(frozen=True, slots=True)
class Position:
    """Where a chunked list goes on: the version that it shows, and the last key that it gave."""

    PRESENT: ClassVar = -1

    resource_version: int
    after: str

    def token(self) -> str:
        """Apply the continue token."""
        content = {"v": "meta.k8s.io/v1", "rv": self.resource_version, "start": f"/{self.after}\0"}
        return base64url(json.dumps(content, separators=(",", ":")).encode())

    @classmethod
    def read(cls, token: str) -> "Position":
        """Read a continue token, or raise 400."""
        try:
            content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            return cls(int(content["rv"]), str(content["start"]).strip("/\0"))
        except (ValueError, KeyError, TypeError):
            raise bad_request("invalid continue token: continue key is not valid") from None


class Lister:
    """Answers lists from the store."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def list(self, call: Call) -> Page:
        """Answer a list request."""
        query = call.record.query
        check_options(query, watch=False)
        selected = selection(call.resource, call.namespace, query)
        limit = 0 if query.get("resourceVersion") == "0" else read_number(query.get("limit", "0"))
        position = Position.read(query["continue"]) if query.get("continue") else None
        at = self._version_to_show(call, query, position)
        versions = self._store.versions(call.resource.storage, at)
        if selected.name and selected.namespace:
            found = [v for v in versions if v.key == Key(selected.namespace, selected.name)]
            found = [v for v in found if selected.matches(v.object)]
        else:
            found = [v for v in versions if selected.matches(v.object)]
        if position:
            found = [v for v in found if v.key.path() > position.after]
        if limit <= 0 or len(found) <= limit:
            return Page(versions=found, resource_version=at)
        after = Position(at, found[limit - 1].key.path()).token()
        remaining = None if selected.filters else len(found) - limit
        return Page(versions=found[:limit], resource_version=at, next=after, remaining=remaining)

    def _version_to_show(self, call: Call, query: Mapping[str, str], position: Position | None) -> int:
        current, storage = self._store.resource_version, call.resource.storage
        if position:
            return self._version_to_continue(call, position)
        stale = self._faults.stale_version(call.record)
        if stale is not None:
            return min(stale, current)
        asked = read_version(query.get("resourceVersion", ""))
        if asked > current:
            raise too_large(asked, current)
        if query.get(MATCH) == "Exact" or (asked and query.get("limit", "0") != "0" and MATCH not in query):
            self._store.check_not_expired(storage, asked)
            return asked
        return current

    def _version_to_continue(self, call: Call, position: Position) -> int:
        """Stay with the version of the first chunk, or with the present if the token asks for it."""
        if call.record.query.get("resourceVersion", "0") != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        if position.resource_version == Position.PRESENT:
            return self._store.resource_version
        try:
            self._store.check_not_expired(call.resource.storage, position.resource_version)
        except ApiError:
            message = (
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter, or use the continue token in this response to retrieve the "
                "remainder of the results. Continuing with the provided token results in an inconsistent list - "
                "objects that were created, modified, or deleted between the time the first chunk was returned and "
                "now may show up in the list."
            )
            resume = Position(Position.PRESENT, position.after).token()
            raise status.expired(message, {"continue": resume}) from None
        return position.resource_version


def check_options(query: Mapping[str, str], *, watch: bool) -> None:
    """Refuse list options that do not go together (422)."""
    errors = list(_option_errors(query, watch=watch))
    if errors:
        raise status.invalid("meta.k8s.io", "ListOptions", "", errors)


def _option_errors(query: Mapping[str, str], *, watch: bool) -> Iterator[FieldError]:
    match, version = query.get(MATCH, ""), query.get("resourceVersion", "")
    if "sendInitialEvents" in query:
        yield from _initial_events_errors(query, watch=watch)
    elif match and watch:
        yield status.forbidden_field(MATCH, "resourceVersionMatch is forbidden for watch")
    elif match and not version:
        yield status.forbidden_field(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided")
    elif match and query.get("continue"):
        yield status.forbidden_field(MATCH, "resourceVersionMatch is forbidden when continue is provided")
    elif match == "Exact" and version == "0":
        yield status.forbidden_field(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    elif match and match not in ("Exact", "NotOlderThan"):
        yield status.unsupported(MATCH, status.quoted(match), '"Exact", "NotOlderThan", ""')


def _initial_events_errors(query: Mapping[str, str], *, watch: bool) -> Iterator[FieldError]:
    if not watch:
        yield status.forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
    elif query.get(MATCH) != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        yield status.forbidden_field(MATCH, why)


def read_version(text: str) -> int:
    """Read a resourceVersion; none is 0."""
    if text and not text.isdigit():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {why}')
    return int(text or 0)


def read_number(text: str) -> int:
    """Read an integer option."""
    try:
        return int(text or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def too_large(asked: int, current: int) -> ApiError:
    """Say that the future is not known yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", message, details=details, headers={"Retry-After": "1"})
