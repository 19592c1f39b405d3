"""Pooling of frames: from frames to rows of statistics.

FramePooling
    One row of statistics over time per recording.
FrameUnion
    Concatenates the frames of several encoders.
"""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.pooling._frame_pooling import FramePooling
from skaudio.pooling._frame_statistics import DELTA_WIDTH as DELTA_WIDTH
from skaudio.pooling._frame_statistics import percent as percent
from skaudio.pooling._frame_union import FrameUnion

__all__ = ["FramePooling", "FrameUnion"]
