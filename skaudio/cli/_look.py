"""``skaudio info`` and ``skaudio audit``: describe and check recordings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

from skaudio.audio import reason_of
from skaudio.cli._inputs import find_recordings
from skaudio.cli._labels import labelled
from skaudio.cli._printing import list_failures, records, show, show_json
from skaudio.datasets import audit_recordings, recordings_below

# Columns of the table of an audit that `info` prints.
INFO = ["container", "codec", "sample_rate", "channels", "duration", "peak", "level", "problems"]


def info(options: Any) -> int:
    """Describe recordings."""
    files = find_recordings(options.files)
    table = audit_recordings(files, verbose=_bar(files)).table
    table.insert(0, "file", files)
    failed = table[~table["readable"]]
    failures = list(zip(failed["file"], map(reason_of, failed["reason"]), strict=True))
    if len(failures) == len(files) == 1:
        raise ValueError(": ".join(failures[0]))
    show(table.loc[table["readable"], ["file", *INFO]], options.form)
    list_failures(failures, len(files))
    return 1 if failures else 0


def audit(options: Any) -> int:
    """Print the findings of an audit, or its table."""
    folder = Path(options.folder)
    files = recordings_below(folder) if folder.is_dir() else []
    if options.target is None and any(file.parent == folder for file in files):
        result = audit_recordings(list(map(str, files)), verbose=_bar(files))  # no classes
    else:
        data = labelled(options)
        result = audit_recordings(data.files, data.classes, data.groups, verbose=_bar(data.files))
    if options.plot:
        # A picture is written without opening a window, on every machine.
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 8), layout="constrained")
        result.plot(figure.subplots(2, 2).ravel())
        figure.savefig(options.plot, dpi=150)
    if options.form == "csv":
        show(result.table, "csv")
    elif options.form == "json":
        findings = [
            {"kind": f.kind, "message": f.message, "recordings": list(f.recordings)}
            for f in result.findings
        ]
        show_json({"findings": findings, "recordings": records(result.table)})
    else:
        print(result)
    return 0


def _bar(files: Sized) -> int:
    """Return ``verbose``: a progress bar if stderr is a terminal and there are many files."""
    return int(sys.stderr.isatty() and len(files) > 10)


COMMANDS: dict[str, Callable[[Any], int]] = {"info": info, "audit": audit}
