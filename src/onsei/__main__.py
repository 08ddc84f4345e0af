"""``python -m onsei`` is the command line."""

import os
import sys

from onsei.cli import main

if __name__ == "__main__":
    status = main()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # One of several processes, its work done and written: while the interpreter goes, gloo's threads may abort it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
