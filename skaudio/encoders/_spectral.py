"""Shared by the encoders of frames: checks of parameters, frame times, inversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skaudio._validation import check_count, check_length, check_sample_rate
from skaudio.audio import AudioBatch
from skaudio.dsp import Analysis, Framing, Scale, check_invertible, griffin_lim
from skaudio.frames import check_frames

# Defaults of win_length and hop_length, in seconds.
WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.010


def framing_of(encoder: Any) -> Framing:
    """Return the framing of an encoder in samples, with defaults resolved and values checked."""
    rate = check_sample_rate(encoder.sample_rate)
    win_length, n_fft, hop_length = encoder.win_length, encoder.n_fft, encoder.hop_length
    if win_length is None:
        win_length = max(round(WINDOW_SECONDS * rate), 1)
        stated = f"win_length={win_length} (25 ms, the default)"
    else:
        win_length = check_count("win_length", win_length)
        stated = f"win_length={win_length}"
    if hop_length is None:
        hop_length = max(round(HOP_SECONDS * rate), 1)
    if n_fft is None:
        n_fft = max(1 << (win_length - 1).bit_length(), 2)
    if check_count("n_fft", n_fft, 2) < win_length:
        raise ValueError(
            f"n_fft={n_fft} is shorter than {stated}, expected n_fft >= win_length: "
            f"pass a longer n_fft, or win_length={n_fft}."
        )
    framing = Framing(
        n_fft=int(n_fft),
        win_length=win_length,
        hop_length=check_count("hop_length", hop_length),
        window=encoder.window,
        center=bool(encoder.center),
        pad_mode=encoder.pad_mode,
    )
    try:
        framing.weights  # noqa: B018
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"window={encoder.window!r}: expected a name, tuple or array that "
            f"scipy.signal.get_window knows ({error})."
        ) from error
    return framing


def can_stream(encoder: Any) -> bool:
    """Whether `LongEncoding` supports an encoder: it has magnitudes and no ``target_frames``."""
    return isinstance(encoder, GriffinLimMixin) and encoder.target_frames is None


def scale_of(encoder: Any) -> Scale:
    """Return the scale of an encoder."""
    return Scale(encoder.scale, float(encoder.power), float(encoder.eps), encoder.top_db)


class FramedMixin:
    """Add `frame_times` to encoders."""

    sample_rate: Any
    offset: Any
    target_frames: Any

    def frame_times(self: Any, n_frames: Any = None) -> np.ndarray:
        """Return the time of each frame's centre, in seconds from the recording's beginning.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames), optional
            Number of frames, or an array of frames, whose last axis is counted. Optional if
            ``target_frames`` is set.

        Returns
        -------
        times : ndarray of shape (n_frames,)
            The encoder's ``offset`` is included.
        """
        if n_frames is None:
            n_frames = self.target_frames
        if n_frames is None:
            raise TypeError(
                "frame_times() needs to know how many: pass a number of frames, or the frames of "
                "one recording."
            )
        framing = framing_of(self)
        first = 0 if framing.center else framing.n_fft // 2
        samples = first + framing.hop_length * np.arange(check_length("n_frames", n_frames))
        times: np.ndarray = self.offset + samples / self.sample_rate
        return times


class GriffinLimMixin:
    """Add `inverse_transform` to encoders of magnitudes; a subclass defines ``_magnitude``."""

    sample_rate: Any
    target_frames: Any
    get_feature_names_out: Callable[..., np.ndarray]
    _magnitude: Callable[[np.ndarray], np.ndarray]

    def inverse_transform(
        self: Any, X: Any, *, lengths: Any = None, n_iter: int = 32, random_state: Any = None
    ) -> AudioBatch:
        """Estimate waveforms from features by the Griffin-Lim algorithm.

        Parameters
        ----------
        X : array of shape (n_recordings, n_features, n_frames), or object array
            Features, as `transform` returns them.
        lengths : int or sequence of int, optional
            Number of samples of each waveform. The default with ``center`` is ``hop_length *
            (n_frames - 1)``.
        n_iter : int, default=32
            Number of iterations.
        random_state : int, RandomState instance or None, default=None
            Seed of the initial phases.

        Returns
        -------
        waveforms : AudioBatch
            Waveforms at the encoder's sample rate. Information that the encoder discards is not
            recovered: phases, details within mel bands, the level before ``normalize``.

        References
        ----------
        Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform"; the
        momentum of 0.99 is from Perraudin, Balazs & Sondergaard 2013.
        """
        check_count("n_iter", n_iter)
        frames = self._check_encoded(X)
        framing = framing_of(self)
        check_invertible(framing)
        spectrum = Analysis(framing, power=None)
        seeds = check_random_state(random_state).randint(2**31, size=len(frames))
        waveforms = [
            griffin_lim(
                self._magnitude(f),
                spectrum.encode,
                framing,
                n_iter=n_iter,
                seed=int(seed),
                length=length,
            )
            for f, seed, length in zip(frames, seeds, as_lengths(lengths, len(frames)), strict=True)
        ]
        return AudioBatch(waveforms, self.sample_rate)

    def _check_encoded(self: Any, X: Any) -> list[np.ndarray]:
        frames, _ = check_frames(self, X, reset=False)
        n_features = len(self.get_feature_names_out())
        if len(frames[0]) != n_features:
            raise ValueError(
                f"Frames of {len(frames[0])} features, expected the {n_features} of "
                f"{type(self).__name__} with these parameters."
            )
        return frames


def as_lengths(lengths: Any, n: int) -> list[int | None]:
    """Return one length per recording."""
    if lengths is None:
        return [None] * n
    if np.ndim(lengths) == 0:
        return [check_count("lengths", lengths)] * n
    if len(lengths) != n:
        raise ValueError(f"{len(lengths)} lengths given for {n} recordings.")
    return [check_count("lengths", int(length)) for length in lengths]
