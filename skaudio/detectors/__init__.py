"""Detectors: trained on labels of whole recordings, they return events with onset and offset.

EventDetector
    A convolutional-recurrent network trained on weak labels; predicts a table of events.
"""

from skaudio.detectors._event_detector import EventDetector

__all__ = ["EventDetector"]
