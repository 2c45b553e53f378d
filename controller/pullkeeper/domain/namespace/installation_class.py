"""The class of a namespace: which of several installations in one cluster acts for it."""

import re
from collections.abc import Mapping

from pullkeeper.domain.namespace.annotations import CLASS, MAX_LENGTHS

DEFAULT_CLASS = ""
"""The class of a namespace without the annotation, and of an installation without the setting."""
PATTERN = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
"""What Kubernetes takes as the value of a label; it may be empty, and has a length of its own."""
CLASS_FORM = (
    f"a class: at most {MAX_LENGTHS[CLASS]} letters, digits, '-', '_' and '.', with a letter or digit at both ends; "
    "or nothing for the default class"
)
_CLASS = re.compile(PATTERN)


def is_class(text: str) -> bool:
    """Return whether a text names a class."""
    return len(text) <= MAX_LENGTHS[CLASS] and _CLASS.fullmatch(text) is not None


def class_of(annotations: Mapping[str, str]) -> str | None:
    """Return the class that annotations name, by their keys without the prefix; None where it is invalid."""
    found = annotations.get(CLASS, DEFAULT_CLASS)
    return found if is_class(found) else None


def described(name: str) -> str:
    """Return how to call a class."""
    return f"the class {name}" if name else "the default class"
