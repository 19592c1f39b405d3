"""The command line: ``skaudio COMMAND ...``, or ``python -m skaudio COMMAND ...``.

Each command is a few calls of the library. ``skaudio --help`` lists the commands.
"""

from skaudio.cli._main import main

__all__ = ["main"]
