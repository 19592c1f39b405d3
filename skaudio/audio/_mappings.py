"""Elements of X that describe a recording: mappings, rows of a table, objects of libraries."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from skaudio._validation import check_sample_rate, is_number
from skaudio.audio._arrays import as_samples
from skaudio.audio._recording import Recording

RATE_KEYS = ("sampling_rate", "sample_rate")
# Keys of times that are not supported in mappings.
MISLEADING = ("offset", "onset", "end")
EXPECTED = (
    "'array' and 'sampling_rate', or 'bytes', or 'path'; with 'start' and 'duration' (seconds) for "
    "a clip"
)


class ClipRow(NamedTuple):
    """A row of a table of events: a part of a file, from its onset to its offset in seconds."""

    file: Any
    onset: Any
    offset: Any


@runtime_checkable
class ArrowScalar(Protocol):
    """An item of an Arrow array; its bytes are not samples."""

    def as_py(self) -> Any:
        """Return it as an object of Python."""


@runtime_checkable
class AudioDecoder(Protocol):
    """Protocol of torchcodec's decoder of the same name."""

    def get_all_samples(self) -> Any:
        """Return an object with ``data`` (n_channels, n_times) and ``sample_rate``."""


def plain(item: Any) -> Any:
    """Return an item of an array of Arrow as Python's object; numbers as an array of their type."""
    if hasattr(item, "values") and item.is_valid and not hasattr(item, "keys"):  # a list
        values = np.asarray(item.values)
        return item.as_py() if values.dtype.kind == "O" else values
    if hasattr(item, "keys") and item.is_valid:  # a struct
        return {key: plain(item[key]) for key in item.keys()}  # noqa: SIM118
    return item.as_py()


def check_path(item: Any, name: str) -> str:
    """Return a path as text; raise an error for an invalid one."""
    path = str(os.fsdecode(item))  # str(): numpy's strings show their type in messages
    if "\0" in path:
        raise ValueError(
            f"{name} ({path!r}) has a null byte in its path, expected the name of a file. Was it "
            "read from a binary file?"
        )
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} ({path!r}) is not a valid file name: {error}.") from error
    return path


def from_row(row: ClipRow, name: str) -> Recording:
    """Convert a row of a table of clips to a recording."""
    if not isinstance(row.file, (str, os.PathLike)):
        raise TypeError(
            f"{name} has file={row.file!r}, expected a path: the column 'file' of a table of clips "
            "holds paths. A missing value is the usual cause."
        )
    path = check_path(row.file, name)
    onset, offset = (_seconds(value) for value in row[1:])
    if not (math.isfinite(onset) and math.isfinite(offset) and 0 <= onset < offset):
        raise ValueError(
            f"{name} ({path!r}) has onset={row.onset}, offset={row.offset}: expected seconds, "
            "0 <= onset < offset. The offset is the end of a clip, not its duration."
        )
    return _clip(path, name, path=path, start=onset, duration=offset - onset)


def from_mapping(item: Mapping[str, Any], name: str) -> Recording:
    """Convert a mapping (array, bytes or path), as in Hugging Face datasets, to a recording."""
    path = item.get("path")
    path = check_path(path, name) if isinstance(path, (str, bytes, os.PathLike)) else None
    called = f"{name} ({path!r})" if path else name
    misleading = next((key for key in MISLEADING if item.get(key) is not None), None)
    if misleading is not None:
        raise ValueError(
            f"{called} is a mapping with {misleading}={item[misleading]!r}, expected 'start' and "
            "'duration' in seconds: 'offset' is the end of a clip in tables, but the start as a "
            "parameter of encoders. Or pass a DataFrame with the columns file, onset and offset."
        )
    part = {key: _check_part(item, key, called) for key in ("start", "duration")}
    facts: dict[str, Any] = {"path": path, **{k: v for k, v in part.items() if v is not None}}
    if item.get("array") is not None:
        facts |= _check_facts(item, called)
        return _clip(as_samples(item["array"], called), name, **facts)
    if item.get("bytes") is not None:
        return _clip(bytes(item["bytes"]), name, **facts)
    if path:
        return _clip(path, name, **facts)
    raise ValueError(
        f"{called} is a mapping with the keys {sorted(map(str, item))}, expected {EXPECTED}. If "
        "this is a row of a table, pass the column that holds the recordings."
    )


def _clip(source: Any, name: str, **facts: Any) -> Recording:
    """Return a recording whose name contains its path and its part."""
    path, start, duration = (facts.get(key) for key in ("path", "start", "duration"))
    told = [repr(path)] if path else []
    if duration is not None:
        told.append(f"{start or 0:g} to {(start or 0) + duration:g} s")
    elif start:
        told.append(f"from {start:g} s")
    return Recording(source, f"{name} ({', '.join(told)})" if told else name, **facts)


def _check_facts(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the facts in a mapping with an array, besides the samples."""
    rates = {key: item[key] for key in RATE_KEYS if item.get(key) is not None}
    warp_factor = item.get("warp_factor")
    if not rates and warp_factor is None:
        raise ValueError(
            f"{name} is a mapping with 'array' but without 'sampling_rate', expected both; its "
            f"keys are {sorted(map(str, item))}. Pass the bare array if the rate is the encoder's."
        )
    checked = {key: check_sample_rate(rate, name=f"{name}: {key}") for key, rate in rates.items()}
    if len(set(checked.values())) > 1:
        raise ValueError(f"{name} states two rates, {rates}: expected one of the two keys.")
    return {"sample_rate": next(iter(checked.values()), None), "warp_factor": warp_factor}


def _check_part(item: Mapping[str, Any], key: str, name: str) -> float | None:
    """Return the start or the duration in a mapping, or None."""
    value = item.get(key)
    if value is None or (is_number(value, numbers.Real) and math.isnan(value)):
        return None
    seconds = _seconds(value)
    if not 0 <= seconds < math.inf or (key == "duration" and seconds == 0):
        least = "0 or more" if key == "start" else "more than 0"
        raise ValueError(f"{name} has {key}={value!r}: expected seconds, {least}.")
    return seconds


def _seconds(value: Any) -> float:
    """Return a number as float, or NaN for other objects."""
    return float(value) if is_number(value, numbers.Real) else math.nan
