"""`python -m pullkeeper` is the same as the `pullkeeper` command."""

import sys

from pullkeeper.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
