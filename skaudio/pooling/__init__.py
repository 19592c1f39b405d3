"""From frames to rows, and frames side by side.

FramePooling
    Frames of any length to one row of statistics per recording.
FrameUnion
    The frames of several encoders, stacked.
"""

from skaudio.pooling._frame_pooling import FramePooling
from skaudio.pooling._frame_union import FrameUnion

__all__ = ["FramePooling", "FrameUnion"]
