"""Masks: stretches of time, or bands of features, hidden in the frames of recordings."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import (
    Checked,
    check_counts,
    check_range,
    choice,
    number,
    number_or_range,
)
from skaudio.augmentation._frame_augmentation import FrameAugmentation, FrameOperation
from skaudio.augmentation._seeds import draw_count, note

MASK: dict[str, Any] = {
    "width": number_or_range(0),
    "n_masks": Checked("int or (low, high)", check_counts),
    "fill": number() | choice("mean"),
}


class Mask(FrameAugmentation):
    """Overwrites stripes of frames; a subclass sets the axis.

    Attributes
    ----------
    axis : int
        0 for features, 1 for time.
    counted_in : str
        Unit of a width that is not a fraction.
    """

    axis: int
    counted_in: str

    def __init__(
        self,
        width: Any = (0, 0.2),
        *,
        n_masks: Any = 1,
        unit: str = "fraction",
        fill: Any = "mean",
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.n_masks = n_masks
        self.unit = unit
        self.fill = fill
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> FrameOperation:
        if self.unit == "fraction":
            hint = f" Did you mean unit={self.counted_in!r}?"
            widths = check_range("width", self.width, minimum=0, maximum=1, hint=hint)
        else:
            widths = check_counts("width", self.width)
        counts = check_counts("n_masks", self.n_masks)
        fill = self.fill

        def mask(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            n = frames.shape[self.axis]
            value = frames.mean(axis=self.axis, keepdims=True) if fill == "mean" else fill
            masked = frames.copy()
            masks = []
            for _ in range(draw_count(counts, rng)):
                if self.unit == "fraction":
                    width = round(rng.uniform(*widths) * n)
                else:
                    width = min(draw_count(widths, rng), n)
                start = int(rng.integers(n - width + 1))
                stripe = slice(start, start + width)
                masked[(slice(None), stripe) if self.axis else stripe] = value
                masks.append((start, width))
            note(masks=masks)
            return masked

        return mask


class TimeMask(Mask):
    """Overwrite stretches of time in the frames of each recording, after the encoder.

    Parameters
    ----------
    width : float or (low, high), default=(0, 0.2)
        Width of a mask. From a range, one value per mask is drawn uniformly.
    n_masks : int or (low, high), default=1
        Number of masks per recording; they may overlap. A range includes both ends.
    unit : {"fraction", "frames"}, default="fraction"
        Unit of ``width``: a fraction of the recording's frames, or a number of frames.
    fill : float or "mean", default="mean"
        Value at masked positions: the mean of each feature over the recording's frames, or a
        number.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of features per frame.

    Notes
    -----
    A mask wider than the recording hides all of its frames.

    References
    ----------
    Park et al. 2019, "SpecAugment: a simple data augmentation method for automatic speech
    recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import TimeMask
    >>> frames = np.arange(1.0, 11.0).reshape(1, 1, 10)
    >>> TimeMask(3, unit="frames", fill=0, random_state=0).fit_transform(frames).ravel()
    array([ 1.,  2.,  3.,  4.,  0.,  0.,  0.,  8.,  9., 10.], dtype=float32)
    """

    axis = 1
    counted_in = "frames"

    _constraints: ClassVar[dict[str, Any]] = {**MASK, "unit": choice("fraction", "frames")}


class FrequencyMask(Mask):
    """Overwrite bands of neighbouring features in the frames of each recording, after the encoder.

    Parameters
    ----------
    width : float or (low, high), default=(0, 0.2)
        Width of a mask. From a range, one value per mask is drawn uniformly.
    n_masks : int or (low, high), default=1
        Number of masks per recording; they may overlap. A range includes both ends.
    unit : {"fraction", "bands"}, default="fraction"
        Unit of ``width``: a fraction of the features, or a number of features.
    fill : float or "mean", default="mean"
        Value at masked positions: the mean of each frame over its features, or a number.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of features per frame.

    Notes
    -----
    Meant for spectra: neighbouring cepstral coefficients are not neighbouring frequencies.

    References
    ----------
    Park et al. 2019, "SpecAugment: a simple data augmentation method for automatic speech
    recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import FrequencyMask
    >>> frames = np.arange(1.0, 11.0).reshape(1, 10, 1)
    >>> FrequencyMask(3, unit="bands", fill=0, random_state=0).fit_transform(frames).ravel()
    array([ 1.,  2.,  3.,  4.,  5.,  6.,  0.,  0.,  0., 10.], dtype=float32)
    """

    axis = 0
    counted_in = "bands"

    _constraints: ClassVar[dict[str, Any]] = {**MASK, "unit": choice("fraction", "bands")}
