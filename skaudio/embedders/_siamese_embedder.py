"""SiameseEmbedder: one network for both recordings of a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skaudio import nets
from skaudio._neural import encoded_frames, predict_rows
from skaudio.embedders._pair_training import fit_drawn_pairs, fit_given_pairs
from skaudio.embedders._pair_verification import PairVerifier

MODULES = {"lenet": nets.LeNet, "gru": nets.GRU, "statistics": nets.StatisticsPooling}


class SiameseEmbedder(
    PairVerifier, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """One network for both recordings of a pair, trained to bring those of one class together.

    Classes that `fit` has not seen can be told apart as well: whatever made the classes of the
    training data differ is what distances measure, be it speakers, machines or species.

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Turns recordings into frames; augmentations in it act in training only, drawn afresh for
        every recording and batch. None: X holds frames, what encoders and embedders return.
    module : {"lenet", "gru", "statistics"} or class, default="statistics"
        "statistics", mean and deviation over time mapped linearly, has the fewest weights and
        suits voices and machines; the others see what comes first and what after. A class is
        called as ``module(n_features, embedding_size, **module_params)``; its
        ``forward(x, lengths)`` takes padded frames (n_recordings, n_features, n_frames) and their
        lengths, and returns (n_recordings, embedding_size).
    module_params : dict, default=None
        Passed on to the module.
    embedding_size : int, default=128
        Number of columns.
    normalize : bool, default=False
        Scale embeddings to length 1, in training too; their distances are at most 2 then.
    hinge : {"squared", "linear"}, default="squared"
        Of the loss, see `skaudio.nets.ContrastiveLoss`.
    margin : float, default=1.0
        Distance from which on a pair of different classes costs nothing. "statistics" begins with
        distances around 1.
    distance : {"euclidean", "cosine"}, default="euclidean"
        Between embeddings: of the loss, of pairs and of `score`.
    n_pairs : int, default=None
        Pairs drawn per epoch by `fit`, half of them of one class; an odd number becomes the next
        even one. None takes as many as there are recordings, or two per class if that is more.
    max_epochs : int, default=20
        Number of times that pairs are drawn.
    batch_size : int, default=32
        Pairs per step; batches hold pairs of similar length.
    lr : float, default=1e-3
        Highest learning rate of the one-cycle schedule.
    standardize : {"auto", "global", "recording", "both", None}, default="global"
        "global" learns each feature's mean and deviation on the training data; "recording" takes
        each recording's own mean over time away, and much of the voice with it; "both" does both.
        "auto" is "both" with an encoder and "global" without.
    early_stopping : bool, default=False
        Hold out a part, stop when its loss no longer falls, restore the best epoch.
    validation_fraction : float, default=0.1
        Size of that part; whole groups where `fit` is given ``groups``.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of training; "auto" is bfloat16 on hardware with matrix units for it. Embeddings are
        float32.
    device : str, default="cpu"
        torch device.
    random_state : int, RandomState instance or None, default=None
        Of weights, pairs, batches, dropout and augmentations. The same int and number of torch
        threads give bit-equal results.
    warm_start : bool, default=False
        Start from the weights of the previous fit.
    verbose : int, default=0
        Show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Added to the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` takes the schedule away.

    Attributes
    ----------
    threshold_ : float
        Pairs at this distance or a shorter one are taken to be of one class: half the margin, until
        `calibrate_threshold` finds a better one.
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

    See Also
    --------
    NetEmbedder : The embedding of a classifier.

    Notes
    -----
    Within an epoch, classes get equal shares of the pairs of one class (those with two recordings
    or more) and of the left halves of the pairs of two. A class with a single recording is only
    ever paired with others.

    References
    ----------
    Bromley et al. 1993, "Signature verification using a siamese time delay neural network";
    Hadsell, Chopra & LeCun 2006 for the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.embedders import SiameseEmbedder
    >>> from skaudio.encoders import MelSpectrogram
    >>> digits = load_spoken_digits()
    >>> known = np.isin(digits.groups, ["alba", "brook", "clive"])
    >>> siamese = SiameseEmbedder(MelSpectrogram(), max_epochs=5, random_state=0)
    >>> siamese.fit(digits.data[known], digits.groups[known])
    SiameseEmbedder(...)
    >>> siamese.transform(digits.data[~known]).shape
    (210, 128)
    >>> siamese.pair_distance(digits.data[:2], digits.data[2:4]).shape
    (2,)
    """

    __metadata_request__fit = {"groups": True}

    net_: Any
    encoder_: Any

    def __init__(
        self,
        encoder=None,
        *,
        module="statistics",
        module_params=None,
        embedding_size=128,
        normalize=False,
        hinge="squared",
        margin=1.0,
        distance="euclidean",
        n_pairs=None,
        max_epochs=20,
        batch_size=32,
        lr=1e-3,
        standardize="global",
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
        self.module = module
        self.module_params = module_params
        self.embedding_size = embedding_size
        self.normalize = normalize
        self.hinge = hinge
        self.margin = margin
        self.distance = distance
        self.n_pairs = n_pairs
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
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
        module = self.module
        if isinstance(module, str):
            if module not in MODULES:
                names = ", ".join(map(repr, MODULES))
                raise ValueError(f"module={module!r}: expected {names} or a torch module's class.")
            module = MODULES[module]
        return module(n_features, self.embedding_size, **(self.module_params or {}))

    def fit(self, X, y, groups=None):
        """Train on pairs that are drawn anew in each epoch.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels: at least two classes, one of them with two recordings or more.
        groups : array-like of shape (n_recordings,), optional
            Speakers, machines...: ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        fit_drawn_pairs(self, X, y, groups)
        return self

    def fit_pairs(self, left, right, same, groups=None):
        """Train on the same pairs in each epoch.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
        same : array-like of bool, shape (n_pairs,)
            True where both recordings of a pair are of one class. Both kinds are needed.
        groups : array-like of shape (n_pairs,), optional
            ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        fit_given_pairs(self, left, right, same, groups)
        return self

    def transform(self, X):
        """Return embeddings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
            Of any classes.

        Returns
        -------
        rows : ndarray of shape (n_recordings, embedding_size), float32
            C-contiguous.
        """
        check_is_fitted(self)
        rows = predict_rows(self.net_.module_, encoded_frames(self, X), self.device)
        if self.normalize:
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
