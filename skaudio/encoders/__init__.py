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
stream
    A Pipeline on a signal that is still arriving. Encoders have a method of this name.
"""

# Names that are imported as themselves are for the other packages: no part of the public interface.
from skaudio.encoders._mel_spectrogram import MelSpectrogram
from skaudio.encoders._mfcc import MFCC
from skaudio.encoders._pipeline_stream import connected as connected
from skaudio.encoders._pipeline_stream import obstacles_of as obstacles_of
from skaudio.encoders._pipeline_stream import stream
from skaudio.encoders._spectral import can_stream as can_stream
from skaudio.encoders._spectral import framing_of as framing_of
from skaudio.encoders._spectrogram import Spectrogram
from skaudio.encoders._stft import STFT
from skaudio.encoders._streaming_encoder import LongEncoding as LongEncoding
from skaudio.encoders._waveform import Waveform

__all__ = ["MFCC", "STFT", "MelSpectrogram", "Spectrogram", "Waveform", "stream"]
