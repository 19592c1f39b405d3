"""FramePooling: statistics of frames over time, one row per recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import _check_feature_names_in

from skaudio._validation import Checked, check_parameters, choice, count, flag, number
from skaudio.frames import FrameOutputMixin, is_missing, names_of, validate_frames
from skaudio.pooling._frame_statistics import (
    DELTA_ENDINGS,
    deltas,
    is_statistic,
    parts,
    places_by_change,
    places_in_time,
    standardize,
    summarize,
)

# Number of float64 values per block, so that a block fits into the second-level cache of a core.
BLOCK_SIZE = 2**17


class FramePooling(FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Summarise the frames of each recording by statistics over time.

    Recordings of any length become rows of equal length, a table for any scikit-learn estimator.
    The row of a recording does not depend on the other recordings.

    Parameters
    ----------
    stats : sequence of str, default=("mean", "std")
        Statistics to compute: "mean", "std" (dividing by the number of frames), "min", "max",
        "median", and percentiles such as "p10" or "p97.5", linearly interpolated.
    n_segments : int, default=1
        Number of consecutive parts into which each recording is cut. The statistics are computed
        for each part. If a recording has fewer frames than parts, frames are used more than once.
    segment_by : {"time", "change"}, default="time"
        How recordings are cut into parts. "time": all parts have the same duration. "change": all
        parts have the same amount of change of the features, measured by the length of their deltas
        (trace segmentation). Silence and held sounds then form long parts. A word is cut at about
        the same places, independent of its speed and of its position in the recording.
    segment_overlap : float, default=0.0
        Overlap of neighbouring parts, from 0 to 1. Each part is extended into both neighbours by
        this fraction of its length.
    deltas : {0, 1, 2}, default=0
        Highest order of the deltas (derivatives over time) to append to the features: none, first,
        or first and second order. They are computed over nine frames as by
        ``librosa.feature.delta(order=..., mode="nearest")``.
    cmvn : bool, default=False
        Whether to standardise each feature to mean 0 and variance 1 over the recording before
        pooling (cepstral mean and variance normalisation). This reduces differences between voices
        and between microphones. A feature that does not vary becomes 0. The mean and the standard
        deviation over the whole recording are then constant, so combine ``cmvn`` with
        ``n_segments``, ``deltas`` or percentiles.

    Attributes
    ----------
    n_features_in_ : int
        Number of features per frame.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features; only set where the X of `fit` has them.

    See Also
    --------
    FrameUnion : Concatenate the frames of several encoders before pooling.

    References
    ----------
    Deltas: Furui 1986, "Speaker-independent isolated word recognition using dynamic features of
    speech spectrum". Trace segmentation: Kuhn & Tomaschewski 1983, "Improvements in isolated word
    recognition". Normalisation: Viikki & Laurila 1998, "Cepstral domain segmental feature
    vector normalization for noise robust speech recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.encoders import MFCC
    >>> from skaudio.pooling import FramePooling
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=12000)
    >>> model = make_pipeline(MFCC(n_mfcc=2), FramePooling(n_segments=2))
    >>> rows = model.fit_transform([noise, noise[:8000]])
    >>> rows.shape, rows.dtype
    ((2, 8), dtype('float32'))
    >>> model.get_feature_names_out()[:5].tolist()
    ['mfcc0_mean_part1', 'mfcc1_mean_part1', 'mfcc0_std_part1', 'mfcc1_std_part1',
     'mfcc0_mean_part2']
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "stats": Checked("sequence of str", lambda name, value: check_stats(value)),
        "n_segments": count(),
        "segment_by": choice("time", "change"),
        "segment_overlap": number(0, 1),
        "cmvn": flag(),
    }

    def __init__(
        self,
        stats: Any = ("mean", "std"),
        *,
        n_segments: int = 1,
        segment_by: str = "time",
        segment_overlap: float = 0.0,
        deltas: int = 0,
        cmvn: bool = False,
    ) -> None:
        self.stats = stats
        self.n_segments = n_segments
        self.segment_by = segment_by
        self.segment_overlap = segment_overlap
        self.deltas = deltas
        self.cmvn = cmvn

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; store the number of features, and their names if X has names.

        Parameters
        ----------
        X : array of shape (n_recordings, n_features, n_frames), or sequence of arrays
            Frames, as encoders return them: a sequence of arrays ``(n_features, n_frames)``.
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._check_params()
        validate_frames(self, X, reset=True)
        return self

    def transform(self, X: Any) -> Any:
        """Compute the statistics of each recording.

        Parameters
        ----------
        X : array of shape (n_recordings, n_features, n_frames), or sequence of arrays
            Frames, as encoders return them: a sequence of arrays ``(n_features, n_frames)``.

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_columns), float32
            Statistics, C-contiguous. ``get_feature_names_out`` returns the names of the columns.
            The row is NaN for a recording that an encoder with ``on_error="nan"`` could not read.
        """
        stats = self._check_params()
        frames = validate_frames(self, X, reset=False)
        n_columns = len(frames[0]) * (1 + self.deltas) * len(stats) * self.n_segments
        rows = np.empty((len(frames), n_columns), np.float32)
        unread = [i for i, item in enumerate(frames) if is_missing(item)]
        rows[unread] = np.nan
        for block in _blocks_of_one_length(frames, without=set(unread)):
            pooled = self._pool(np.array([frames[i] for i in block], np.float64), stats)
            rows[block] = pooled.reshape(len(block), n_columns)

        def names() -> np.ndarray:
            if hasattr(self, "n_features_in_"):
                return self.get_feature_names_out()
            return self.get_feature_names_out(
                names_of(X) or [f"x{i}" for i in range(len(frames[0]))]
            )

        return self._wrap(rows, X.index if hasattr(X, "iloc") else None, names, table=True)

    def _returns_rows(self) -> bool:
        return True

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns, such as ``mfcc0_mean`` or ``mfcc0_delta_std_part1``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of a frame. None: the names seen in `fit`, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
        """
        stats = self._check_params()
        if input_features is None and not hasattr(self, "n_features_in_"):
            raise NotFittedError(
                "FramePooling does not know its number of features: fit it or pass input_features."
            )
        names = list(_check_feature_names_in(self, input_features))
        endings = DELTA_ENDINGS[: 1 + self.deltas]
        names = [name + ending for ending in endings for name in names]
        many = self.n_segments > 1
        ends = [f"_part{i + 1}" for i in range(self.n_segments)] if many else [""]
        columns = [f"{name}_{stat}{end}" for end in ends for stat in stats for name in names]
        return np.array(columns, dtype=object)

    def _pool(self, frames: np.ndarray, stats: list[str]) -> np.ndarray:
        """Pool recordings of one length: float64 (n, n_features, n_frames) to (n, n_parts, ...)."""
        if self.cmvn:
            frames = standardize(frames)
        places = None
        if self.segment_by == "change" and self.n_segments > 1:
            places = places_by_change(frames)
        if self.deltas:
            orders = [deltas(frames, order) for order in range(1, 1 + self.deltas)]
            frames = np.concatenate([frames, *orders], axis=1)
        if places is None:
            return self._summarize_parts(frames, places_in_time(frames.shape[-1]), stats)
        # With "change", the places of the cuts differ between recordings.
        rows = zip(frames, places, strict=True)
        return np.stack([self._summarize_parts(item, own, stats) for item, own in rows])

    def _summarize_parts(
        self, frames: np.ndarray, places: np.ndarray, stats: list[str]
    ) -> np.ndarray:
        cuts = parts(places, self.n_segments, self.segment_overlap)
        return np.stack([summarize(frames[..., cut], stats) for cut in cuts], axis=-3)

    def _check_params(self) -> list[str]:
        check_parameters(self)
        return check_stats(self.stats)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def check_stats(stats: Any) -> list[str]:
    """Return the names of statistics as a list, or raise an error."""
    if isinstance(stats, str):
        raise TypeError(f"stats={stats!r}: expected a sequence, ({stats!r},).")
    if not isinstance(stats, Iterable):
        raise TypeError(f"stats={stats!r}: expected a sequence of names.")
    names = list(stats)
    if not names or len(set(map(repr, names))) < len(names):
        raise ValueError(f"stats={stats!r}: expected one or more, each once.")
    for name in names:
        if not is_statistic(name):
            raise ValueError(
                f"stats={stats!r}: unknown {name!r}, expected 'mean', 'std', 'min', 'max', "
                "'median' or a percentile such as 'p10'."
            )
    return names


def _blocks_of_one_length(frames: list[np.ndarray], without: set[int]) -> Iterator[list[int]]:
    """Yield lists of positions of recordings with the same number of frames."""
    positions: dict[int, list[int]] = {}
    for i, item in enumerate(frames):
        if i not in without:
            positions.setdefault(item.shape[1], []).append(i)
    for same in positions.values():
        size = max(BLOCK_SIZE // frames[same[0]].size, 1)
        yield from (same[i : i + size] for i in range(0, len(same), size))
