"""Detectors: from labels of recordings to what is heard when.

EventDetector
    A convolutional-recurrent net trained on weak labels, whose frames tell where the events are.
"""

from skaudio.detectors._event_detector import EventDetector

__all__ = ["EventDetector"]
