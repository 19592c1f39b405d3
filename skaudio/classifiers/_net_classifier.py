"""NetClassifier: any torch module as a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import nn

from skaudio._neural import MODULE_CLASS
from skaudio.classifiers._neural_classifier import NeuralClassifier


class NetClassifier(NeuralClassifier):
    """Any torch module as a classifier of recordings.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Transformer from recordings to frames. Augmentations in it are applied in training only,
        with new draws in each epoch. None: X holds frames, as encoders and embedders return them.
    module : class
        Class of a torch module. It is called as ``module(n_features, n_classes, **module_params)``.
        Its ``forward(x, lengths)`` takes padded frames (n_recordings, n_features, n_frames) and
        their lengths, and returns logits (n_recordings, n_classes).
    module_params : dict, default=None
        Further parameters of the module.
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
    A module that averages each recording over its frames and applies one linear layer:

    >>> import torch
    >>> from skaudio.classifiers import NetClassifier
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.encoders import MFCC
    >>> from skaudio.nets import TimePooling
    >>> class Pooled(torch.nn.Module):
    ...     def __init__(self, n_features, n_classes, pooling="mean"):
    ...         super().__init__()
    ...         self.pool = TimePooling(n_features, pooling)
    ...         self.head = torch.nn.Linear(self.pool.out_features, n_classes)
    ...
    ...     def forward(self, x, lengths):
    ...         return self.head(self.pool(x, lengths))
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> net = NetClassifier(
    ...     MFCC(), module=Pooled, module_params={"pooling": "max"}, max_epochs=2, random_state=0
    ... )
    >>> net.fit(X[y < 2], y[y < 2]).predict(X[:1]).shape
    (1,)
    """

    _module_parameters = ("module", "module_params")
    _constraints: ClassVar[dict[str, Any]] = {"module": MODULE_CLASS}

    def __init__(
        self,
        encoder: Any = None,
        *,
        module: Callable[..., nn.Module],
        module_params: Any = None,
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
        self.module = module
        self.module_params = module_params
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

    def _build(self, n_features: int) -> nn.Module:
        return self.module(n_features, len(self.classes_), **(self.module_params or {}))
