"""From frames to rows, and frames side by side.

FramePooling
    Frames of any length to one row of statistics per recording.
FrameUnion
    The frames of several encoders, stacked.
"""

# Names that are imported as themselves are for the other packages: no part of the public interface.
from skaudio.pooling._frame_pooling import FramePooling
from skaudio.pooling._frame_statistics import DELTA_WIDTH as DELTA_WIDTH
from skaudio.pooling._frame_statistics import percent as percent
from skaudio.pooling._frame_union import FrameUnion

__all__ = ["FramePooling", "FrameUnion"]
