"""VTLP: simulate a shorter or a longer vocal tract."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from skaudio._validation import check_range, number_or_range
from skaudio.audio import AudioBatch
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation
from skaudio.augmentation._seeds import draw, happens, note

STEPS = 100  # steps per unit of the factor; few, so that all filter banks can be cached


class VTLP(WaveformAugmentation):
    """Vocal tract length perturbation: warp the frequency axis of each recording.

    The waveform is not changed. Each recording is marked with a factor, and the `MelSpectrogram`
    or `MFCC` that follows warps its mel filter bank by that factor for that recording. Other
    encoders refuse marked recordings.

    Parameters
    ----------
    warp : float or (low, high), default=(0.9, 1.1)
        Factor on the frequencies of the filter bank, drawn uniformly per recording, in steps of
        0.01. Above 1, filters move up. Between 0.5 and 2.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    Notes
    -----
    With a factor a, the edges and centres f of the filters become W(f) = a f up to the frequency
    F min(a, 1) / a. From there, W is a straight line to the Nyquist frequency, which is not moved.
    F is 4800 Hz, or 0.9 of the Nyquist frequency where that is lower. The factors of a recording
    that is marked twice multiply. A 2-D array becomes an AudioBatch, which holds the marks.

    References
    ----------
    Jaitly & Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech recognition".
    They warp the bank as here; versions that warp the waveform's spectrum are another method.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import VTLP
    >>> from skaudio.encoders import MelSpectrogram
    >>> clips = np.random.default_rng(0).normal(size=(3, 8000))
    >>> marked = VTLP(random_state=0).fit_transform(clips)
    >>> marked.warp_factors
    (0.94, 0.94, 0.99)
    >>> MelSpectrogram().fit_transform(marked).shape
    (3, 64, 51)
    """

    keeps_length = False

    _constraints: ClassVar[dict[str, Any]] = {
        "warp": number_or_range(0.5, 2),
    }

    def __init__(
        self,
        warp: Any = (0.9, 1.1),
        *,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.warp = warp
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        low, high = check_range("warp", self.warp)
        # The steps inside the range. A range narrower than one step is replaced by the nearest
        # step.
        first, last = math.ceil(low * STEPS - 1e-9), math.floor(high * STEPS + 1e-9)
        if first >= last:
            first = last = round((low + high) / 2 * STEPS)

        def keep(waveform: np.ndarray, rate: float | None, step: float, seed: int) -> np.ndarray:
            return waveform

        return (first, last + 1), keep

    def _apply(self, operation: Operation, batch: AudioBatch, seeds: np.ndarray) -> AudioBatch:
        """Mark each recording with a factor that is drawn; waveforms are unchanged."""
        steps, acts = draw(operation[0], seeds), happens(self.p, seeds)
        warp_factors = [
            round(math.floor(step) / STEPS * (1.0 if warp is None else warp), 2) if act else warp
            for step, act, warp in zip(steps, acts, batch.warp_factors, strict=True)
        ]
        if acts and acts[-1]:
            note(warp=math.floor(steps[-1]) / STEPS)
        return batch.replace(warp_factors=warp_factors)
