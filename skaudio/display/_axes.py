"""Names and units of features and values, for the axes of spectrograms."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from skaudio.dsp import mel_frequencies
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, framing_of
from skaudio.pooling import FrameUnion


def spectrogram_params(encoder: Any) -> dict[str, Any]:
    """Return the arguments of `SpectrogramDisplay` for the frames of an encoder."""
    if isinstance(encoder, FrameUnion):
        endings = [
            name.split("__")[0] + _delta_of(name) for name in encoder.get_feature_names_out()
        ]
        return {
            "feature_groups": [(name, len(list(same))) for name, same in groupby(endings)],
            "value_label": "Standard deviations from the mean",
            "value_scale": "signed",
        }
    if isinstance(encoder, (STFT, Spectrogram)):
        frequencies = np.fft.rfftfreq(framing_of(encoder).n_fft, 1 / encoder.sample_rate)
        return {"frequencies": frequencies, **_values(encoder)}
    if isinstance(encoder, MelSpectrogram):
        fmax = encoder.sample_rate / 2 if encoder.fmax is None else encoder.fmax
        edges = mel_frequencies(encoder.n_mels + 2, encoder.fmin, fmax, htk=encoder.htk)
        scale = "htk" if encoder.htk else "mel"
        return {"frequencies": edges[1:-1], "frequency_scale": scale, **_values(encoder)}
    if isinstance(encoder, MFCC):
        unit = {"db": " (dB)", "log": " (ln)", "linear": ""}[encoder.scale]
        return {
            "feature_label": "Coefficient",
            "value_label": f"Cepstral coefficient{unit}",
            "value_scale": "signed",
        }
    return {}


def _values(encoder: Any) -> dict[str, str]:
    power = getattr(encoder, "power", 1)
    quantity = {1: "Magnitude", 2: "Power"}.get(power, f"Magnitude^{power:g}")
    scale = getattr(encoder, "scale", "db")
    if scale == "linear":
        return {"value_label": quantity, "value_scale": "log"}
    return {"value_label": f"{quantity} ({'dB' if scale == 'db' else 'ln'})"}


def _delta_of(name: str) -> str:
    ending = name.rpartition("_")[2]
    return f" {ending}" if ending in ("delta", "delta2") else ""
