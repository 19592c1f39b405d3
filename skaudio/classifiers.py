"""Neural classifiers of recordings, or of sequences of frames: estimators that hold a skorch net.

LeNetClassifier
    Convolution and pooling over features and time.
GRUClassifier
    Stacked gated recurrent units.
NetClassifier
    Any torch module.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_consistent_length, check_is_fitted
from torch import nn

from skaudio import _training, nets

__all__ = ["GRUClassifier", "LeNetClassifier", "NetClassifier"]


class _Classifier(ClassifierMixin, BaseEstimator):
    """What the classifiers share; a subclass builds its module."""

    __metadata_request__fit = {"groups": True}

    def fit(self, X, y, groups=None):
        """Train.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels.
        groups : array-like of shape (n_recordings,), optional
            Speakers, machines...: ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        again = self.warm_start and hasattr(self, "net_")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        source = _training.prepare(self, X, y, seed)
        codes = self._encode_labels(source, y, again)
        held_out = _training.hold_out(self, len(codes), codes, groups, seed)
        with _training.seeded(seed, self.device):
            module = self.net_.module_ if again else self._module(source, held_out[0])
            self.net_ = _training.train(
                self,
                module,
                source,
                codes,
                criterion=self._criterion(codes),
                seed=seed,
                held_out=held_out,
                first_epoch=self.n_iter_ if again else 0,
            )
        self.history_ = self.net_.history
        self.n_iter_ = len(self.history_) + (self.n_iter_ if again else 0)
        return self

    def _encode_labels(self, source: Any, y: Any, again: bool) -> np.ndarray:
        y = _check_y(y, multi_output=False, estimator=self)
        check_classification_targets(y)
        check_consistent_length(source.lengths, y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} can't train when only one class is present: all labels "
                f"are {classes.tolist()[0]!r}."
            )
        if again and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start: the classes are {classes.tolist()}, expected those of the first fit, "
                f"{self.classes_.tolist()}."
            )
        self.classes_ = classes
        return codes.astype(np.int64)

    def _module(self, source: Any, index: np.ndarray) -> nn.Module:
        standardize = _training.standardization(self, source, index)
        net = self._build(len(standardize.mean), len(self.classes_))
        return _training.StandardizedNet(standardize, net, bfloat16=_training.uses_bfloat16(self))

    def _criterion(self, codes: np.ndarray) -> nn.Module:
        weight = None
        if self.class_weight is not None:
            y = self.classes_[codes]
            balanced = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            weight = torch.as_tensor(balanced, dtype=torch.float32)
        return nn.CrossEntropyLoss(weight=weight, label_smoothing=self.label_smoothing)

    def decision_function(self, X):
        """Return scores: logits, or for two classes the log-odds of the second.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        scores : ndarray of shape (n_recordings, n_classes), or (n_recordings,) for two classes
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X):
        """Return the probability of each class.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        probabilities : ndarray of shape (n_recordings, n_classes)
        """
        return torch.from_numpy(self._logits(X)).softmax(dim=1).numpy()

    def predict(self, X):
        """Return the most probable class.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        labels : ndarray of shape (n_recordings,)
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        frames = _training.encoded_frames(self, X)
        return _training.run(self.net_.module_, frames, self.device)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # With an encoder, scikit-learn's two-sample "waveforms" cannot be told apart.
        tags.classifier_tags.poor_score = self.encoder is not None
        return tags


class LeNetClassifier(_Classifier):
    """Variable-length LeNet: convolution and pooling over features and time.

    After LeCun et al. 1998, with batch normalisation and pooling over the remaining time axis.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Turns recordings into frames; augmentations in it act in training only, drawn afresh for
        every batch. None: X holds frames, what encoders and embedders return.
    channels : sequence of int, default=(32, 64, 128)
        Channels of the blocks; each halves features and time.
    kernel_size : int, default=3
        Side of the convolutions' kernels; odd.
    embedding_size : int, default=128
        Width of the layer before the head.
    pooling : {"mean", "max", "mean_max", "last", "attention"}, default="mean_max"
        How frames become one vector.
    dropout : float, default=0.3
        Before the embedding and before the head.
    max_epochs : int, default=40
        Passes over the training recordings.
    batch_size : int, default=32
        Recordings per step; batches hold recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn.
    label_smoothing : float, default=0.1
        Share of probability the loss spreads over all classes.
    standardize : {"auto", "global", "recording", "both", None}, default="auto"
        "global" learns each feature's mean and deviation on the training data; "recording" takes
        each recording's own mean over time away; "both" does both. "auto" is "both" with an
        encoder and "global" without.
    early_stopping : bool, default=False
        Hold out a part, stop when its loss no longer falls, restore the best epoch.
    validation_fraction : float, default=0.1
        Size of that part; whole groups where `fit` is given ``groups``.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of training; "auto" is bfloat16 on hardware with matrix units for it. Prediction is float32.
    device : str, default="cpu"
        torch device.
    random_state : int, RandomState instance or None, default=None
        Of weights, batches, dropout and augmentations. The same int and number of torch threads
        give bit-equal results.
    warm_start : bool, default=False
        Start from the weights of the previous `fit`.
    verbose : int, default=0
        Show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Added to the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` takes the schedule away.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
        ``net_.module_`` is the torch module, standardisation included.
    encoder_ : estimator
        The encoder, where there is one.
    history_ : skorch.history.History
        Losses and times of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Only where `fit` was given a 2-D array.

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

    def __init__(
        self,
        encoder=None,
        *,
        channels=(32, 64, 128),
        kernel_size=3,
        embedding_size=128,
        pooling="mean_max",
        dropout=0.3,
        max_epochs=40,
        batch_size=32,
        lr=3e-3,
        class_weight=None,
        label_smoothing=0.1,
        standardize="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        precision="auto",
        device="cpu",
        random_state=None,
        warm_start=False,
        verbose=0,
        callbacks=None,
        net_params=None,
    ):
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

    def _build(self, n_features: int, n_classes: int) -> nn.Module:
        return nets.LeNet(
            n_features,
            n_classes,
            channels=self.channels,
            kernel_size=self.kernel_size,
            embedding_size=self.embedding_size,
            pooling=self.pooling,
            dropout=self.dropout,
        )


class GRUClassifier(_Classifier):
    """Stacked gated recurrent units, in both directions by default, pooled over time.

    Cho et al. 2014; directions as in Schuster & Paliwal 1997.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Turns recordings into frames; augmentations in it act in training only, drawn afresh for
        every batch. None: X holds frames, what encoders and embedders return.
    hidden_size : int, default=128
        Of each layer and direction.
    n_layers : int, default=2
    bidirectional : bool, default=True
        Read each recording from its end as well.
    pooling : {"mean", "max", "mean_max", "last", "attention"}, default="mean_max"
        How frames become one vector.
    input_dropout : float, default=0.1
        Share of features hidden from the net in a whole recording, while training.
    dropout : float, default=0.3
        Between layers and before the head.
    max_epochs : int, default=40
        Passes over the training recordings.
    batch_size : int, default=32
        Recordings per step; batches hold recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn.
    label_smoothing : float, default=0.1
        Share of probability the loss spreads over all classes.
    standardize : {"auto", "global", "recording", "both", None}, default="auto"
        "global" learns each feature's mean and deviation on the training data; "recording" takes
        each recording's own mean over time away; "both" does both. "auto" is "both" with an
        encoder and "global" without.
    early_stopping : bool, default=False
        Hold out a part, stop when its loss no longer falls, restore the best epoch.
    validation_fraction : float, default=0.1
        Size of that part; whole groups where `fit` is given ``groups``.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of training; "auto" is bfloat16 on hardware with matrix units for it. Prediction is float32.
    device : str, default="cpu"
        torch device.
    random_state : int, RandomState instance or None, default=None
        Of weights, batches, dropout and augmentations. The same int and number of torch threads
        give bit-equal results.
    warm_start : bool, default=False
        Start from the weights of the previous `fit`.
    verbose : int, default=0
        Show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Added to the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` takes the schedule away.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
        ``net_.module_`` is the torch module, standardisation included.
    encoder_ : estimator
        The encoder, where there is one.
    history_ : skorch.history.History
        Losses and times of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Only where `fit` was given a 2-D array.

    Examples
    --------
    >>> from skaudio.classifiers import GRUClassifier
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.encoders import MFCC
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> gru = GRUClassifier(MFCC(), hidden_size=16, max_epochs=2, random_state=0)
    >>> gru.fit(X[y < 2], y[y < 2]).predict_proba(X[:1]).shape
    (1, 2)
    """

    def __init__(
        self,
        encoder=None,
        *,
        hidden_size=128,
        n_layers=2,
        bidirectional=True,
        pooling="mean_max",
        input_dropout=0.1,
        dropout=0.3,
        max_epochs=40,
        batch_size=32,
        lr=3e-3,
        class_weight=None,
        label_smoothing=0.1,
        standardize="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        precision="auto",
        device="cpu",
        random_state=None,
        warm_start=False,
        verbose=0,
        callbacks=None,
        net_params=None,
    ):
        self.encoder = encoder
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.input_dropout = input_dropout
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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

    def _build(self, n_features: int, n_classes: int) -> nn.Module:
        return nets.GRU(
            n_features,
            n_classes,
            hidden_size=self.hidden_size,
            n_layers=self.n_layers,
            bidirectional=self.bidirectional,
            pooling=self.pooling,
            input_dropout=self.input_dropout,
            dropout=self.dropout,
        )


class NetClassifier(_Classifier):
    """Any torch module as a classifier of recordings.

    Parameters
    ----------
    module : class
        Called as ``module(n_features, n_classes, **module_params)``; its ``forward(x, lengths)``
        takes padded frames (n_recordings, n_features, n_frames) and their lengths, and returns
        logits (n_recordings, n_classes).
    module_params : dict, default=None
        Passed on to the module.
    encoder : transformer or Pipeline, default=None
        Turns recordings into frames; augmentations in it act in training only, drawn afresh for
        every batch. None: X holds frames, what encoders and embedders return.
    max_epochs : int, default=40
        Passes over the training recordings.
    batch_size : int, default=32
        Recordings per step; batches hold recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn.
    label_smoothing : float, default=0.1
        Share of probability the loss spreads over all classes.
    standardize : {"auto", "global", "recording", "both", None}, default="auto"
        "global" learns each feature's mean and deviation on the training data; "recording" takes
        each recording's own mean over time away; "both" does both. "auto" is "both" with an
        encoder and "global" without.
    early_stopping : bool, default=False
        Hold out a part, stop when its loss no longer falls, restore the best epoch.
    validation_fraction : float, default=0.1
        Size of that part; whole groups where `fit` is given ``groups``.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of training; "auto" is bfloat16 on hardware with matrix units for it. Prediction is float32.
    device : str, default="cpu"
        torch device.
    random_state : int, RandomState instance or None, default=None
        Of weights, batches, dropout and augmentations. The same int and number of torch threads
        give bit-equal results.
    warm_start : bool, default=False
        Start from the weights of the previous `fit`.
    verbose : int, default=0
        Show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Added to the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` takes the schedule away.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
        ``net_.module_`` is the torch module, standardisation included.
    encoder_ : estimator
        The encoder, where there is one.
    history_ : skorch.history.History
        Losses and times of each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Only where `fit` was given a 2-D array.

    Examples
    --------
    A module of one's own: pool each recording over its frames, then one linear layer.

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
    ...     Pooled, module_params={"pooling": "max"}, encoder=MFCC(), max_epochs=2, random_state=0
    ... )
    >>> net.fit(X[y < 2], y[y < 2]).predict(X[:1]).shape
    (1,)
    """

    def __init__(
        self,
        module,
        *,
        module_params=None,
        encoder=None,
        max_epochs=40,
        batch_size=32,
        lr=3e-3,
        class_weight=None,
        label_smoothing=0.1,
        standardize="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        precision="auto",
        device="cpu",
        random_state=None,
        warm_start=False,
        verbose=0,
        callbacks=None,
        net_params=None,
    ):
        self.module = module
        self.module_params = module_params
        self.encoder = encoder
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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

    def _build(self, n_features: int, n_classes: int) -> nn.Module:
        return self.module(n_features, n_classes, **(self.module_params or {}))
