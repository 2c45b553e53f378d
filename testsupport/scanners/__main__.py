"""`python -m testsupport.scanners` brings what is missing and prints where it is."""

import sys

from testsupport.scanners import main

if __name__ == "__main__":
    sys.exit(main())
