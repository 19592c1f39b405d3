"""DynamicRange: raise quiet parts of frames to a random floor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import check_range, number_or_range
from skaudio.augmentation._frame_augmentation import FrameAugmentation, FrameOperation
from skaudio.augmentation._seeds import note


class DynamicRange(FrameAugmentation):
    """Raise low values of frames in dB to a random floor, after the encoder.

    Values more than ``top_db`` below the recording's maximum are set to ``maximum - top_db``, as an
    encoder with this ``top_db`` does. A network trained with random floors depends less on the
    background noise of its training recordings.

    Parameters
    ----------
    top_db : float or (low, high), default=(25, 65)
        Dynamic range that is kept, in dB. From a range, one value per recording is drawn uniformly.
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
    The frames must be in dB: `MelSpectrogram` or `Spectrogram` with ``scale="db"``. With
    ``scale="log"``, 10 dB of power are a difference of 2.3, so ``top_db=(5.8, 15)`` has the effect
    of ``(25, 65)``. It is not meant for cepstral coefficients, which have no floor.

    The floor is drawn in training only. In prediction, only the encoder's ``top_db`` applies. A
    drawn value above the encoder's ``top_db`` has no effect.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import DynamicRange
    >>> frames = np.array([[[-20.0, -50.0, -90.0]]])
    >>> DynamicRange(40).fit_transform(frames)
    array([[[-20., -50., -60.]]], dtype=float32)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "top_db": number_or_range(1, 200, unit=" in dB"),
    }

    def __init__(self, top_db: Any = (25, 65), *, p: float = 1.0, random_state: Any = None) -> None:
        self.top_db = top_db
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> FrameOperation:
        low, high = check_range("top_db", self.top_db)

        def limit(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            top_db = rng.uniform(low, high)
            note(top_db=top_db)
            return raise_to_floor(frames, top_db)

        return limit


def raise_to_floor(frames: np.ndarray, top_db: float) -> np.ndarray:
    """Raise values more than ``top_db`` below the maximum of the frames to that level."""
    floor: np.ndarray = np.maximum(frames, frames.max() - np.float32(top_db))
    return floor
