"""``python -m skaudio``: the command line."""

import sys

from skaudio.cli import main

if __name__ == "__main__":
    sys.exit(main())
