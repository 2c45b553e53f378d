"""The syntax of names, labels and keys, with the sentences that say what is wrong with one."""

import re

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
CHARACTERS = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
_NAME = f"{CHARACTERS} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}')"
NAME_PART = f"name part must consist of {_NAME}"
NOT_A_LABEL_VALUE = (
    f"a valid label must be an empty string or consist of {CHARACTERS} "
    f"(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({QUALIFIED})?')"
)
NOT_A_KEY = (
    f"a valid label key must consist of {_NAME} with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)
NOT_A_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NOT_A_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def is_qualified(name: str) -> bool:
    """Tell whether a label or annotation key is well formed: an optional DNS prefix, a slash, a name."""
    prefix, slash, local = name.rpartition("/")
    well_formed = re.fullmatch(QUALIFIED, local) is not None and len(local) <= 63
    return well_formed and (not slash or re.fullmatch(SUBDOMAIN, prefix) is not None)
