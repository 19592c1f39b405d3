"""AudioPlayers: audio players for a notebook or an HTML page."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from skaudio._files import write_whole
from skaudio._steps import transform_plainly
from skaudio._validation import counted, printable
from skaudio.audio import as_url
from skaudio.encoders import Waveform


class AudioPlayers:
    """A table of recordings with audio players, shown in notebooks and by sphinx-gallery.

    Parameters
    ----------
    recordings : sequence of recordings
    titles : sequence of str, default=None
        Title of each recording. None: numbers.
    sample_rate : float, default=16000
        Sample rate of the sounds in Hz. Files and mappings are resampled to it; bare arrays must
        have it already.

    Notes
    -----
    The HTML contains the sounds as 16-bit WAV, with about 40 kB per second at 16 kHz.

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.display import AudioPlayers
    >>> players = AudioPlayers(load_spoken_digits().data[:2], titles=["first", "second"])
    >>> players
    AudioPlayers(2 recordings)
    >>> players.to_html().count("<audio")
    2
    """

    def __init__(self, recordings: Any, *, titles: Any = None, sample_rate: float = 16000) -> None:
        self._waveforms = list(transform_plainly(Waveform(sample_rate=sample_rate), recordings))
        if titles is None:
            titles = [f"recording {i}" for i in range(len(self._waveforms))]
        self._titles = [str(title) for title in titles]
        if len(self._titles) != len(self._waveforms):
            raise ValueError(
                f"titles: found {len(self._titles)}, expected one for each of the "
                f"{len(self._waveforms)} recordings."
            )
        self._sample_rate = sample_rate

    def to_html(self, path: Any = None) -> str | None:
        """Return the table as HTML, including the sounds, or write it to a file.

        Parameters
        ----------
        path : str or path-like, default=None
            HTML file to write, which browsers can open without other files. None: the table is
            returned.

        Returns
        -------
        table : str, or None if there is a path
        """
        if path is None:
            return self._table()
        page = (
            '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Recordings</title></head>'
            f"<body>{self._table()}</body></html>"
        )
        write_whole(Path(path), page.encode())
        return None

    def _table(self) -> str:
        rows = [
            f"<tr><td>{html.escape(printable(title))}</td><td>"
            f'<audio controls preload="none" src="{as_url(waveform, self._sample_rate)}"></audio>'
            "</td></tr>"
            for title, waveform in zip(self._titles, self._waveforms, strict=True)
        ]
        return f"<table>{''.join(rows)}</table>"

    def _repr_html_(self) -> str:
        return self._table()

    def __repr__(self) -> str:
        return f"AudioPlayers({counted(len(self._waveforms), 'recording')})"
