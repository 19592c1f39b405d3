"""Run a command: errors are printed in one line, with an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import skaudio
from skaudio.cli._parser import build_parser

# Exit codes: some recordings could not be read; an error in the call; interrupted by Ctrl-C.
SOME_FAILED, MISTAKE, INTERRUPTED = 1, 2, 130
MISTAKES = (ValueError, TypeError, OSError, ImportError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments after ``skaudio``. None: the arguments of the process.

    Returns
    -------
    code : int
        0: done. 1: some recordings could not be read; they are listed on stderr, and the others
        were processed. 2: an error in the call, which is described in one line on stderr. 130:
        interrupted.

    Examples
    --------
    >>> from skaudio.cli import main
    >>> from skaudio.datasets import load_spoken_digits
    >>> main(["info", load_spoken_digits().data[0], "--csv"])  # doctest: +ELLIPSIS
    file,...
    0
    """
    options = build_parser(skaudio.__version__).parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _show_warning
        try:
            return _run(options)
        except MISTAKES as error:
            print(f"skaudio {options.command}: error: {_one_line(error)}", file=sys.stderr)
            return MISTAKE
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED


def _run(options: Any) -> int:
    # Imported here, because the library takes a second to import, and --help and wrong arguments do
    # not need it.
    from skaudio.cli import _apply, _learn, _look

    commands = {**_look.COMMANDS, **_learn.COMMANDS, **_apply.COMMANDS}
    try:
        code: int = commands[options.command](options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _show_warning(message: Any, category: type[Warning], *args: Any, **kwargs: Any) -> None:
    print(f"warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: object) -> str:
    from skaudio.cli._printing import one_line

    return one_line(message)
