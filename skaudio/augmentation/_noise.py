"""Noise: white, coloured or recorded, at a level relative to each recording."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import scipy.fft

from skaudio._validation import anything, check_range, number_or_range, optional, sample_rate
from skaudio.audio import Recording
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation, rms
from skaudio.augmentation._mixed_recordings import find_sources, rate_of, seconds_of
from skaudio.augmentation._seeds import note

# The magnitude of the noise is proportional to the frequency to the power of this exponent.
COLOURS = {"white": 0.0, "pink": -0.5, "brown": -1.0, "blue": 0.5, "violet": 1.0}

# Coloured noise is flat below this fraction of the Nyquist frequency (16 Hz at 16 kHz). Without
# this limit, most power of pink and brown noise would be at inaudible frequencies.
FLAT_BELOW = 1 / 512

TRIES = 10  # number of positions to try in a recorded noise, if the first ones are silent


class Noise(WaveformAugmentation):
    """Add noise to each recording.

    Parameters
    ----------
    noise : str, path, waveform, mapping, AudioBatch or list, default="white"
        "white", "pink" (power falls by 3 dB per octave), "brown" (6 dB), "blue" (rises by 3 dB) or
        "violet" (6 dB); or recordings of noise: a file, a folder (with all folders in it), an array
        (n_times,) or (n_channels, n_times), a mapping with "array" and "sampling_rate", or a list
        of these, from which one is drawn per recording.
    snr_db : float or (low, high), default=(10, 40)
        Signal-to-noise ratio in dB. From a range, one value per recording is drawn uniformly.
    level_db : float or (low, high), default=None
        Level of the noise, in dB relative to a root mean square of 1, used in place of ``snr_db``
        if given.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz, needed where the noise has a sample rate. Files and
        mappings have their own.
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
        If a folder holds no recordings, or a recorded noise is silent: it has no level to scale.

    Notes
    -----
    Levels are root mean squares over the whole recording, silence included. A silent recording is
    returned unchanged, because it has no signal-to-noise ratio; with ``level_db``, noise is added
    to it as well.

    Recorded noise starts at a random position, is resampled to the rate of the recording, and is
    repeated if it is shorter. Only the part that is needed is decoded. An array of noise is
    assumed to have the rate of the recording. Coloured noise is flat below 1/512 of the Nyquist
    frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import Noise
    >>> clip = np.sin(np.arange(16000.0))
    >>> noisy = Noise(snr_db=20, random_state=0).fit_transform([clip])[0]
    >>> round(float(10 * np.log10(np.mean(clip**2) / np.mean((noisy - clip) ** 2))), 2)
    20.0
    """

    heavy = True

    _constraints: ClassVar[dict[str, Any]] = {
        "noise": anything("str, path, waveform, mapping, AudioBatch or list"),
        "snr_db": number_or_range(-200, 200, unit=" in dB"),
        "level_db": optional(number_or_range(-200, 200, unit=" in dB")),
        "sample_rate": optional(sample_rate()),
    }

    def __init__(
        self,
        noise: Any = "white",
        *,
        snr_db: Any = (10, 40),
        level_db: Any = None,
        sample_rate: float | None = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.noise = noise
        self.snr_db = snr_db
        self.level_db = level_db
        self.sample_rate = sample_rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        absolute = self.level_db is not None
        colour = COLOURS.get(self.noise) if isinstance(self.noise, str) else None
        sources = find_sources("noise", self.noise) if colour is None else []
        if colour is None:
            self._check_spelling(sources)
        name, value = ("level_db", self.level_db) if absolute else ("snr_db", self.snr_db)
        levels = check_range(name, value)

        def add(waveform: np.ndarray, rate: float | None, db: float, seed: int) -> np.ndarray:
            level = 10 ** (db / 20) if absolute else rms(waveform) * 10 ** (-db / 20)
            note(**{name: db})
            if level == 0:
                return waveform
            if colour is None:
                rng = np.random.default_rng(seed)
                source = sources[rng.integers(len(sources))]
                note(noise=source.path or source.name)
                noise = recorded_noise(source, len(waveform), rate, rng)
            else:
                noise = coloured_noise(len(waveform), colour, seed)
            noise *= np.float32(level / rms(noise))
            noise += waveform
            return noise

        return levels, add

    def _check_spelling(self, sources: list[Recording]) -> None:
        """Raise an error that names the colours if a misspelled colour was taken for a file."""
        if isinstance(self.noise, str) and len(sources) == 1:
            try:
                seconds_of(sources[0], 1)
            except ValueError as error:
                colours = ", ".join(map(repr, COLOURS))
                raise ValueError(
                    f"noise={self.noise!r}: expected {colours}, or a file or folder ({error})"
                ) from error


def white_noise(n: int, seed: int) -> np.ndarray:
    """Return n samples of Gaussian white noise, float32."""
    import torch  # slow to import

    # torch draws normal numbers three times as fast as numpy, and seeds a generator seven times as
    # fast.
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, generator=generator).numpy()


def coloured_noise(n: int, exponent: float, seed: int) -> np.ndarray:
    """Return n samples of Gaussian noise whose magnitude is a power of frequency."""
    if exponent == 0:
        return white_noise(n, seed)
    size = scipy.fft.next_fast_len(n, real=True)
    shape = _spectral_shape(size, exponent)
    # The spectrum of white noise is Gaussian in its real and imaginary parts. Drawing it directly
    # saves one FFT.
    spectrum = white_noise(2 * len(shape), seed).view(np.complex64)
    spectrum *= shape
    noise: np.ndarray = scipy.fft.irfft(spectrum, size, overwrite_x=True)
    return noise[:n]


@lru_cache(maxsize=32)
def _spectral_shape(size: int, exponent: float) -> np.ndarray:
    frequencies: np.ndarray = 2 * scipy.fft.rfftfreq(size)  # in units of the Nyquist frequency
    shape: np.ndarray = np.maximum(frequencies, FLAT_BELOW) ** exponent
    return shape.astype(np.float32)


def recorded_noise(
    source: Recording, n: int, rate: float | None, rng: np.random.Generator
) -> np.ndarray:
    """Return n samples from a random position of a noise, which is repeated if it is shorter."""
    rate = rate_of(source, rate, "Noise")
    spare = seconds_of(source, rate) - n / rate
    for _ in range(TRIES):
        if spare > 0:
            # One sample more than needed, because the ends are rounded.
            offset = spare * rng.random()
            part, _ = source.read(rate, offset=offset, duration=(n + 1) / rate)
        else:
            part, _ = source.read(rate)
            first = -rng.integers(len(part)) % len(part)
            part, offset = np.roll(part, -first), first / rate
        noise = np.resize(part, n)
        if noise.any():
            note(offset=float(offset))
            return noise
    raise ValueError(
        f"{source.name} is silent, at least in {TRIES} places drawn at random: it has no level to "
        "scale. Expected a recording of noise."
    )
