"""Training and prediction of torch modules on recordings; the only package that imports skorch.

An estimator asks `make_source` for a source of frames. `fit_net` trains a module on it and sets
``net_``, ``history_`` and ``n_iter_``. `predict_rows` and `predict_frames` run that module on
other recordings, whose frames `prediction_frames` makes. Private;
the other packages import from here alone.
"""

from skaudio._neural.batches import (
    FRAME_STEP,
    FrameSource,
    Source,
    TrainingBatches,
    TrainingSet,
    ValidationBatches,
    as_frames,
    checked_frames,
    encoder_rate,
    make_source,
    pad,
    reads_audio,
    source_of,
)
from skaudio._neural.block_walk import walk
from skaudio._neural.checks import (
    MODULE_CLASS,
    ClassLoss,
    check_class_weights,
    check_finite,
    is_warm,
)
from skaudio._neural.decoding import decode_all
from skaudio._neural.fit import all_or_nothing, fit_net, fitting, uses_bfloat16
from skaudio._neural.held_out import Classes
from skaudio._neural.long_frames import BLOCK_FRAMES, LONG_FRAMES, can_walk, prediction_frames
from skaudio._neural.net_stream import (
    NeuralStream,
    check_streaming,
    neural_obstacles,
    row_stream,
)
from skaudio._neural.portable import LoadsAnywhere
from skaudio._neural.predict import RowReader, predict_frames, predict_rows, walk_frames
from skaudio._neural.running_pooling import pools_along
from skaudio._neural.stored import build_for, put_net, take_net
from skaudio._neural.targets import (
    LabelLoss,
    Labels,
    LabelsMixin,
    encode_labels,
    label_weights,
)

__all__ = [
    "BLOCK_FRAMES",
    "FRAME_STEP",
    "LONG_FRAMES",
    "MODULE_CLASS",
    "ClassLoss",
    "Classes",
    "FrameSource",
    "LabelLoss",
    "Labels",
    "LabelsMixin",
    "LoadsAnywhere",
    "NeuralStream",
    "RowReader",
    "Source",
    "TrainingBatches",
    "TrainingSet",
    "ValidationBatches",
    "all_or_nothing",
    "as_frames",
    "build_for",
    "can_walk",
    "check_class_weights",
    "check_finite",
    "check_streaming",
    "checked_frames",
    "decode_all",
    "encode_labels",
    "encoder_rate",
    "fit_net",
    "fitting",
    "is_warm",
    "label_weights",
    "make_source",
    "neural_obstacles",
    "pad",
    "pools_along",
    "predict_frames",
    "predict_rows",
    "prediction_frames",
    "put_net",
    "reads_audio",
    "row_stream",
    "source_of",
    "take_net",
    "uses_bfloat16",
    "walk",
    "walk_frames",
]
