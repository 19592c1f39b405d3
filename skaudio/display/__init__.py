"""Plots, with the Display API of scikit-learn. They need matplotlib (extra ``plot``).

AuditDisplay
    The result of an audit: durations, levels, problems, shortcuts.
AudioPlayers
    Audio players for recordings; needs no matplotlib.
AugmentationDisplay
    A recording and its augmented versions: spectrograms and audio players.
EventsDisplay
    A spectrogram, probabilities over time, and bars for predicted and true events.
FeatureSpaceDisplay
    Recordings as points in two dimensions; a click on a point plays the recording.
HistoryDisplay
    Learning curves: loss and metrics of each epoch.
SpectrogramDisplay
    The frames of one recording over time and frequency, for any encoder.
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
