"""RecordingsAudit: the result of an audit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from skaudio._validation import counted
from skaudio.datasets._audit_findings import Finding


class RecordingsAudit:
    """Result of `audit_recordings`.

    Attributes
    ----------
    table : DataFrame
        One row per recording, in the order of X and with its index if X has one. Columns: ``path``,
        ``readable``, ``reason`` (of an error), ``container``, ``codec``, ``sample_rate`` (Hz),
        ``channels``, ``bits``, ``duration`` (s), ``peak`` (dBFS), ``level`` (root mean square,
        dBFS), ``noise_floor`` (10th percentile of the levels of 16 ms frames, dBFS), ``clipped``
        (fraction of the samples), ``silent`` (fraction of the 16 ms frames below -60 dBFS),
        ``dc_offset`` (fraction of full scale), ``bandwidth`` (Hz), ``class`` and ``group`` (as
        given), ``identical_to`` and ``near_duplicate_of`` (position in X of the first such
        recording), ``problems`` (separated by commas, see `audit_recordings`; empty if there are
        none). Peaks, clipping and offsets are those of the worst channel; all other columns are of
        the mono mix. Levels below -120 dBFS are set to -120 dBFS.
    duplicates : DataFrame
        One row per pair: ``first`` and ``second`` (positions in X), ``kind`` ("identical" or
        "near-duplicate"), ``correlation`` (of the whitened waveforms, 0 to 1), ``lag`` (time by
        which the shared part is later in the second recording, s), ``same_class`` and
        ``same_group`` (missing if unknown). Each of several identical recordings is paired with the
        first one.
    findings : list of Finding
        Possible problems. Each finding has a ``kind``, a ``message``, and the affected
        ``recordings`` (positions in X). ``str(finding)`` is one line.
    shortcuts : Series or None
        Accuracy of predicting the class from ``all`` five measurements, from each of them alone,
        and by always predicting the ``largest class``. None without ``y``, and if there are too few
        recordings or groups.

    Examples
    --------
    Keep the recordings without problems:

    >>> from skaudio.datasets import audit_recordings, load_spoken_digits
    >>> paths = load_spoken_digits().data[[0, 1, 2, 0]]
    >>> audit = audit_recordings(paths)
    >>> audit.table["problems"].tolist()
    ['', '', '', 'identical']
    >>> len(paths[audit.table["problems"] == ""])
    3
    """

    def __init__(
        self,
        table: pd.DataFrame,
        duplicates: pd.DataFrame,
        findings: list[Finding],
        shortcuts: pd.Series | None = None,
    ):
        self.table = table
        self.duplicates = duplicates
        self.findings = findings
        self.shortcuts = shortcuts

    def plot(self, axes: Any = None) -> Any:
        """Draw the audit; see `skaudio.display.AuditDisplay`.

        Parameters
        ----------
        axes : array of 4 matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : AuditDisplay
        """
        from skaudio.display import AuditDisplay

        return AuditDisplay(self.table, shortcuts=self.shortcuts).plot(axes)

    def __str__(self) -> str:
        seconds = self.table["duration"].sum()
        time = f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
        lines = [f"{counted(len(self.table), 'recording')}, {time}"]
        lines += [f"- {finding}" for finding in self.findings] or ["- nothing found"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        recordings = counted(len(self.table), "recording")
        found = counted(len(self.findings), "finding")
        return f"<RecordingsAudit of {recordings} with {found}; print it>"
