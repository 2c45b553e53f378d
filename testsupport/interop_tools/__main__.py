"""`python -m testsupport.interop_tools` fetches what is missing and prints the folder."""

import sys

from testsupport.interop_tools import main

if __name__ == "__main__":
    sys.exit(main())
