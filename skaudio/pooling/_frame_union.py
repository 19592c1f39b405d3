"""FrameUnion: concatenate the frames of several encoders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import delayed

from skaudio._steps import frame_maker
from skaudio._validation import anything, check_parameters
from skaudio.audio import Recordings, check_recordings
from skaudio.frames import FrameOutputMixin, check_frames, is_missing, pack
from skaudio.pooling._frame_statistics import DELTA_ENDINGS, deltas
from skaudio.pooling._run_calls import run_calls
from skaudio.pooling._union_stream import UnionStreamMixin


class FrameUnion(UnionStreamMixin, FrameOutputMixin, TransformerMixin, _BaseComposition):
    """Concatenate the frames of several encoders.

    It corresponds to `sklearn.pipeline.FeatureUnion`, but concatenates the features of each frame.
    The encoders must have the same hop in seconds and the same ``center``, so that they return the
    same number of frames.

    Parameters
    ----------
    transformers : list of (str, transformer)
        Named encoders, or Pipelines that return frames. Their parameters can be set as
        ``name__parameter``. A transformer that is replaced by ``"drop"`` is left out.
    n_jobs : int, default=None
        Number of joblib workers, each of which runs one transformer. None means 1 unless a joblib
        backend is active. Encoders use several threads with one worker as well.
    deltas : {0, 1, 2}, default=0
        Highest order of the deltas (derivatives over time) to append to the features: none, first,
        or first and second order. They are computed over nine frames as by
        ``librosa.feature.delta(order=..., mode="nearest")``.

    Attributes
    ----------
    transformers_ : list of (str, transformer)
        The fitted transformers, without dropped ones.
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    See Also
    --------
    FramePooling : Compute one row of statistics per recording from the frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import MFCC, MelSpectrogram
    >>> from skaudio.pooling import FrameUnion
    >>> clips = np.random.default_rng(0).uniform(-1, 1, (2, 16000))
    >>> union = FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())], deltas=1)
    >>> union.set_params(mel__n_mels=40).fit_transform(clips).shape
    (2, 120, 101)
    >>> union.get_feature_names_out()[[0, 40, 60]].tolist()
    ['mel__melspectrogram0', 'mfcc__mfcc0', 'mel__melspectrogram0_delta']
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "transformers": anything("list of (str, transformer)"),
    }

    def __init__(self, transformers: Any, *, n_jobs: Any = None, deltas: int = 0) -> None:
        self.transformers = transformers
        self.n_jobs = n_jobs
        self.deltas = deltas

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with ``deep`` also those of the transformers.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = self._get_params("transformers", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, transformers (by name), and their parameters (``name__parameter``).

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : estimator
        """
        self._set_params("transformers", **params)
        return self

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a clone of each transformer.

        Parameters
        ----------
        X : sequence of recordings
        y : array-like, default=None
            Passed on.

        Returns
        -------
        self : estimator
        """
        named = self._check_transformers()
        check_recordings(self, X, reset=True)
        fitted = run_calls(self.n_jobs, [delayed(_fit)(clone(t), X, y) for _, t in named])
        self.transformers_ = [(name, t) for (name, _), t in zip(named, fitted, strict=True)]
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit a clone of each transformer, and concatenate the frames of ``fit_transform``.

        Parameters
        ----------
        X : sequence of recordings
        y : array-like, default=None
            Passed on.

        Returns
        -------
        frames : ndarray of shape (n_recordings, n_features, n_frames)
            A 1-D object array of ``(n_features, n_frames)`` arrays if lengths differ.
        """
        named = self._check_transformers()
        recordings = check_recordings(self, X, reset=True)
        results = run_calls(
            self.n_jobs, [delayed(_fit_transform)(clone(t), X, y) for _, t in named]
        )
        names = [name for name, _ in named]
        self.transformers_ = [(n, t) for n, (t, _) in zip(names, results, strict=True)]
        return self._stack([output for _, output in results], recordings)

    def transform(self, X: Any) -> Any:
        """Encode recordings with each transformer and concatenate the frames.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        frames : ndarray of shape (n_recordings, n_features, n_frames)
            A 1-D object array of ``(n_features, n_frames)`` arrays if lengths differ.
        """
        named = self._named()
        recordings = check_recordings(self, X, reset=False)
        outputs = run_calls(self.n_jobs, [delayed(_transform)(t, X) for _, t in named])
        return self._stack(outputs, recordings)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features of a frame, such as ``mel__melspectrogram0_delta``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Passed on.

        Returns
        -------
        names : ndarray of str, of shape (n_features,)
        """
        names = [
            f"{name}__{feature}"
            for name, transformer in self._named()
            for feature in transformer.get_feature_names_out(input_features)
        ]
        endings = DELTA_ENDINGS[: 1 + self.deltas]
        return np.array([name + ending for ending in endings for name in names], dtype=object)

    def frame_times(self, n_frames: Any = None) -> np.ndarray:
        """Return the time of the centre of each frame in seconds, from the first encoder.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames), optional
            Number of frames, or an array of frames, whose last axis is counted. Optional if
            ``target_frames`` is set.

        Returns
        -------
        times : ndarray of shape (n_frames,)
        """
        makers = [frame_maker(transformer) for _, transformer in self._named()]
        encoder = next((maker for maker in makers if maker is not None), None)
        if encoder is None:
            raise TypeError("None of the transformers is an encoder that knows its frames' times.")
        times: np.ndarray = encoder.frame_times(n_frames)
        return times

    def _named(self) -> list[tuple[str, Any]]:
        """Return the fitted transformers, or those passed in, because encoders need no fit."""
        if hasattr(self, "transformers_"):
            return self.transformers_
        return self._check_transformers()

    def _check_transformers(self) -> list[tuple[str, Any]]:
        check_parameters(self)
        try:
            names, transformers = zip(*self.transformers, strict=True)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"transformers={self.transformers!r}: expected a list of (name, transformer)."
            ) from error
        self._validate_names(names)
        self._check_estimators_are_instances(transformers)
        for name, transformer in self.transformers:
            if transformer != "drop" and not hasattr(transformer, "transform"):
                raise TypeError(
                    f"transformer {name!r} is {transformer!r}, expected an encoder, a Pipeline "
                    "that returns frames, or 'drop'."
                )
        kept = [(name, t) for name, t in self.transformers if t != "drop"]
        if not kept:
            raise ValueError("All transformers are dropped, expected at least one to remain.")
        return kept

    def _stack(self, outputs: list[Any], recordings: Recordings) -> Any:
        names = [name for name, _ in self._named()]
        columns = [
            self._frames_of(name, output) for name, output in zip(names, outputs, strict=True)
        ]

        def stacks() -> Iterator[np.ndarray]:
            for recording, parts in zip(recordings, zip(*columns, strict=True), strict=True):
                if any(map(is_missing, parts)):
                    n_rows = sum(map(len, parts)) * (1 + self.deltas)
                    yield np.full((n_rows, 1), np.nan, np.float32)
                    continue
                counts = [part.shape[1] for part in parts]
                other = next((i for i, n in enumerate(counts) if n != counts[0]), None)
                if other is not None:
                    raise ValueError(
                        f"{recording.name} has {counts[0]} frames from {names[0]!r} and "
                        f"{counts[other]} from {names[other]!r}, expected as many. Give them the "
                        "same hop in seconds (hop_length / sample_rate), the same center, and with "
                        "center=False the same n_fft."
                    )
                stack = np.concatenate(parts)
                orders = [deltas(stack, order) for order in range(1, 1 + self.deltas)]
                yield np.concatenate([stack, *orders])

        frames = pack(stacks(), len(recordings))
        return self._wrap(frames, recordings.index, self.get_feature_names_out)

    def _frames_of(self, name: str, output: Any) -> list[np.ndarray]:
        if np.ndim(output) == 2 and not hasattr(output, "iloc"):
            raise ValueError(
                f"transformer {name!r} returns a table of shape {np.shape(output)}, expected "
                "frames (n_features, n_frames) of each recording. Rows are joined by "
                "sklearn.pipeline.FeatureUnion."
            )
        try:
            return check_frames(None, output, reset=False, advice="pass encoders.", missing=True)[0]
        except (TypeError, ValueError) as error:
            raise type(error)(f"transformer {name!r}: {error}") from error

    def _sk_visual_block_(self) -> Any:
        names, transformers = zip(*self.transformers, strict=True)
        return _VisualBlock("parallel", transformers, names=names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        with suppress(TypeError, ValueError):  # a wrong list: fit raises the error
            tags.requires_fit = any(
                get_tags(transformer).requires_fit
                for _, transformer in self.transformers
                if transformer != "drop"
            )
        return tags


def _fit(transformer: Any, X: Any, y: Any) -> Any:
    return transformer.fit(X, y)


def _fit_transform(transformer: Any, X: Any, y: Any) -> tuple[Any, Any]:
    output = transformer.fit_transform(X, y)
    return transformer, output


def _transform(transformer: Any, X: Any) -> Any:
    return transformer.transform(X)
