"""Pictures, by scikit-learn's Display convention. They need matplotlib: the extra ``plot``.

SpectrogramDisplay
    The frames of one recording, whichever encoder made them, over seconds and Hz.
"""

from skaudio.display.spectrogram import SpectrogramDisplay

__all__ = ["SpectrogramDisplay"]
