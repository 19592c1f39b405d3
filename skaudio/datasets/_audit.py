"""audit_recordings: find problems of a collection before a model is trained on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from skaudio._parallel import map_in_threads, progress_bar
from skaudio._validation import check_labels, check_sample_rate
from skaudio.audio import Recordings, check_recordings
from skaudio.datasets._audit_duplicates import MIN_CORRELATION, candidates, correlation
from skaudio.datasets._audit_findings import find, problems_of
from skaudio.datasets._audit_measures import Measures, measure
from skaudio.datasets._audit_result import RecordingsAudit
from skaudio.datasets._audit_shortcuts import shortcut_accuracies

# Type and missing value of each column of the table.
_COLUMNS: dict[str, Any] = {
    "path": object,
    "readable": bool,
    "reason": object,
    "container": object,
    "codec": object,
    "sample_rate": float,
    "channels": "Int64",
    "bits": "Int64",
    "duration": float,
    "peak": float,
    "level": float,
    "noise_floor": float,
    "clipped": float,
    "silent": float,
    "dc_offset": float,
    "bandwidth": float,
}
_PAIRS = {
    "first": int,
    "second": int,
    "kind": object,
    "correlation": float,
    "lag": float,
    "same_class": "boolean",
    "same_group": "boolean",
}


def audit_recordings(
    X: Any,
    y: Any = None,
    groups: Any = None,
    *,
    sample_rate: float | None = None,
    verbose: int = 0,
) -> RecordingsAudit:
    """Check recordings for damage, duplicates, leaks between groups, and shortcuts to the classes.

    Every recording is decoded once, in blocks and in threads. A row of numbers and 250 bytes of
    fingerprint per second are stored for each recording. Candidates for near-duplicates are read a
    second time.

    Parameters
    ----------
    X : sequence of recordings
        Paths, waveforms or mappings; see the user guide, "What a recording is".
    y : array-like of shape (n_recordings,), default=None
        Class of each recording. It is needed for shortcuts: classes that can be predicted from the
        recording conditions.
    groups : array-like of shape (n_recordings,), default=None
        Speaker, session or source of each recording. It is needed to find leaks between groups. The
        shortcut test is then cross-validated by group.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    audit : RecordingsAudit
        The result; ``print(audit)`` prints the findings.

    Raises
    ------
    TypeError, ValueError
        If X is not a sequence of recordings, if lengths differ, if ``y`` does not hold classes, or
        if there is a bare array without ``sample_rate``. A file that cannot be read is a finding,
        not an error.

    See Also
    --------
    skaudio.display.AuditDisplay : Plot of an audit.

    Notes
    -----
    The thresholds are chosen so that there are few false findings. The problems of recordings in
    ``table["problems"]`` are:

    - ``unreadable``: decoding fails, or there are no samples, or some are not finite;
    - ``silent``: all frames of 16 ms are below -60 dBFS;
    - ``clipped``: at least 0.1 % of the samples are in runs of three or more samples at the largest
      positive or negative value; there are at least three such runs, and the value is at least 0.1
      of full scale;
    - ``dc offset``: the mean of a channel is at least 0.02 of full scale;
    - ``narrow band``: the spectrum falls by at least 20 dB at a frequency below 60 % of half the
      sample rate, and has less than -100 dBFS per 64th of the band above. The recording was made or
      stored at a lower sample rate. This is not detected if the resampler or 8-bit samples left
      noise above this frequency;
    - ``identical``: samples, sample rate and channels are equal to those of an earlier recording;
    - ``near-duplicate``: the recording shares a part of at least 0.3 s with an earlier one, also if
      the part has another level, is shifted, mildly filtered or encoded again. Candidates are found
      by bits of the spectrum [1]_ and confirmed by a correlation of at least 0.55 between the
      whitened waveforms at 8 kHz. Nearly all copies by MP3, Ogg, Opus or mu-law are found if
      recordings last a second or more, and at least three of four if they last half a second.
      Copies at another speed or pitch are not found. Silent recordings, and the parts of recordings
      after ten minutes, are not compared.

    The shortcut test predicts the class of a recording with a small random forest from level, noise
    floor, duration, bandwidth and silence only. It is cross-validated in five folds, by group if
    ``groups`` are given. It is a finding if the accuracy is at least 15 percentage points above the
    fraction of the largest class, and significantly above it.

    References
    ----------
    .. [1] J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.datasets import audit_recordings, load_spoken_digits
    >>> digits = load_spoken_digits()
    >>> audit = audit_recordings(digits.data[:20])
    >>> audit.table[["codec", "sample_rate", "problems"]].drop_duplicates()
        codec  sample_rate problems
    0  PCM_16      16000.0
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=16000)
    >>> audit = audit_recordings([noise, 0.5 * noise[4000:], 0 * noise], sample_rate=16000)
    >>> print(audit)
    3 recordings, 0.0 minutes
    - silent: 1 of 3 recordings: nothing above -60 dBFS: recording 2
    - duplicates: 1 pair(s), 0 of them identical: they count more than once, and leak if the
      data are split at random: recording 0 and recording 1
    """
    recordings = check_recordings(BaseEstimator(), X, reset=True, finite=False)
    if sample_rate is not None:
        check_sample_rate(sample_rate)
    index = recordings.index
    recordings = Recordings(recording.with_rate(sample_rate) for recording in recordings)
    labels, group_labels = _check_labels(len(recordings), y, groups)
    with progress_bar(len(recordings), verbose) as advance:
        measures = _map(lambda i: measure(recordings[i]), len(recordings), advance)
    table = _table(measures)
    pairs = _find_pairs(recordings, measures, table, verbose)
    for name, values in (("class", labels), ("group", group_labels)):
        if values is not None:
            table[name] = values
            pairs[f"same_{name}"] = values[pairs["first"]] == values[pairs["second"]]
    earlier = pairs.drop_duplicates("second").set_index("second")
    for name, kind in (("identical_to", "identical"), ("near_duplicate_of", "near-duplicate")):
        table[name] = earlier["first"][earlier["kind"] == kind].reindex(table.index).astype("Int64")
    table["problems"] = problems_of(table)
    shortcuts = None if labels is None else shortcut_accuracies(table)
    findings = find(table, pairs, shortcuts)
    if index is not None:
        table.index = pd.Index(index)
    return RecordingsAudit(table, pairs, findings, shortcuts)


def _check_labels(n: int, y: Any, groups: Any) -> tuple[Any, Any]:
    checked: list[Any] = []
    for name, values in (("y", y), ("groups", groups)):
        if values is None:
            checked.append(None)
            continue
        check_labels(values, name)
        values = column_or_1d(values)
        if len(values) != n:
            raise ValueError(f"{name} has {len(values)} entries, X holds {n} recordings.")
        checked.append(values)
    labels, group_labels = checked
    if labels is not None and type_of_target(labels).startswith("continuous"):
        raise ValueError(
            f"y holds {labels.dtype} numbers that are not classes: expected class labels."
        )
    return labels, group_labels


def _map(function: Callable[[int], Any], n: int, advance: Callable[[int], Any]) -> list[Any]:
    def step(i: int) -> Any:
        result = function(i)
        advance(1)
        return result

    return map_in_threads(step, n, threaded=True)


def _table(measures: list[Measures]) -> pd.DataFrame:
    rows = [one.row for one in measures]
    columns = {
        name: pd.Series([row.get(name) for row in rows], dtype=kind)
        for name, kind in _COLUMNS.items()
    }
    return pd.DataFrame(columns)


def _find_pairs(
    recordings: Recordings,
    measures: list[Measures],
    table: pd.DataFrame,
    verbose: int,
) -> pd.DataFrame:
    """Return the table of duplicates, without classes and groups."""
    first_of: dict[bytes, int] = {}
    rows: list[tuple[Any, ...]] = []
    fingerprints = []
    sounding = table["readable"] & (table["silent"] < 1)
    for i, one in enumerate(measures):
        fingerprints.append(np.empty(0, np.uint32))
        if not sounding[i]:
            continue
        first = first_of.setdefault(one.digest, i)
        if first == i:
            fingerprints[i] = one.fingerprint
        else:
            rows.append((first, i, "identical", 1.0, 0.0))
    found = candidates(fingerprints)

    def confirm(at: int) -> tuple[float, float]:
        first, second, lag = found[at]
        try:
            return correlation(recordings[first], recordings[second], lag)
        except Exception:  # a damaged file may be readable in blocks only
            return 0.0, 0.0

    with progress_bar(len(found), verbose, "pair") as advance:
        for (first, second, _), (size, lag) in zip(
            found, _map(confirm, len(found), advance), strict=True
        ):
            if size >= MIN_CORRELATION:
                rows.append((first, second, "near-duplicate", size, lag))
    rows.sort()
    pairs = pd.DataFrame(rows, columns=list(_PAIRS)[:5]).reindex(columns=list(_PAIRS))
    return pairs.astype(_PAIRS)
