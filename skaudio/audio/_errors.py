"""Errors about recordings, with the likely cause: returned, for the caller to raise; warnings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Sample rates of files, ultrasound and radio included. A wrong rate in a header would make seconds
# of sound out of a few samples.
LOWEST_RATE, HIGHEST_RATE = 400, 10_000_000


def not_a_sequence(X: Any) -> Exception:
    """X is one recording, or nothing that holds recordings."""
    if isinstance(X, (str, os.PathLike)):
        return ValueError(
            f"X is a single path ({str(os.fsdecode(X))!r}), expected a sequence of recordings: "
            "pass [path], or those of a folder: skaudio.datasets.load_audio_files(folder).data."
        )
    if isinstance(X, Mapping) and not {"array", "path", "bytes"} & set(X):
        return ValueError(
            f"X is a mapping with the keys {sorted(map(str, X))}, expected a sequence of "
            "recordings: pass one column of it, X[key]."
        )
    if isinstance(X, (Mapping, bytes, bytearray)) or hasattr(X, "get_all_samples"):
        return ValueError(
            f"X is a single recording (a {type(X).__name__}), expected a sequence of recordings: "
            "pass [recording]."
        )
    return ValueError(
        f"X is {X!r}, expected a sequence of recordings. Expected 2D array, got scalar array "
        "instead. Reshape your data: pass [waveform] for a single one."
    )


def not_a_recording(item: Any, name: str) -> TypeError:
    """An element of X is a number, None or the like."""
    missing = " A missing value in the table is the usual cause."
    return TypeError(
        f"{name} is {item!r} ({type(item).__name__}), expected a path, a waveform (1-D array) "
        "or a mapping with 'array' and 'sampling_rate', 'path' or 'bytes'."
        + (missing if _is_missing(item) else "")
    )


def _is_missing(item: Any) -> bool:
    try:
        return bool(item is None or item != item)
    except TypeError:  # pandas' NA
        return True


def masked(samples: Any, name: str) -> ValueError:
    """Some samples of a masked array are masked."""
    n_masked = int(np.ma.getmaskarray(samples).sum())
    return ValueError(
        f"{name} is a masked array, {n_masked} of its {np.size(samples)} values masked; expected "
        "all values. Fill them, x.filled(0), or cut the recording."
    )


def not_readable(path: str, name: str, error: OSError) -> ValueError:
    """The operating system does not open or read a file."""
    if isinstance(error, FileNotFoundError):
        where = "" if Path(path).is_absolute() else f" (looked in {Path.cwd()})"
        advice = "Check the path and the working directory."
        if path.startswith("~"):
            advice = "'~' is not expanded: pass os.path.expanduser(path)."
        elif "://" in path:
            advice = "Addresses are not fetched: download the file first."
        return ValueError(f"{name}: no such file{where}. {advice}")
    if isinstance(error, IsADirectoryError):
        return ValueError(
            f"{name} is a folder, expected an audio file. "
            "skaudio.datasets.load_audio_files lists the recordings of a folder."
        )
    return ValueError(f"{name} cannot be read: {error.strerror}.")


def not_audio(head: bytes, name: str) -> ValueError:
    """No decoder knows what a file begins with."""
    looks_like_text = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    cause = "it looks like text" if looks_like_text else f"it begins with {head[:8]!r}"
    return ValueError(
        f"{name} is not audio that can be decoded: {cause}. Expected WAV, FLAC, Ogg, Opus, MP3 or "
        "another format of libsndfile, or MP4/M4A, 3GP, WebM and the like."
    )


def truncated(name: str, kind: str, found: str) -> ValueError:
    """A file holds less than it announces, or decoding it fails."""
    return ValueError(
        f"{name} is truncated or damaged ({kind}): {found}. Copy or download it again, or repair "
        "it by re-encoding what is there."
    )


def not_samples(dtype: np.dtype[Any], name: str) -> Exception:
    """Samples are neither floating point numbers nor integers."""
    if dtype.kind == "c":
        return ValueError(
            f"{name}: Complex data not supported: samples are {dtype}. Expected a real "
            "waveform (did you pass an STFT?)."
        )
    return TypeError(f"{name}: samples are {dtype}, expected floating point or integer samples.")


def not_finite(waveform: np.ndarray, bad: np.ndarray, name: str) -> ValueError:
    """Some samples are NaN or infinite, those at the positions ``bad``."""
    value = "NaN" if np.isnan(waveform[bad[0]]) else "infinity"
    more = f", and {len(bad) - 1} more that are not finite" if len(bad) > 1 else ""
    return ValueError(
        f"{name} contains {value} at sample {bad[0]}{more}; "
        "expected finite values. A division by a silent recording's level is the usual cause."
    )


def too_large(waveform: np.ndarray, name: str) -> ValueError:
    """What is computed from finite samples is not finite."""
    at = int(np.abs(waveform).argmax())
    return ValueError(
        f"{name} has a sample of {waveform[at]:g} (sample {at}), and what is computed from so "
        "large a value exceeds the range of float32. Expected samples between -1 and 1, or not "
        "much beyond. Is the file damaged, or are these no samples?"
    )


def strange_rate(name: str, rate: float) -> ValueError:
    """A file states a sample rate at which nothing is recorded."""
    return ValueError(
        f"{name} states a sample rate of {rate:g} Hz, expected {LOWEST_RATE} to {HIGHEST_RATE} Hz. "
        "Is its header damaged?"
    )


def other_rates(estimator: Any, *, is_stated: bool) -> str:
    """Say that X states rates and that of fit did not, or the other way round."""
    rate = getattr(estimator, "sample_rate", None)
    taken = f"taken to be at {rate:g} Hz" if rate else "taken to be at the encoder's sample rate"
    if is_stated:
        return (
            "X holds recordings that state their sample rates, and the X of fit held bare arrays, "
            f"which were {taken}. If these have another rate, fit again and state it: "
            "AudioBatch(arrays, sample_rate)."
        )
    return (
        f"X holds bare arrays, which are {taken}, and the recordings of fit stated their rates. If "
        "the arrays have another sample rate, the result is wrong. State it: pass "
        "AudioBatch(arrays, sample_rate), or mappings with 'array' and 'sampling_rate'."
    )


def warn(message: str) -> None:
    """Warn at the line that calls this package."""
    level, frame = 1, sys._getframe()
    own = ("skaudio.", "contextlib")  # the latter stands between a with statement and its function
    while frame.f_back is not None and frame.f_globals["__name__"].startswith(own):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
