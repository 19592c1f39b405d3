"""EventDetector: a network trained on weak labels that predicts a table of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import nn

from skaudio import nets
from skaudio._validation import (
    CLASS_WEIGHTS,
    POSITIVE_SECONDS,
    SECONDS,
    Constraint,
    choice,
    count,
    number,
    sequence,
)
from skaudio.detectors._weak_label_detector import WeakLabelDetector

# One threshold per label. The labels are known in `fit` only, which checks the thresholds further.
THRESHOLDS = Constraint(
    ("dict of label to float", "array of shape (n_labels,)"),
    (),
    ("a dict or an array of those with one for each label",),
    lambda value: isinstance(value, (Mapping, Sequence, np.ndarray)) and not isinstance(value, str),
)


class EventDetector(WeakLabelDetector):
    """Find events in recordings; training needs only the labels of whole recordings.

    A convolutional-recurrent network returns the probability of each label in each frame. In
    training, the probabilities are pooled over time and compared with the labels of the recording.
    In prediction, thresholds on the probabilities of the frames give the onset and offset of each
    event.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Transformer from recordings to frames. Augmentations in it are applied in training only,
        with new draws in each epoch. None: X holds frames, as encoders and embedders return them.
    channels : sequence of int, default=(16, 32, 64)
        Number of channels of each convolution block. Each block halves the features. (): a
        recurrent network without convolutions.
    frame_stride : int, default=4
        Number of frames of the encoder per frame of the detector, a power of two.
    hidden_size : int, default=64
        Number of units of each recurrent layer in each direction.
    n_layers : int, default=1
        Number of recurrent layers. 0: a convolutional network without recurrent layers.
    bidirectional : bool, default=True
        Whether the recurrent layers process each recording backwards as well.
    pooling : {"mean", "max", "linear_softmax", "exp_softmax", "attention"}, \
default="linear_softmax"
        How the probabilities of the frames are pooled to the probability of a recording; see
        `skaudio.nets.WeakPooling`.
    dropout : float, default=0.2
        Dropout rate before each recurrent layer and before the output layer.
    threshold : float, dict of label to float or array of shape (n_labels,), default=0.5
        Probability at which an event begins. `tune_thresholds` chooses thresholds with strong
        labels.
    hysteresis : float, default=1.0
        An event ends when the probability is below this fraction of the threshold.
    median_filter : float, default=0.0
        Length of the median filter that smooths the probabilities over time, in seconds. 0: no
        filter.
    min_duration : float, default=0.0
        Events shorter than this are removed, in seconds.
    max_gap : float, default=0.0
        Events of one label with a gap of up to this length between them are merged, in seconds.
    frame_duration : float, default=0.01
        Hop of the frames of X in seconds; used with ``encoder=None``.
    block_duration : float, default=60.0
        Recordings longer than this, in seconds, are processed in blocks. The result is the same up
        to rounding.
    max_epochs : int, default=40
        Number of passes over the training recordings.
    batch_size : int, default=32
        Number of recordings per training step. A batch holds recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in the loss, as in scikit-learn. With several labels per recording, a
        dict contains the weight of each label where it is present; a list contains, for each label,
        a dict of the weights of 0 (absent) and 1 (present).
    standardize : {"global", "recording", "both", None}, default="global"
        "global" learns the mean and standard deviation of each feature on the training data.
        "recording" subtracts each recording's mean over time, which removes a constant background;
        the mean of a long recording may differ from that of short training clips. "both" does both.
    early_stopping : bool, default=False
        Whether to hold out a part of the training data, stop when the loss on it no longer
        decreases, and restore the weights of the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the training data that is held out; whole groups if ``groups`` are passed to
        `fit`. Less is held out if a class would otherwise be missing from the training part.
    n_iter_no_change : int, default=10
        Number of epochs without improvement after which training stops.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of training. "auto" uses bfloat16 where it is faster: on GPUs that support it,
        and for convolutions on CPUs that support it. Prediction is in float32.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, dropout and augmentations, and of pairs if they are drawn. With
        the same int and number of torch threads, results are bit-equal.
    warm_start : bool, default=False
        Whether to start from the weights of the previous `fit`. The number of features, the labels
        and the parameters of the network must be the same.
    verbose : int, default=0
        Whether to show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Callbacks besides the learning rate schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` removes the schedule.

    Attributes
    ----------
    labels_ : ndarray of shape (n_labels,)
        Names of the labels, in the order of the rows of `predict_frames` and the columns of
        `predict_proba`.
    classes_ : ndarray of shape (n_labels,) or (n_labels, 2)
        ``labels_`` if each recording has exactly one label, else a row [0, 1] for each label.
    thresholds_ : ndarray of shape (n_labels,)
        Thresholds chosen by `tune_thresholds`; only set by it.
    filters_ : dict of str to ndarray of shape (n_labels,)
        Filters chosen by `tune_thresholds`; only set by it, empty without ``filters=True``.
    net_ : skorch.NeuralNet
        The trained network. ``net_.module_`` is the torch module, which includes the
        standardisation. The optimizer, the criterion and the callbacks are not kept.
    encoder_ : estimator
        The fitted encoder, if there is one.
    history_ : skorch.history.History
        Loss and time of each epoch. With ``early_stopping`` also ``valid_score``, the result of
        `score` for the part that was held out.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.detectors import EventDetector
    >>> from skaudio.encoders import MelSpectrogram
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> detector = EventDetector(
    ...     MelSpectrogram(), channels=(4, 8), frame_stride=2, max_epochs=2, random_state=0
    ... )
    >>> detector = detector.fit(X[y < 2], y[y < 2])
    >>> detector.predict_frames(X[:1])[0].shape[0]
    2
    >>> detector.predict_events(X[:1]).columns.tolist()
    ['file', 'onset', 'offset', 'event_label', 'score']
    """

    _module_parameters = (
        "channels",
        "frame_stride",
        "hidden_size",
        "n_layers",
        "bidirectional",
        "pooling",
        "dropout",
    )
    _constraints: ClassVar[dict[str, Any]] = {
        "class_weight": CLASS_WEIGHTS
        | sequence("list of dict", "a list of such dicts", CLASS_WEIGHTS, 1)
        | choice("balanced", None),
        "channels": sequence("sequence of int", "integers of 1 or more, or ()", count()),
        "frame_stride": count(),
        "n_layers": count(0),
        "pooling": choice("mean", "max", "linear_softmax", "exp_softmax", "attention"),
        "threshold": number(0, 1) | THRESHOLDS,
        "hysteresis": number(0, 1, above=True),
        "median_filter": SECONDS,
        "min_duration": SECONDS,
        "max_gap": SECONDS,
        "frame_duration": POSITIVE_SECONDS,
        "standardize": choice("global", "recording", "both", None),
    }

    def __init__(
        self,
        encoder: Any = None,
        *,
        channels: Any = (16, 32, 64),
        frame_stride: int = 4,
        hidden_size: int = 64,
        n_layers: int = 1,
        bidirectional: bool = True,
        pooling: str = "linear_softmax",
        dropout: float = 0.2,
        threshold: Any = 0.5,
        hysteresis: float = 1.0,
        median_filter: float = 0.0,
        min_duration: float = 0.0,
        max_gap: float = 0.0,
        frame_duration: float = 0.01,
        block_duration: float = 60.0,
        max_epochs: int = 40,
        batch_size: int = 32,
        lr: float = 3e-3,
        class_weight: Any = None,
        standardize: Any = "global",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        precision: str = "auto",
        device: str = "cpu",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        callbacks: Any = None,
        net_params: Any = None,
    ) -> None:
        self.encoder = encoder
        self.channels = channels
        self.frame_stride = frame_stride
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.threshold = threshold
        self.hysteresis = hysteresis
        self.median_filter = median_filter
        self.min_duration = min_duration
        self.max_gap = max_gap
        self.frame_duration = frame_duration
        self.block_duration = block_duration
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.callbacks = callbacks
        self.net_params = net_params

    def _build(self, n_features: int) -> nn.Module:
        return nets.CRNN(
            n_features,
            len(self.labels_),
            **{name: getattr(self, name) for name in self._module_parameters},
        )
