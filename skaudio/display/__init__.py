"""Pictures, by scikit-learn's Display convention. They need matplotlib: the extra ``plot``.

AuditDisplay
    A collection of recordings at a glance: durations, levels, problems, shortcuts.
AudioPlayers
    Recordings to listen to; needs no matplotlib.
AugmentationDisplay
    What an augmentation makes of a recording, to see and to hear.
EventsDisplay
    A spectrogram, probabilities over time, and bars where events are, true ones beside them.
FeatureSpaceDisplay
    Recordings as points of a plane, to look at and to listen to.
SpectrogramDisplay
    The frames of one recording, whichever encoder made them, over seconds and Hz.
"""

from skaudio.display._audio_players import AudioPlayers
from skaudio.display._audit_display import AuditDisplay
from skaudio.display._augmentation_display import AugmentationDisplay
from skaudio.display._events_display import EventsDisplay
from skaudio.display._feature_space_display import FeatureSpaceDisplay
from skaudio.display._spectrogram_display import SpectrogramDisplay

__all__ = [
    "AudioPlayers",
    "AuditDisplay",
    "AugmentationDisplay",
    "EventsDisplay",
    "FeatureSpaceDisplay",
    "SpectrogramDisplay",
]
