"""What a person is told about a parameter that cannot work."""

from __future__ import annotations

import numpy as np
import pytest

from skaudio.encoders import MFCC, MelSpectrogram

CLIP = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)

# kind: (parameters, exception, what the message has to say)
PARAMETERS = {
    "offset, negative": ({"offset": -1}, ValueError, "offset=-1: expected seconds from the begin"),
    "offset, NaN": ({"offset": np.nan}, ValueError, "offset=nan: expected seconds"),
    "offset, past the end": (
        {"offset": 9},
        ValueError,
        "recording 0: offset=9 s is past the end, the recording lasts 0.5 s",
    ),
    "duration, 0": ({"duration": 0}, ValueError, "duration=0: expected a positive number of sec"),
    "sample_rate, kHz": (
        {"sample_rate": 44.1},
        ValueError,
        r"sample_rate=44.1: expected Hz \(did you pass kHz\?",
    ),
    "sample_rate, 0": ({"sample_rate": 0}, ValueError, "sample_rate=0: expected a positive"),
    "sample_rate, None": ({"sample_rate": None}, TypeError, "sample_rate=None: expected a number"),
    "fmax, above Nyquist": (
        {"fmax": 9000},
        ValueError,
        "fmax=9000: above 8000 Hz, half of sample_rate=16000.*is the sample rate right",
    ),
    "fmax, text": (
        {"fmax": "8k"},
        TypeError,
        "fmax='8k': expected a positive number of Hz",
    ),
    "fmin, above fmax": ({"fmin": 500, "fmax": 400}, ValueError, "fmin=500: expected 0 <= fmin <"),
    "n_mels, 0": ({"n_mels": 0}, ValueError, "n_mels=0: expected an integer of 1 or more"),
    "n_mels, float": ({"n_mels": 40.0}, TypeError, "n_mels=40.0: expected an integer"),
    "n_mels, text": ({"n_mels": "40"}, TypeError, "n_mels='40': expected an integer"),
    "n_mfcc, too many": ({"n_mfcc": 50}, ValueError, "n_mfcc=50: more coefficients than n_mels=40"),
    "lifter": ({"lifter": -1}, ValueError, "lifter=-1: expected a number that is at least 0"),
    "dct_type": ({"dct_type": 4}, ValueError, "dct_type=4: expected 1, 2 or 3"),
    "dct_type 1 of one": (
        {"dct_type": 1, "n_mels": 1, "n_mfcc": 1},
        ValueError,
        "n_mels=1: expected 2 or more with dct_type=1",
    ),
    "dct_norm": ({"dct_norm": "slaney"}, ValueError, "dct_norm='slaney': expected 'ortho' or None"),
    "n_fft, too short": (
        {"n_fft": 256},
        ValueError,
        r"n_fft=256 is shorter than win_length=400 \(25 ms, the default\).*or win_length=256",
    ),
    "hop_length, seconds": (
        {"hop_length": 0.01},
        TypeError,
        r"hop_length=0.01: expected an integer of 1 or more or None. Did you pass seconds\?",
    ),
    "win_length, seconds": ({"win_length": 0.025}, TypeError, "win_length=0.025.*seconds"),
    "hop_length, 0": (
        {"hop_length": 0},
        ValueError,
        "hop_length=0: expected an integer of 1 or more",
    ),
    "window": ({"window": "hanming"}, ValueError, "window='hanming': expected a name, tuple"),
    "window, length": (
        {"window": np.ones(9)},
        ValueError,
        r"window has shape \(9,\), expected \(win_length,\) = \(400,\)",
    ),
    "pad_mode": ({"pad_mode": "wrap"}, ValueError, "pad_mode='wrap': expected 'constant'"),
    "power": ({"power": 0}, ValueError, "power=0: expected a positive number"),
    "scale": ({"scale": "dB"}, ValueError, "scale='dB': expected 'linear', 'log' or 'db'"),
    "norm": (
        {"norm": "slany"},
        ValueError,
        "norm='slany': expected a positive number, 'slaney' or None",
    ),
    "eps": ({"scale": "log", "eps": 0}, ValueError, "eps=0: expected a positive number"),
    "top_db": ({"top_db": -80}, ValueError, "top_db=-80: expected a positive number"),
    "normalize": ({"normalize": "peak"}, ValueError, "normalize='peak': expected None, 'max' or"),
    "target_frames": ({"target_frames": 0.5}, TypeError, r"target_frames=0.5.*pass seconds\?"),
    "device": ({"device": "gpu"}, ValueError, "device='gpu': expected the name of a torch device"),
    "too short for a frame": (
        {"center": False, "n_fft": 16000},
        ValueError,
        "recording 0 has 8000 samples, expected at least n_fft=16000 with center=False.*Pass cent",
    ),
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_parameters(kind):
    parameters, exception, message = PARAMETERS[kind]
    with pytest.raises(exception, match=message):
        MFCC(**parameters).fit_transform([CLIP])


def test_empty_filters_warn():
    message = "1 of n_mels=128 filters see no FFT bin.*fewer mels, a longer n_fft"
    with pytest.warns(UserWarning, match=message):
        MelSpectrogram(n_mels=128, htk=True).fit([CLIP])


def test_wrong_value_is_refused_after_the_right_one():
    """40 == 40.0 and 1 == True: what was checked before must not stand in for them."""
    MFCC(n_mels=40, hop_length=1).fit([CLIP])
    with pytest.raises(TypeError, match=r"n_mels=40\.0: expected an integer"):
        MFCC(n_mels=40.0, hop_length=1).fit([CLIP])
    with pytest.raises(TypeError, match="hop_length=True: expected an integer"):
        MFCC(n_mels=40, hop_length=True).fit([CLIP])
