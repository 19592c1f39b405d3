"""Signal processing functions on arrays and tensors, without scikit-learn.

Framing, window_weights
    Windows, padding, frame counts.
Analysis
    From waveforms to STFT, spectra, mel spectra or cepstra: on the CPU by a numba kernel, or by
    torch.
Scale
    Linear, logarithmic and decibel scales.
mel_filterbank, mel_domain_filterbank, mel_frequencies, hz_to_mel, mel_to_hz
    Mel filter banks, optionally warped, and the mel scale.
dct_matrix, undo_dct
    The cosine transform with liftering, and its inverse.
istft, griffin_lim, unmix, check_invertible
    Inversion: inverse STFT, Griffin-Lim, spectra from filter outputs.
"""

from skaudio.dsp._analysis import PAD_MODES, Analysis, Framing, window_weights
from skaudio.dsp._cepstrum import dct_matrix, undo_dct
from skaudio.dsp._inversion import check_invertible, griffin_lim, istft, unmix
from skaudio.dsp._mel import (
    hz_to_mel,
    mel_domain_filterbank,
    mel_filterbank,
    mel_frequencies,
    mel_to_hz,
)
from skaudio.dsp._stages import Scale

__all__ = [
    "PAD_MODES",
    "Analysis",
    "Framing",
    "Scale",
    "check_invertible",
    "dct_matrix",
    "griffin_lim",
    "hz_to_mel",
    "istft",
    "mel_domain_filterbank",
    "mel_filterbank",
    "mel_frequencies",
    "mel_to_hz",
    "undo_dct",
    "unmix",
    "window_weights",
]
