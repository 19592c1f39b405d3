"""FrequencyMask: some bands of each recording hidden."""

from __future__ import annotations

from skaudio.augmentation._frame_mask import Mask


class FrequencyMask(Mask):
    """Overwrite bands of neighbouring features in the frames of each recording, after the encoder.

    Parameters
    ----------
    width : float or (low, high), default=(0, 0.2)
        Of a mask; a range is drawn from uniformly, per mask.
    n_masks : int or (low, high), default=1
        Masks per recording; they may overlap. A range includes both ends.
    unit : {"fraction", "bands"}, default="fraction"
        Of ``width``: a fraction of the features, or a number of them.
    fill : {"mean"} or float, default="mean"
        What to write: the mean of each frame over its features, or a value.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Features per frame.

    Notes
    -----
    Meant for spectra; neighbouring cepstral coefficients are no bands.

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

    def __init__(
        self,
        width=(0, 0.2),
        *,
        n_masks=1,
        unit="fraction",
        fill="mean",
        p=1.0,
        random_state=None,
    ):
        self.width = width
        self.n_masks = n_masks
        self.unit = unit
        self.fill = fill
        self.p = p
        self.random_state = random_state
