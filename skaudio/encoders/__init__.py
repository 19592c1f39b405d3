"""Recordings to frames: transformers without learned state, librosa's parameter names.

Waveform
    Decoded, cut, mixed down, resampled, normalised: an `AudioBatch`.
STFT
    Complex spectra; invertible exactly.
Spectrogram
    Magnitudes or powers of the spectra.
MelSpectrogram
    Spectra through a mel filter bank, logarithmic by default.
MFCC
    Mel-frequency cepstral coefficients.
"""

from skaudio.encoders.mel_spectrogram import MelSpectrogram
from skaudio.encoders.mfcc import MFCC
from skaudio.encoders.spectrogram import Spectrogram
from skaudio.encoders.stft import STFT
from skaudio.encoders.waveform import Waveform

__all__ = ["MFCC", "STFT", "MelSpectrogram", "Spectrogram", "Waveform"]
