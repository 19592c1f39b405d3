"""What is wrong with a collection of recordings, before a model learns it."""

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

# Type and value that stands where there is none, of the columns of the table.
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

    Every recording is decoded once, block by block, in threads; of each, a row of numbers is
    kept, and 250 bytes of fingerprint per second. Pairs that may be near-duplicates are read
    once more.

    Parameters
    ----------
    X : sequence of recordings
        Paths, waveforms, mappings... See the user guide, "What a recording is".
    y : array-like of shape (n_recordings,), default=None
        The class of each recording. With it, the findings tell which classes follow from how
        the recordings were made.
    groups : array-like of shape (n_recordings,), default=None
        The speaker, session or source of each recording. With it, the findings tell what is
        shared between groups, and the shortcut test splits by group.
    sample_rate : float, default=None
        Rate in Hz of samples that state none (bare arrays).
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    audit : RecordingsAudit
        ``print(audit)`` shows the findings.

    Raises
    ------
    TypeError, ValueError
        If X is no sequence of recordings, lengths differ, ``y`` holds no classes, or a bare
        array comes without ``sample_rate``. A file that cannot be read is a finding, no error.

    See Also
    --------
    skaudio.display.AuditDisplay : The picture of an audit.

    Notes
    -----
    The findings are meant to be few. Recordings are marked in ``table["problems"]`` as

    - ``unreadable``: decoding fails, or there are no samples, or some are not finite;
    - ``silent``: no part of 16 ms is above -60 dBFS;
    - ``clipped``: at least 0.1 % of the samples lie in three or more runs, each of three
      samples or more at the largest value of their sign, if that is at least 0.1 of full scale;
    - ``dc offset``: the mean of a channel is at least 0.02 of full scale;
    - ``narrow band``: the spectrum ends, by a cliff of at least 20 dB, below 60 % of half the
      sample rate, and holds less than -100 dBFS per 64th of the band above: the recording was
      made, or once kept, at a lower rate. What a cheap resampler or 8-bit samples leave there
      hides that;
    - ``identical``: the samples, rate and channels are those of an earlier recording;
    - ``near-duplicate``: the recording shares a part of at least 0.3 s with an earlier one, be
      it at another level, later or earlier, filtered mildly, or encoded anew. Bits of the
      spectrum find the pairs [1]_ and the correlation of the whitened waveforms at 8 kHz, of at
      least 0.55, confirms them. Of copies by MP3, Ogg, Opus or mu-law, nearly all are found
      where recordings last a second or more, and three in four or more where they last half a
      second. Copies at another speed or pitch are not found. Silent recordings are not
      compared, nor is what comes after the first ten minutes of a recording.

    The shortcut test asks a small random forest for the class of a recording by its level,
    noise floor, duration, bandwidth and silence alone, cross-validated in five folds, by group
    where groups are given. It is a finding if the forest is right at least 15 percentage points
    more often than always naming the largest class, and by more than chance allows.

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
    - duplicates: 1 pair(s), 0 of them identical: they count more than once, and leak where they
      are split at random: recording 0 and recording 1
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
        except Exception:  # a damaged file may decode block by block, and not in one piece
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
