"""Convolution: simulate reverberation, a microphone or a telephone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import scipy.fft

from skaudio._files import FileState
from skaudio._validation import anything, check_range, number_or_range, optional, sample_rate
from skaudio.audio import Recording
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation, rms
from skaudio.augmentation._mixed_recordings import (
    NOMINAL_RATE,
    find_sources,
    rate_of,
    state_of_file,
)
from skaudio.augmentation._noise import white_noise
from skaudio.augmentation._seeds import note

LONG = 1 << 20  # from this number of samples, many short FFTs are faster than one long FFT
SPECTRA = 4  # number of FFT lengths for which the spectrum of an impulse response is cached
FILES = 64  # number of impulse responses from files that are cached


class Convolution(WaveformAugmentation):
    """Convolve each recording with an impulse response; its length, timing and level are kept.

    Parameters
    ----------
    impulse_response : path, waveform, mapping, AudioBatch or list, default=None
        A file, a folder (with all folders in it), an array (n_times,) or (n_channels, n_times), a
        mapping with "array" and "sampling_rate", or a list of these, from which one is drawn per
        recording. None synthesises a reverberation for each recording.
    mix : float or (low, high), default=1.0
        Share of the convolved sound in the result, from 0 (none) to 1 (nothing else). From a
        range, one value per recording is drawn uniformly.
    reverberation_time : float or (low, high), default=(0.1, 0.5)
        Time in seconds in which a synthesised reverberation decays by 60 dB, used where
        ``impulse_response=None``.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz, needed where the impulse response has a sample rate.
        Files and mappings have their own.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    Raises
    ------
    ValueError
        If a folder holds no recordings, or an impulse response is silent.

    Notes
    -----
    The largest absolute value of the impulse response is assumed to be the direct sound. The
    result is aligned with it and cut to the length of the recording, so an impulse response may be
    longer than the recording. The convolved sound is scaled to the root mean square of the
    recording before the two are mixed.

    A recorded impulse response is resampled to the rate of the recording; an array is assumed to
    have that rate.

    A synthesised reverberation is a direct impulse followed by exponentially decaying white noise
    of the same energy on average (Moorer 1979, "About this reverberation business"). Bare arrays
    are assumed to be at 16000 Hz for that unless ``sample_rate`` is given: at another rate the
    reverberation time differs.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import Convolution
    >>> clip = np.array([0.0, 2.0, 0.0, 0.0, 0.0])
    >>> echo = Convolution(impulse_response=np.array([0.0, 0.0, 1.0, 0.0, 0.75]))
    >>> echo.fit_transform([clip])[0].round(2)
    array([0. , 1.6, 0. , 1.2, 0. ], dtype=float32)
    """

    heavy = True

    _constraints: ClassVar[dict[str, Any]] = {
        "impulse_response": anything("path, waveform, mapping, AudioBatch or list"),
        "mix": number_or_range(0, 1),
        "reverberation_time": number_or_range(0.001, 60, unit=" in s"),
        "sample_rate": optional(sample_rate()),
    }

    def __init__(
        self,
        impulse_response: Any = None,
        *,
        mix: Any = 1.0,
        reverberation_time: Any = (0.1, 0.5),
        sample_rate: float | None = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.impulse_response = impulse_response
        self.mix = mix
        self.reverberation_time = reverberation_time
        self.sample_rate = sample_rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        times = check_range("reverberation_time", self.reverberation_time)
        given = self.impulse_response
        sources = [] if given is None else find_sources("impulse_response", given)
        met: dict[tuple[int, float], ImpulseResponse] = {}  # (which, rate)

        def convolve(waveform: np.ndarray, rate: float | None, mix: float, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            if not sources:
                seconds = rng.uniform(*times)
                note(mix=mix, reverberation_time=seconds)
                n = round(seconds * (rate or NOMINAL_RATE))
                response = ImpulseResponse(synthetic_reverberation(n, seed), direct=0)
                return response.mixed(waveform, mix)
            i = int(rng.integers(len(sources)))
            note(mix=mix, impulse_response=sources[i].path or sources[i].name)
            key = i, rate_of(sources[i], rate, "Convolution")
            if key not in met:
                met[key] = _read(sources[i], key[1])
            return met[key].mixed(waveform, mix)

        return check_range("mix", self.mix), convolve


class ImpulseResponse:
    """An impulse response and a cache of its spectra.

    Parameters
    ----------
    samples : ndarray of shape (n_times,), float32
    direct : int, default=None
        Position of the direct sound. None: the largest absolute value.
    """

    def __init__(self, samples: np.ndarray, direct: int | None = None):
        self.samples = samples
        self.direct = int(np.abs(samples).argmax()) if direct is None else direct
        self._spectra: dict[int, np.ndarray] = {}

    def mixed(self, waveform: np.ndarray, mix: float) -> np.ndarray:
        """Return (1 - mix) of a waveform and mix of its convolution, scaled to the same level."""
        wet = self.convolve(waveform)
        level = rms(wet)
        if level > 0:
            wet *= np.float32(mix * rms(waveform) / level)
        if mix < 1:
            wet += np.float32(1 - mix) * waveform
        return wet

    def convolve(self, waveform: np.ndarray) -> np.ndarray:
        """Return the convolution, of the waveform's length, aligned by the direct sound."""
        n = len(waveform)
        if n > LONG:
            from scipy.signal import oaconvolve  # slow to import, and few recordings are that long

            whole: np.ndarray = oaconvolve(waveform, self.samples)
            return whole[self.direct : self.direct + n]
        # Length of the response before and after the direct sound, at most n: what lies further
        # away does not overlap the waveform.
        reach = max(self.direct, len(self.samples) - 1 - self.direct)
        size = _fft_size(n + min(reach, n))
        spectrum = scipy.fft.rfft(waveform, size)
        spectrum *= self._spectrum(size)
        convolved: np.ndarray = scipy.fft.irfft(spectrum, size, overwrite_x=True)
        return convolved[:n]

    def _spectrum(self, size: int) -> np.ndarray:
        """Return the spectrum of the response, cut to half of ``size`` on both sides."""
        spectrum = self._spectra.get(size)
        if spectrum is None:
            half = size // 2
            centred = np.zeros(size, np.float32)
            after = self.samples[self.direct : self.direct + half]
            before = self.samples[max(self.direct - half + 1, 0) : self.direct]
            centred[: len(after)] = after
            centred[size - len(before) :] = before
            spectrum = scipy.fft.rfft(centred)
            if len(self._spectra) >= SPECTRA:
                self._spectra.clear()
            self._spectra[size] = spectrum
        return spectrum


def synthetic_reverberation(n: int, seed: int) -> np.ndarray:
    """Return an impulse, followed by noise of the same energy that decays by 60 dB in n samples."""
    response = white_noise(n + 1, seed)
    decay = np.exp(np.arange(n + 1, dtype=np.float32) * np.float32(-3 * np.log(10) / (n + 1)))
    response *= decay / np.sqrt(np.dot(decay, decay))
    response[0] = 1
    return response


def _fft_size(n: int) -> int:
    """Return the next fast even FFT length; lengths are few, so that cached spectra are reused."""
    power = 1 << max(n.bit_length(), 5)
    # Powers of two are left out: from 65536 on, they are slower than 5/4 of their length.
    return next(size for size in (power // 16 * k for k in (10, 12, 14, 15, 20)) if size >= n)


def _read(source: Recording, rate: float) -> ImpulseResponse:
    if isinstance(source.source, str) and not source.is_clip:
        return _read_file(state_of_file(source), source.name, rate)
    return _load(source, rate)


@lru_cache(maxsize=FILES)
def _read_file(state: FileState, name: str, rate: float) -> ImpulseResponse:
    return _load(Recording(state.path, name), rate)


def _load(source: Recording, rate: float) -> ImpulseResponse:
    samples, _ = source.read(rate)
    if not samples.any():
        raise ValueError(f"{source.name} is silent, expected an impulse response.")
    return ImpulseResponse(samples)
