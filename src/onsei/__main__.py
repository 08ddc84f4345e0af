"""``python -m onsei`` is the command line."""

import sys

from onsei.cli import main

if __name__ == "__main__":
    sys.exit(main())
