"""Events: what was heard from when to when, as a table.

A table of events is a DataFrame with DCASE's columns: ``file``, ``onset``, ``offset`` (in seconds),
``event_label``; predicted ones have a ``score`` as well.

check_events
    Validate a table of events.
merge_events
    Join events of one label that overlap or nearly touch.
frames_to_events
    Probabilities over time to events: threshold, hysteresis, median filter, gaps, durations.
events_to_frames
    Events to activity over time.
read_events, write_events
    CSV, TSV, and Audacity's labels.
"""

from skaudio.events._files import read_events, write_events
from skaudio.events._frames import events_to_frames, frames_to_events
from skaudio.events._names import file_names
from skaudio.events._table import check_events, merge_events

__all__ = [
    "check_events",
    "events_to_frames",
    "file_names",
    "frames_to_events",
    "merge_events",
    "read_events",
    "write_events",
]
