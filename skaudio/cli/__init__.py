"""The command line: ``skaudio COMMAND ...``, or ``python -m skaudio COMMAND ...``.

Each command is a few calls of the library. ``skaudio --help`` lists the commands.
"""

# For the command itself and for `python -m skaudio`: no name of skaudio.
from skaudio.cli._main import main as main

__all__: list[str] = []
