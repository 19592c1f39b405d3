"""LeNetClassifier: convolution and pooling over features and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from skaudio import nets
from skaudio._validation import choice, count, sequence
from skaudio.classifiers._neural_classifier import NeuralClassifier


class LeNetClassifier(NeuralClassifier):
    """Variable-length LeNet: convolution and pooling over features and time.

    The network follows LeCun et al. 1998, with batch normalisation, and with pooling over the
    remaining time axis for recordings of any length.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Transformer from recordings to frames. Augmentations in it are applied in training only,
        with new draws in each epoch. None: X holds frames, as encoders and embedders return them.
    channels : sequence of int, default=(32, 64, 128)
        Number of channels of each convolution block. Each block halves features and time.
    kernel_size : int, default=3
        Height and width of the convolution kernels; an odd number.
    embedding_size : int, default=128
        Number of units of the layer before the head (the output layer).
    pooling : {"mean", "max", "mean_max", "mean_std", "last", "attention", "attention_stats"}, \
default="mean_max"
        How the frames of a recording are combined into one vector.
    dropout : float, default=0.3
        Dropout rate before the embedding layer and before the head.
    max_epochs : int, default=30
        Number of passes over the training recordings.
    batch_size : int, default=32
        Number of recordings per training step. A batch holds recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, as in scikit-learn.
    label_smoothing : float, default=0.1
        Fraction of the probability that the loss distributes over all classes.
    n_draws : int, default=0
        Number of augmented versions of each recording whose logits are averaged in prediction
        (test-time augmentation). It takes ``n_draws`` times as long. Streams and ONNX graphs do
        not augment. 0: prediction does not augment.
    standardize : {"auto", "global", "recording", "both", None}, default="auto"
        "global" learns the mean and standard deviation of each feature on the training data.
        "recording" subtracts each recording's mean over time, weighted by loudness.
        "both" does both. "auto" is "both" with an encoder, and "global" without
        or if each recording has a single frame.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
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
    >>> from skaudio.classifiers import LeNetClassifier
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.encoders import MelSpectrogram
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> lenet = LeNetClassifier(MelSpectrogram(), channels=(8, 16), max_epochs=2, random_state=0)
    >>> lenet.fit(X[y < 2], y[y < 2]).predict(X[:1]).shape
    (1,)
    """

    _module = nets.LeNet
    _module_parameters = ("channels", "kernel_size", "embedding_size", "pooling", "dropout")
    _constraints: ClassVar[dict[str, Any]] = {
        "channels": sequence("sequence of int", "one or more integers of 1 or more", count(), 1),
        "kernel_size": count(odd=True),
        "pooling": choice(*nets.POOLINGS),
    }

    def __init__(
        self,
        encoder: Any = None,
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        embedding_size: int = 128,
        pooling: str = "mean_max",
        dropout: float = 0.3,
        max_epochs: int = 30,
        batch_size: int = 32,
        lr: float = 3e-3,
        class_weight: Any = None,
        label_smoothing: float = 0.1,
        n_draws: int = 0,
        standardize: Any = "auto",
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
        self.kernel_size = kernel_size
        self.embedding_size = embedding_size
        self.pooling = pooling
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.n_draws = n_draws
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
