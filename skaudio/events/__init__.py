"""Tables of events with onset and offset.

A table of events is a DataFrame with the columns of DCASE: ``file``, ``onset``, ``offset`` (in
seconds) and ``event_label``. Predicted events also have a ``score``.

check_events
    Validate a table of events.
merge_events
    Merge events of one label that overlap or are close to each other.
frames_to_events
    Convert probabilities over time to events.
events_to_frames
    Convert events to activity over time.
events_to_target
    Make the target of a detector from strong labels of some recordings and weak labels of others.
read_events, write_events
    Read and write CSV, TSV, label files of Audacity and selection tables of Raven.
"""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.events._clip_events import events_of_clips as events_of_clips
from skaudio.events._clip_events import events_within as events_within
from skaudio.events._delimited import delimited as delimited
from skaudio.events._event_files import read_events, write_events
from skaudio.events._event_table import check_events, merge_events
from skaudio.events._event_table import (
    match_names as match_names,
)
from skaudio.events._event_target import events_to_target
from skaudio.events._frame_events import (
    check_thresholds as check_thresholds,
)
from skaudio.events._frame_events import events_to_frames, file_names, frames_to_events
from skaudio.events._frame_events import file_spans as file_spans
from skaudio.events._frame_events import (
    find_runs as find_runs,
)
from skaudio.events._frame_events import (
    smooth as smooth,
)
from skaudio.events._running_events import RunningEvents as RunningEvents

__all__ = [
    "check_events",
    "events_to_frames",
    "events_to_target",
    "file_names",
    "frames_to_events",
    "merge_events",
    "read_events",
    "write_events",
]
