"""FunctionAugmentation: any function of a waveform."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._state import seeded_globals
from skaudio._validation import Constraint, choice, optional, sample_rate
from skaudio.audio import check_samples, to_float
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation, known

FUNCTION = Constraint(("callable",), (), ("a function f(waveform, sample_rate)",), callable)


class FunctionAugmentation(WaveformAugmentation):
    """Apply a function to each recording, in training only.

    Parameters
    ----------
    func : callable, default=None
        Called as ``func(waveform, sample_rate)`` with a float32 array (n_times,) and its rate in
        Hz; returns a waveform of any length. The transforms of audiomentations are such functions.
        None leaves recordings unchanged.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz; needed with a ``func``. Files and mappings have their own.
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
    The global generators ``random`` and ``np.random`` are seeded for each recording, and restored
    afterwards, so that functions that use them depend on ``random_state`` alone. One recording is
    processed at a time, because other threads would draw from the same generators.
    ``random_state`` has no effect on a function that has its own generator.

    An array stays an array as long as the function keeps the clips' lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import FunctionAugmentation
    >>> def reverse(waveform, sample_rate):
    ...     return waveform[::-1]
    >>> FunctionAugmentation(reverse, sample_rate=16000).fit_transform([np.arange(3.0)])[0]
    array([2., 1., 0.], dtype=float32)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "func": FUNCTION | choice(None),
        "sample_rate": optional(sample_rate()),
    }

    def __init__(
        self,
        func: Any = None,
        *,
        sample_rate: float | None = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.func = func
        self.sample_rate = sample_rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        func = self.func

        def apply(waveform: np.ndarray, rate: float | None, _: float, seed: int) -> np.ndarray:
            if func is None:
                return waveform
            rate = known(rate, "FunctionAugmentation(func)")
            with seeded_globals(seed % 2**32):
                result = np.asarray(func(waveform.copy(), rate))
            if result.ndim != 1:
                raise ValueError(
                    f"func returned an array of shape {result.shape}, expected a mono waveform "
                    "(n_times,)."
                )
            result = to_float(result, "what func returned")
            check_samples(result, "what func returned")
            return result

        return (0, 0), apply  # the function draws for itself
