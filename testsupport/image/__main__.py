"""Install the tools, provide the base image and build the image: `python -m testsupport.image`."""

import sys

from testsupport.image import built
from testsupport.image.tools import ToolsError, say


def main() -> int:
    """Prepare the image tests; reports in one line what is missing."""
    try:
        base = built.base()
        say(f"building {built.build(base)} on {base}")
    except ToolsError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
