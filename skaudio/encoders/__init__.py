"""Encoders: transformers from recordings to frames, with librosa's parameter names.

Waveform
    Waveforms: decoded, mixed down to mono, resampled and normalised.
STFT
    Short-time Fourier transform: complex spectra, with an exact inverse.
Spectrogram
    Magnitudes or powers of the short-time Fourier transform.
MelSpectrogram
    Powers in the bands of a mel filter bank, logarithmic by default.
MFCC
    Mel-frequency cepstral coefficients.
stream
    Apply a Pipeline to a signal that is still arriving. Encoders have a method of this name.
"""

# Names imported "as" themselves are for the other packages. They are not public.
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
