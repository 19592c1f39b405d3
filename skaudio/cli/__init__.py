"""The command line: ``skaudio COMMAND ...``, or ``python -m skaudio COMMAND ...``.

Each command consists of a few calls of the library. ``skaudio --help`` lists the commands.
"""

# Used by the command and by `python -m skaudio`. It is not a name of skaudio.
from skaudio.cli._main import main as main

__all__: list[str] = []
