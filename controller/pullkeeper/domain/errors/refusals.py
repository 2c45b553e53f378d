"""Who refuses a write that the caller has the right to: a quota, an admission webhook or a policy.

The API server answers all of them much like a missing right, so they are told apart by its message.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.errors.text import printable

_MAX_READ = 8192
_MAX_WORDS = 300
_MAX_NAME = 253
_HIDDEN = "[hidden]"

_FORBIDDEN = re.compile(r'\S+(?: "[^"]*")? is forbidden: (?P<why>.*)', re.DOTALL)
_MISSING_RIGHT = 'User "'
_QUOTA = re.compile(r"(?:exceeded quota|failed quota|status unknown for quota): (?P<name>[^,:\s]+)", re.DOTALL)
_POLICY = re.compile(
    r"(?P<name>ValidatingAdmissionPolicy '[^']+' with binding '[^']+') denied request(?:: (?P<words>.*))?", re.DOTALL
)
_WEBHOOK = re.compile(r'(?P<name>admission webhook "[^"]+") denied the request(?:: (?P<words>.*))?', re.DOTALL)
_SILENT_WEBHOOK = re.compile(
    r'Internal error occurred: failed calling (?P<name>webhook "[^"]+"): (?P<words>.*)', re.DOTALL
)
_FENCE = "the fence of Pullkeeper: "
"""How the messages of the chart's own policies begin (templates/admission-fence.yaml)."""
_ADVICE = "exempt the controller's ServiceAccount there, or change the rule"
_OWN_ADVICE = (
    "it is the chart's own admission fence: upgrade the release with the settings that are in force, or name in "
    "`admission.toleratedMetadata` what a webhook adds to the object; else it is a bug"
)
_PART = 8
_RUN = re.compile(rf"[A-Za-z0-9+/=_]{{{_PART},}}")
_LONG_RUN = 32
"""No word is as long, and no token is shorter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A refusal that no right would lift."""

    reason: Reason
    why: str
    """Who refuses, and what to do about it."""
    words: str = ""
    """The refuser's own words, without anything that may be a token."""


def read_refusal(message: str, hidden: Iterable[str] = ()) -> Refusal | None:
    """Read the message of a Status; None if it tells of a missing right, or of anything else.

    The message may quote the object that was sent: `hidden` is what of that must not be shown.
    """
    message = message[:_MAX_READ]
    secrets = tuple(hidden)
    if found := _SILENT_WEBHOOK.match(message):
        why = f"the admission {_name(found)} cannot be called: see why, or exempt the controller's ServiceAccount"
        return Refusal(reason=Reason.ADMISSION_UNAVAILABLE, why=why, words=_words(found["words"], secrets))
    if found := _WEBHOOK.match(message):
        return _denied(_name(found), found["words"], secrets)
    forbidden = _FORBIDDEN.match(message)
    return _read_forbidden(forbidden["why"], secrets) if forbidden else None


def _read_forbidden(why: str, secrets: tuple[str, ...]) -> Refusal | None:
    if why.startswith(_MISSING_RIGHT):
        return None
    if found := _POLICY.match(why):
        return _denied(_name(found), found["words"], secrets)
    if found := _QUOTA.match(why):
        quota = f"the ResourceQuota {_name(found)} leaves no room: raise it, or make room in it"
        return Refusal(reason=Reason.QUOTA_EXCEEDED, why=quota, words=_words(why, secrets))
    return _denied("admission", why, secrets)


def _denied(who: str, words: str | None, secrets: tuple[str, ...]) -> Refusal:
    own = words is not None and words.startswith(_FENCE)
    why = f"{who} denies it: {_OWN_ADVICE if own else _ADVICE}"
    return Refusal(reason=Reason.ADMISSION_REFUSED, why=why, words=_words(words or "", secrets))


def _name(found: re.Match[str]) -> str:
    return printable(found["name"], _MAX_NAME)


def _words(text: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, _HIDDEN)
    return printable("".join(_shown(text, secrets)).strip(), _MAX_WORDS)


def _shown(text: str, secrets: tuple[str, ...]) -> Iterator[str]:
    """Yield the text in pieces, without what is long enough for a token or a part of a secret."""
    at = 0
    for run in _RUN.finditer(text):
        yield text[at : run.start()]
        at, word = run.end(), run[0]
        yield _HIDDEN if len(word) >= _LONG_RUN or _shares(word, secrets) else word
    yield text[at:]


def _shares(word: str, secrets: tuple[str, ...]) -> bool:
    """Whether a part of the word is a part of a secret."""
    parts = {word[at : at + _PART] for at in range(len(word) - _PART + 1)}
    return any(part in secret for part in parts for secret in secrets)
