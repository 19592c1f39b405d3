"""Base class of the encoders: parameter checks, and the loop over recordings.

`transform` checks the parameters (`Encoder._prepare`) and splits the recordings into blocks, which
threads or joblib workers encode (`encode_block`). A `FrameStack` collects the frames.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._parallel import map_blocks, progress_bar, use_one_torch_thread
from skaudio._validation import check_parameters
from skaudio.audio import (
    READING_ERRORS,
    Recording,
    Recordings,
    check_overflow,
    check_recordings,
    check_samples,
    each_or_reason,
    raise_all,
    warn_of_nan,
)
from skaudio.dsp import Analysis
from skaudio.encoders._frame_stream import Streamable
from skaudio.encoders._transform_batches import TransformBatchesMixin
from skaudio.frames import FrameOutputMixin, FrameStack

# Samples that are encoded, without resampling, in about a millisecond.
QUICK = 1 << 20


class Encoder(TransformBatchesMixin, Streamable, FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Base class of the encoders; ``_analysis()`` of a subclass returns what to compute."""

    sample_rate: float
    on_error: str = "raise"
    n_jobs: int | None
    verbose: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the type of X; nothing is learned or decoded.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._prepare()
        check_recordings(self, X, reset=True)
        return self

    def transform(self, X: Any) -> Any:
        """Encode recordings.

        Parameters
        ----------
        X : sequence of recordings
            Paths, waveforms or mappings; the user guide lists all accepted types.

        Returns
        -------
        frames : ndarray of shape (n_recordings, n_features, n_frames)
            A 1-D object array of ``(n_features, n_frames)`` arrays if lengths differ.
        """
        analysis = self._prepare()
        return self._encode_all(check_recordings(self, X, reset=False, finite=False), analysis)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit and transform; equal to `fit` followed by `transform`, but X is read once.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        frames : ndarray
            See `transform`.
        """
        analysis = self._prepare()
        return self._encode_all(check_recordings(self, X, reset=True, finite=False), analysis)

    def _encode_all(self, recordings: Recordings, analysis: Any) -> Any:
        with progress_bar(len(recordings), self.verbose) as progress:
            return self._encode(recordings, analysis, progress)

    def _encode(self, recordings: Recordings, analysis: Any, progress: Callable[[int], Any]) -> Any:
        """Return the output for some recordings; call ``progress`` with the number just encoded."""
        stack = FrameStack(len(recordings), analysis.dtype)

        def put(i: int, frames: np.ndarray | str) -> None:
            if isinstance(frames, str):
                shape = analysis.n_features, analysis.target_frames or 1
                frames = np.full(shape, np.nan, analysis.dtype)
            stack.put(i, frames)

        self._run(
            partial(encode_block, self, analysis),
            recordings,
            progress,
            put,
            remote=partial(encode_remotely, self),
            threaded=analysis.uses_torch or not is_quick(recordings, self.sample_rate),
            initializer=use_one_torch_thread if analysis.uses_torch else None,
            place=stack.place,
        )
        return self._wrap(stack.gathered(), recordings.index, self.get_feature_names_out)

    def _run(
        self,
        function: Callable[..., list[Any]],
        recordings: Recordings,
        progress: Callable[[int], Any],
        put: Callable[[int, Any], Any],
        remote: Callable[..., list[Any]] | None = None,
        **how: Any,
    ) -> None:
        """Apply a function to blocks of recordings; call ``put(i, result)`` for each recording.

        With ``on_error="nan"``, the result of a recording that cannot be read is the reason, a str.
        """
        n_done = 0
        reasons: list[str] = []
        if self.on_error == "nan":
            function = partial(each_or_reason, function)
            remote = remote and partial(each_or_reason, remote)
        try:
            for block in map_blocks(function, recordings, n_jobs=self.n_jobs, remote=remote, **how):
                for i, result in enumerate(block, n_done):
                    put(i, result)
                if self.on_error == "nan":
                    reasons += [result for result in block if isinstance(result, str)]
                n_done += len(block)
                progress(len(block))
        except READING_ERRORS as error:
            raise_all(recordings, error, lambda one: function([one]), first=n_done)
        if reasons:
            warn_of_nan(reasons, recordings.n_all)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features of a frame (axis 0 of each recording's frames).

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, of shape (n_features,)
        """
        prefix = type(self).__name__.lower()
        analysis: Any = self._checked_analysis()
        return np.array([f"{prefix}{i}" for i in range(analysis.n_features)], dtype=object)

    def _prepare(self) -> Any:
        """Check the parameters, warn about problematic ones, and return what to compute."""
        analysis = self._make_analysis()
        if analysis is not None and analysis.warning:
            warnings.warn(analysis.warning, stacklevel=3)
        return analysis

    def _make_analysis(self) -> Any:
        kind: Any = type(self)
        values = tuple([getattr(self, name) for name in _parameter_names(kind)])
        try:
            hash(values)
        except TypeError:  # a window given as an array
            return self._checked_analysis()
        return _remembered_analysis(kind, *values)

    def _checked_analysis(self) -> Analysis | None:
        check_parameters(self)
        return self._analysis()

    def _analysis(self) -> Analysis | None:
        """Check the parameters and return what to compute."""
        raise TypeError(f"{type(self).__name__} does not define _analysis().")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@cache  # scikit-learn inspects the signature: 0.13 ms
def _parameter_names(kind: Any) -> list[str]:
    names: list[str] = kind._get_param_names()
    return names


# Checks and the kernel's tables take 0.07 ms, a call on 0.5 s of audio 0.26 ms in all.
@lru_cache(maxsize=64, typed=True)
def _remembered_analysis(kind: Any, *values: Any) -> Analysis | None:
    encoder: Encoder = kind(**dict(zip(_parameter_names(kind), values, strict=True)))
    return encoder._checked_analysis()


def encode_block(
    encoder: Any,
    analysis: Analysis,
    recordings: Sequence[Recording],
    first: int = 0,
    place: Callable[[int, tuple[int, ...]], np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Return the frames of some recordings, the first of which is number ``first`` of all.

    ``place`` gives the array in which to write the frames of a recording: `FrameStack.place`.
    """
    warp_factors = [analysis.check_warp(r.warp_factor, r.name) for r in recordings]
    if str(encoder.device).partition(":")[0] != "cpu":
        waveforms = [read_waveform(encoder, r, analysis) for r in recordings]
        tensors = analysis.encode_batch(waveforms, warp_factors, encoder.device)
        frames = [tensor.cpu().numpy() for tensor in tensors]
        for features, waveform, recording in zip(frames, waveforms, recordings, strict=True):
            check_overflow(features, waveform, recording.name)
        return frames
    n_features = analysis.n_features
    frames = []
    for waveforms in _read_some(encoder, analysis, recordings):
        done = len(frames)
        outs: list[np.ndarray | None] = [None] * len(waveforms)
        if place is not None:
            lengths = [analysis.n_output_frames(len(w)) for w in waveforms]
            outs = [place(first + done + i, (n_features, n)) for i, n in enumerate(lengths)]
        encoded, perhaps_not_finite = analysis.encode_block(
            waveforms, warp_factors[done : done + len(waveforms)], outs
        )
        for i in range(len(waveforms)) if analysis.uses_torch else perhaps_not_finite:
            name = recordings[done + i].name
            check_samples(waveforms[i], name)
            check_overflow(encoded[i], waveforms[i], name)
        frames += encoded
    return frames


def encode_remotely(
    encoder: Any, recordings: Sequence[Recording], first: int = 0, place: Any = None
) -> list[np.ndarray]:
    """Return the frames of some recordings, in one of joblib's workers.

    Only the encoder is sent to a worker, which computes the tables itself and caches them.
    """
    return encode_block(encoder, encoder._make_analysis(), recordings)


def _read_some(
    encoder: Any, analysis: Analysis, recordings: Sequence[Recording]
) -> Iterator[list[np.ndarray]]:
    """Yield lists of waveforms: one from a file (so that it is still in the cache), or several."""
    waveforms: list[np.ndarray] = []
    n_samples = 0
    for recording in recordings:
        # The numba kernel reports samples that are not finite; torch does not.
        finite = analysis.uses_torch
        waveforms.append(read_waveform(encoder, recording, analysis, finite=finite))
        n_samples += len(waveforms[-1])
        if n_samples > QUICK or not isinstance(recording.source, np.ndarray):
            yield waveforms
            waveforms, n_samples = [], 0
    if waveforms:
        yield waveforms


def read_waveform(
    encoder: Any, recording: Recording, analysis: Analysis | None, *, finite: bool = True
) -> np.ndarray:
    """Return the samples that an encoder asks for, enough for its analysis."""
    waveform, _ = recording.read(
        encoder.sample_rate,
        offset=encoder.offset,
        duration=encoder.duration,
        normalize=encoder.normalize,
        resample_quality=encoder.resample_quality,
        finite=finite,
    )
    if analysis is not None:
        analysis.framing.check_length(len(waveform), recording.name)
    return np.ascontiguousarray(waveform)  # copies only a row or channel that is strided


def is_quick(recordings: Sequence[Recording], sample_rate: float) -> bool:
    """Whether encoding takes less time than starting threads."""
    in_memory = all(
        isinstance(r.source, np.ndarray) and r.sample_rate in (None, sample_rate)
        for r in recordings
    )
    return in_memory and sum(r.source.size for r in recordings) <= QUICK
