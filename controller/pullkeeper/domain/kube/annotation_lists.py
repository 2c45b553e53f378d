"""Lists in annotations, which anybody may write who may write the object."""

from collections.abc import Iterable

MAX_PARTS = 401
"""How many parts of a list are read, empty ones included: of 200 lines that end with a comma there are so many.

An admission policy reads lists, too, and in CEL it takes quadratic time to make a list.
"""
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space: what CEL's trim() removes, so that admission policies read a list as the controller does.

Python's strip() would take the separators U+001C to U+001F as well.
"""


def parts(value: str) -> list[str]:
    """Return the parts of a list that is separated by commas or newlines, as they are written."""
    return value.replace("\n", ",").split(",")


def trimmed(given: Iterable[str]) -> list[str]:
    """Return the parts of a list without blanks around them and without empty ones."""
    return [part for each in given if (part := each.strip(BLANKS))]
