"""Recordings: what X may be, decoding, and the batches that travel between steps.

AudioBatch
    Decoded mono recordings of any length that know their sample rates; scikit-learn indexes it.
Recording
    One recording, not decoded yet: where its samples are, and how to read a part of them.
check_recordings
    X in any container users have -> a list of `Recording`, for authors of estimators.
"""

from skaudio.audio._batch import AudioBatch
from skaudio.audio._recording import Recording
from skaudio.audio._recordings import Recordings, check_recordings

__all__ = ["AudioBatch", "Recording", "Recordings", "check_recordings"]
