"""Detectors of events, which are trained on labels of whole recordings.

EventDetector
    A convolutional-recurrent network, whose prediction is a table of events with onset and offset.
"""

from skaudio.detectors._event_detector import EventDetector

__all__ = ["EventDetector"]
