"""Results of large collections in folders of Parquet files."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import skaudio
from skaudio.cli._inputs import find_recordings
from skaudio.cli._printing import note, show_json


def into_folder(options: Any, write: Callable[..., Any]) -> int:
    """Call a function of `skaudio.scale` with the options of a command, and print its progress."""
    lists = [name for name in options.files if name.endswith(".parquet")]
    if lists and len(options.files) > 1:
        raise ValueError(f"{lists[0]!r} lists recordings: expected no other files beside it")
    recordings = lists[0] if lists else find_recordings(options.files)
    how = {
        "part_size": options.part_size,
        "n_jobs": options.jobs,
        "shard": options.shard,
        "retry_failures": options.retry,
        "verbose": int(sys.stderr.isatty()),
    }
    with dask_client(options.dask) as client:
        try:
            state = write(recordings, options.output, client=client, **how)
        except KeyboardInterrupt:
            note("interrupted; the same command goes on")
            return 130
    note(str(state))
    return 1 if state.n_failed else 0


def dask_client(address: str | None) -> AbstractContextManager[Any]:
    """Connect to a scheduler of dask; None: return None."""
    if address is None:
        return nullcontext()
    try:
        import distributed
    except ImportError as error:
        raise ImportError("--dask needs dask: pip install distributed") from error
    try:
        client: AbstractContextManager[Any] = cast(Any, distributed).Client(address, timeout=10)
    except OSError as error:
        raise OSError(f"--dask {address}: no scheduler answers there ({error})") from error
    return client


def only_for_folders(options: Any) -> None:
    """Raise an error for options of folders if the results are not written to a folder."""
    given = [
        ("--shard", options.shard is not None),
        ("--dask", options.dask is not None),
        ("--retry", options.retry),
        ("--part-size", options.part_size != 1000),
        ("--dtype", getattr(options, "dtype", "float32") != "float32"),
    ]
    wrong = [name for name, is_given in given if is_given]
    if wrong:
        raise ValueError(f"{wrong[0]} is for results in a folder: pass --output FOLDER")


def show_folder(options: Any) -> int:
    """Print the progress of a folder of results."""
    state = skaudio.folder_state(options.model)
    if options.form != "table":
        show_json(dataclasses.asdict(state) | {"is_complete": state.is_complete})
        return 0
    print(state)
    print(f"estimator: {state.estimator}")
    if state.missing:
        more = ", ..." if len(state.missing) > 9 else ""
        print(f"missing parts: {', '.join(map(str, state.missing[:9]))}{more}")
    return 0
