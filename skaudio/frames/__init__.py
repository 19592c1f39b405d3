"""Sequences of frames: the containers in which features travel between steps.

A recording's frames are a float32 array ``(n_features, n_frames)``. Recordings of one length are
a 3-D array; of several lengths, a 1-D object array; under ``set_output(transform="pandas")``, a
one-column DataFrame of arrays. A 2-D array ``(n, d)`` is n sequences of one frame of d features.

check_frames
    X in any of these containers -> a list of frames, for authors of estimators.
validate_frames
    The same, and the number of features is that of ``fit``.
pack, as_object_array
    Frames -> the container they travel in.
FrameStack
    The same for threads that write frames where they belong.
FrameOutputMixin
    `set_output` for transformers that return frames.
"""

# Names that are imported as themselves are for the other packages: no part of the public interface.
from skaudio.frames._frame_stack import FrameStack, as_object_array
from skaudio.frames._frames import FrameOutputMixin, check_frames, pack, validate_frames
from skaudio.frames._frames import is_missing as is_missing
from skaudio.frames._frames import names_of as names_of
from skaudio.frames._frames import scale_to_unit as scale_to_unit

__all__ = [
    "FrameOutputMixin",
    "FrameStack",
    "as_object_array",
    "check_frames",
    "pack",
    "validate_frames",
]
