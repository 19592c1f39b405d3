"""Sequences of frames: the containers of features between the steps of a Pipeline.

The frames of a recording are a float32 array ``(n_features, n_frames)``. The frames of several
recordings are a 3-D array if all lengths agree, else a 1-D object array of such arrays. With
``set_output(transform="pandas")`` they are a one-column DataFrame of arrays. A 2-D array ``(n, d)``
is n sequences of one frame with d features.

check_frames
    Converts X in any of these containers to a list of frames, for authors of estimators.
validate_frames
    The same, and checks that the number of features is that of ``fit``.
pack, as_object_array
    Convert a list of frames to such a container.
FrameStack
    Collects frames that several threads write.
FrameOutputMixin
    `set_output` for transformers that return frames.
"""

# Names imported "as" themselves are for the other packages. They are not public.
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
