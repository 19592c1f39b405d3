"""Pictures, by the Display convention of scikit-learn. They need matplotlib (extra ``plot``).

AuditDisplay
    A collection of recordings at a glance: durations, levels, problems, shortcuts.
AudioPlayers
    Recordings to listen to; needs no matplotlib.
AugmentationDisplay
    A recording and its augmented versions, to see and to hear.
EventsDisplay
    A spectrogram, probabilities over time, and bars for predicted and true events.
FeatureSpaceDisplay
    Recordings as points in two dimensions, to look at and to listen to.
HistoryDisplay
    The curves of a training, epoch by epoch.
SpectrogramDisplay
    The frames of one recording over seconds and Hz, for any encoder.
"""

from skaudio.display._audio_players import AudioPlayers
from skaudio.display._audit_display import AuditDisplay
from skaudio.display._augmentation_display import AugmentationDisplay
from skaudio.display._events_display import EventsDisplay
from skaudio.display._feature_space_display import FeatureSpaceDisplay
from skaudio.display._history_display import HistoryDisplay
from skaudio.display._spectrogram_display import SpectrogramDisplay

__all__ = [
    "AudioPlayers",
    "AuditDisplay",
    "AugmentationDisplay",
    "EventsDisplay",
    "FeatureSpaceDisplay",
    "HistoryDisplay",
    "SpectrogramDisplay",
]
