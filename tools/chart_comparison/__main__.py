"""`python -m tools.chart_comparison [FOLDER]` updates the page, and from the folder its data."""

import sys

from tools.chart_comparison import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
