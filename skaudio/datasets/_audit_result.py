"""The result of an audit."""

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
        One row per recording, in the order of X and with its index if it has one: ``path``,
        ``readable``, ``reason`` (why not), ``container``, ``codec``, ``sample_rate`` (Hz),
        ``channels``, ``bits``, ``duration`` (s), ``peak`` (dBFS), ``level`` (of the root mean
        square, dBFS), ``noise_floor`` (the level that a tenth of the 16 ms parts is below,
        dBFS), ``clipped`` (share of the samples), ``silent`` (share of the 16 ms parts below
        -60 dBFS), ``dc_offset`` (of full scale), ``bandwidth`` (Hz), ``class`` and ``group``
        (as given), ``identical_to`` and ``near_duplicate_of`` (position in X of the first such
        recording), ``problems`` (words separated by commas, see `audit_recordings`; empty for a
        healthy recording). Peaks, clipping and offsets are those of the worst channel, all else
        is of the mono mix. Levels below -120 dBFS count as that.
    duplicates : DataFrame
        One row per pair: ``first`` and ``second`` (positions in X), ``kind`` ("identical" or
        "near-duplicate"), ``correlation`` (of the whitened waveforms, 0 to 1), ``lag`` (how
        much later the shared part comes in the second, s), ``same_class`` and ``same_group``,
        missing where these are unknown. Identical recordings are each paired with the first of
        them.
    findings : list of Finding
        What should be looked at; each has a ``kind``, a ``message`` and the ``recordings``
        concerned (positions in X). ``str(finding)`` is a line.
    shortcuts : Series or None
        Share of the classes that are predicted right from ``all`` five measures, from each of
        them alone, and by naming the ``largest class``. None without ``y``, and where there are
        too few recordings or groups to tell.

    Examples
    --------
    Keep what nothing is wrong with:

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
