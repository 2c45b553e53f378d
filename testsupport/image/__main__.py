"""`python -m tests.image`: provides tools and base and builds the image, or says in one line what is missing."""

import sys

from testsupport.image import built
from testsupport.image.tools import ToolsError, say


def main() -> int:
    """Prepare what the tests of the image stand on."""
    try:
        base = built.base()
        say(f"building {built.build(base)} on {base}")
    except ToolsError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
