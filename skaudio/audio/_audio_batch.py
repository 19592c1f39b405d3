"""AudioBatch: decoded recordings, as passed between the steps of a Pipeline."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from skaudio._parallel import map_in_threads
from skaudio._validation import check_sample_rate, counted, printable
from skaudio.audio._arrays import as_samples, to_float, warn_of_wide_integers
from skaudio.audio._faults import READING_ERRORS, raise_all
from skaudio.audio._recording import Recording
from skaudio.audio._sound_url import as_url

# A notebook shows this many recordings, and plays this many seconds of each: sound takes 40 kB per
# second at 16 kHz, and all of it is kept in the file of the notebook.
SHOWN = 5
SECONDS = 5.0


class AudioBatch(Sequence[np.ndarray]):
    """An immutable sequence of mono waveforms with sample rates.

    It is indexed like a one-dimensional array (by integers, slices, masks, index arrays), and the
    result is an `AudioBatch`, so scikit-learn can split, shuffle and cross-validate it.

    Parameters
    ----------
    waveforms : sequence of 1-D arrays, or array of shape (n_recordings, n_times)
        Mono samples; converted to float32 without a copy where they are float32 already.
        Integers are scaled by their full range.
    sample_rate : float, sequence of float, or None, default=None
        Sample rate in Hz, one for all or one per recording. None means unknown: an encoder then
        assumes its own rate.
    names : sequence of (str or None), optional
        Name of each recording in error messages, usually its path.
    labels : sequence, optional
        Index label of each recording in the pandas object from which it was made.
    warp_factors : sequence of (float or None), optional
        Vocal-tract warp factor of each recording, set by the VTLP augmentation.

    Attributes
    ----------
    shape : tuple
        ``(n_recordings,)``.
    dtype : numpy.dtype
        float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.audio import AudioBatch
    >>> batch = AudioBatch([np.zeros(8000), np.zeros(12000)], sample_rate=16000)
    >>> batch
    AudioBatch(2 recordings, 16000 Hz, 8000 to 12000 samples)
    >>> batch[[1]].shape, batch[0].dtype
    ((1,), dtype('float32'))
    """

    dtype = np.dtype(np.float32)
    ndim = 1

    def __init__(
        self,
        waveforms: Sequence[np.ndarray] | np.ndarray,
        sample_rate: float | Sequence[float | None] | None = None,
        *,
        names: Sequence[str | None] | None = None,
        labels: Sequence[Any] | None = None,
        warp_factors: Sequence[float | None] | None = None,
    ):
        integers: list[tuple[np.ndarray, str]] = []
        self._waveforms = tuple(_frozen(w, i, integers) for i, w in enumerate(waveforms))
        if integers:
            warn_of_wide_integers(integers)
        n = len(self._waveforms)
        given: Any = sample_rate
        rates = [given] * n if given is None or np.ndim(given) == 0 else list(given)
        checked = {r: None if r is None else check_sample_rate(r) for r in set(rates)}
        self._rates = tuple(checked[r] for r in rates)
        # str(), because the repr of numpy's strings contains their type
        named = (None,) * n if names is None else tuple(names)
        self._names = tuple(None if name is None else str(name) for name in named)
        self._labels = tuple(range(n)) if labels is None else tuple(labels)
        self._warp_factors = (None,) * n if warp_factors is None else tuple(warp_factors)
        for what in ("rates", "names", "labels", "warp_factors"):
            if len(getattr(self, f"_{what}")) != n:
                raise ValueError(
                    f"{len(getattr(self, f'_{what}'))} {what} given for {n} waveforms."
                )

    @property
    def shape(self) -> tuple[int]:
        return (len(self._waveforms),)

    @property
    def sample_rates(self) -> tuple[float | None, ...]:
        """Sample rate of each recording in Hz, or None if unknown."""
        return self._rates

    @property
    def sample_rate(self) -> float | None:
        """Common sample rate in Hz, or None if unknown. It raises an error if rates differ."""
        rates = set(self._rates)
        if len(rates) > 1:
            raise ValueError(
                f"The recordings have different sample rates ({sorted(map(str, rates))}): "
                "read sample_rates, or resample them with Waveform(sample_rate=...)."
            )
        return rates.pop() if rates else None

    @property
    def names(self) -> tuple[str | None, ...]:
        """Name of each recording in messages, usually its path."""
        return self._names

    @property
    def labels(self) -> tuple[Any, ...]:
        """Index label of each recording."""
        return self._labels

    @property
    def warp_factors(self) -> tuple[float | None, ...]:
        """Vocal-tract warp factor of each recording, or None if it has none."""
        return self._warp_factors

    def replace(self, **changes: Any) -> AudioBatch:
        """Return a copy with some attributes replaced, such as ``waveforms`` or ``names``."""
        state = {
            "waveforms": self._waveforms,
            "sample_rate": self._rates,
            "names": self._names,
            "labels": self._labels,
            "warp_factors": self._warp_factors,
        }
        return AudioBatch(**{**state, **changes})

    def __len__(self) -> int:
        return len(self._waveforms)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self._waveforms)

    def __getitem__(self, key: Any) -> Any:
        # scikit-learn indexes objects with a shape as array[indices, ...].
        if isinstance(key, tuple):
            if len(key) == 2 and key[1] is Ellipsis:
                key = key[0]
            else:
                raise IndexError(f"AudioBatch is one-dimensional, got the index {key!r}.")
        if isinstance(key, (int, np.integer)):
            return self._waveforms[key]
        positions = np.arange(len(self))[key]
        if positions.ndim == 0:
            return self._waveforms[int(positions)]

        def take(values: tuple[Any, ...]) -> list[Any]:
            return [values[i] for i in positions]

        return AudioBatch(
            take(self._waveforms),
            take(self._rates),
            names=take(self._names),
            labels=take(self._labels),
            warp_factors=take(self._warp_factors),
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("An AudioBatch cannot become an array without a copy.")
        if len({len(w) for w in self._waveforms}) == 1:
            return np.stack(self._waveforms).astype(dtype or np.float32, copy=False)
        out = np.empty(len(self), dtype=object)
        for i, waveform in enumerate(self._waveforms):
            out[i] = waveform
        return out if dtype is None else out.astype(dtype)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)  # unpickled arrays are writable
        self._waveforms = tuple(_frozen(w, i, []) for i, w in enumerate(self._waveforms))

    def __repr__(self) -> str:
        if not self._waveforms:
            return "AudioBatch(0 recordings)"
        lengths = [len(w) for w in self._waveforms]
        rates = {f"{r} Hz" if r is not None else "rate unstated" for r in self._rates}
        low, high = min(lengths), max(lengths)
        span = f"{low}" if low == high else f"{low} to {high}"
        what = counted(len(self), "recording")
        return f"AudioBatch({what}, {', '.join(sorted(rates))}, {span} samples)"

    def _repr_html_(self) -> str:
        """Return a table of the first recordings, with players, for notebooks."""
        facts = zip(self._names, self._waveforms, self._rates, strict=True)
        rows = [_html_row(*row) for row in islice(facts, SHOWN)]
        rest = len(self) - SHOWN
        more = f"<p>and {counted(rest, 'more recording')}</p>" if rest > 0 else ""
        return f"<p>{html.escape(repr(self))}</p><table>{''.join(rows)}</table>{more}"


def read_batch(
    recordings: Sequence[Recording], sample_rate: float | None = None, *, labels: Any = None
) -> AudioBatch:
    """Decode recordings to mono, in threads.

    Parameters
    ----------
    recordings : sequence of Recording
    sample_rate : float, default=None
        Sample rate in Hz to which recordings are resampled. None: they keep their sample rates.
    labels : sequence, default=None
        Index label of each recording.
    """

    def read(i: int) -> tuple[np.ndarray, float | None]:
        return recordings[i].read(sample_rate)

    try:
        read_ones = map_in_threads(read, len(recordings), threaded=True)
    except READING_ERRORS as error:
        raise_all(recordings, error, lambda recording: recording.read(sample_rate))
    return AudioBatch(
        [waveform for waveform, _ in read_ones],
        [rate for _, rate in read_ones],
        names=[recording.path for recording in recordings],
        labels=labels,
        warp_factors=[recording.warp_factor for recording in recordings],
    )


def _html_row(name: str | None, waveform: np.ndarray, rate: float | None) -> str:
    """Return a row of a table: name, duration, a player of the beginning."""
    if rate is None:
        cells = ["", f"{len(waveform)} samples, sample rate unstated", ""]
    else:
        beginning = waveform[: round(SECONDS * rate)]
        sound = as_url(beginning, rate) if len(beginning) else ""
        player = f'<audio controls preload="none" src="{sound}"></audio>' if sound else ""
        part = f" (the first {SECONDS:g} s)" if len(beginning) < len(waveform) else ""
        cells = ["", f"{len(waveform) / rate:.2f} s at {rate:g} Hz", player + part]
    cells[0] = html.escape(printable(os.path.basename(name))) if name else ""
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _frozen(waveform: Any, position: int, integers: list[tuple[np.ndarray, str]]) -> np.ndarray:
    """Return a read-only view of samples as float32; add integer samples to a list."""
    samples: np.ndarray = waveform
    if type(waveform) is not np.ndarray or waveform.dtype is not AudioBatch.dtype:
        name = f"Waveform {position}"
        if isinstance(waveform, (str, bytes, os.PathLike, Mapping)):
            raise TypeError(
                f"{name} is a {type(waveform).__name__}, expected samples: an AudioBatch holds "
                "decoded recordings, which Waveform().fit_transform(X) returns."
            )
        samples = as_samples(waveform, name)
        if samples.dtype.kind != "f":
            integers.append((samples, name))
        samples = to_float(samples, name)
    if samples.ndim != 1:
        raise ValueError(
            f"Waveform {position} has shape {samples.shape}, expected (n_times,): an AudioBatch "
            "holds mono recordings."
        )
    view = samples.view()
    view.flags.writeable = False
    return view
