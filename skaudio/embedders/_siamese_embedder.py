"""SiameseEmbedder: a network trained to tell classes apart, also such as it has not met."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skaudio._neural import LoadsAnywhere, predict_rows, prediction_frames
from skaudio.embedders._embedding_stream import StreamsRows
from skaudio.embedders._pair_verification import PairVerifier
from skaudio.embedders._siamese_training import CONSTRAINTS, build_net, fit_classes, fit_given_pairs
from skaudio.frames import scale_to_unit


class SiameseEmbedder(
    StreamsRows, PairVerifier, ClassNamePrefixFeaturesOutMixin, TransformerMixin, LoadsAnywhere
):
    """A network trained so that recordings of one class have similar embeddings.

    It embeds recordings of other classes than those of the training data as well: distances measure
    the kind of difference that the training classes had (speakers, machines, species).

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Turns recordings into frames. Augmentations in it are applied in training only, with new
        draws in each epoch. None: X holds frames, as encoders and embedders return them.
    loss : {"supervised_contrastive", "angular_margin", "all_pairs", "pairs"}, \
            default="supervised_contrastive"
        What `fit` minimises. The first three compare all recordings of a batch, which holds
        several of each of several classes: see `skaudio.nets.SupervisedContrastiveLoss`,
        `skaudio.nets.AngularMarginLoss` and `skaudio.nets.AllPairsLoss`. "pairs" draws pairs, and
        compares two recordings at a time, see `skaudio.nets.ContrastiveLoss`. `fit_pairs` always
        does the latter: it knows no classes.
    module : class, "tdnn", "lenet", "gru" or "statistics", default="tdnn"
        "tdnn", convolutions over time and statistics of what they put out, suits voices and
        machines. "statistics", a linear map of mean and standard deviation over time, has the
        fewest weights: for two or three classes. The others use the order in time as well. A class
        is called as ``module(n_features, embedding_size, **module_params)``; its
        ``forward(x, lengths)`` takes padded frames (n_recordings, n_features, n_frames) and their
        lengths, and returns (n_recordings, embedding_size).
    module_params : dict, default=None
        Further parameters of the module.
    embedding_size : int, default=128
        Number of columns.
    unit_norm : bool, default=True
        Scale each row, or frame, to length 1, so that the nearest neighbours by euclidean distance
        are those by cosine similarity.
    speeds : sequence of float, "auto" or None, default="auto"
        `fit` adds copies of the recordings at these speeds, which change the pitch as well. The
        copies of a class at one speed are a class of their own: another voice. An epoch gets longer
        accordingly. "auto" is (0.9, 1.1) with an encoder, and None, no copies, without.
    temperature : float, default=0.1
        Of "supervised_contrastive".
    n_per_class : int, default=4
        Recordings of each class in a batch, unless ``loss="pairs"``. More if there are too few
        classes to fill the batch.
    hinge : {"squared", "linear"}, default="squared"
        Form of the losses "pairs" and "all_pairs", see `skaudio.nets.ContrastiveLoss`.
    margin : float, default=None
        "pairs" and "all_pairs": pairs of two classes at this distance or a larger one add nothing
        to the loss. "angular_margin": an angle in radians. None: 1.0, for the angle 0.2.
    distance : {"euclidean", "cosine"}, default="euclidean"
        Distance between embeddings, in `pair_distance`, in `score`, and in the losses "pairs" and
        "all_pairs".
    n_pairs : int, default=None
        Pairs per epoch with ``loss="pairs"``, half of them of one class; an odd number becomes the
        next even one. None takes as many as there are recordings, or two per class if that is more.
    max_epochs : int, default=8
        Passes over the recordings, or over the pairs.
    batch_size : int, default=64
        Recordings per step; a pair is two.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    standardize : {"auto", "global", "recording", "both", None}, default="global"
        "global" learns the mean and standard deviation of each feature on the training data.
        "recording" subtracts each recording's mean over time, weighted by loudness.
        "both" does both. "auto" is "both" with an encoder, and "global" without
        or if each recording has a single frame.
    early_stopping : bool, default=False
        Hold out a part of the training data, stop when the loss on it no longer decreases, and
        restore the weights of the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the training data that is held out; whole groups if ``groups`` are passed to
        `fit`. Less is held out if a class would otherwise be missing from the training part.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of training. "auto" uses bfloat16 where it is faster: on GPUs that support it,
        and for convolutions on CPUs that support it. Prediction is in float32.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, dropout and augmentations, and of pairs if they are drawn. With
        the same int and number of torch threads, results are bit-equal.
    warm_start : bool, default=False
        Start from the weights of the previous fit. Frames, labels and parameters of the net must
        be the same.
    verbose : int, default=0
        Show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Added to the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here, such as ``optimizer``;
        ``{"callbacks__schedule": None}`` removes the schedule.

    Attributes
    ----------
    threshold_ : float
        Pairs at this distance or a smaller one are predicted to be of one class. 0.5, which fits
        no data in particular, until `calibrate_threshold` is called.
    net_ : skorch.NeuralNet
        ``net_.module_`` is the torch module, standardisation included. Optimizer, criterion and
        callbacks are not kept.
    encoder_ : estimator
        The fitted encoder, if there is one.
    history_ : skorch.history.History
        Losses and times of each epoch, and with ``early_stopping`` ``valid_score``, one minus the
        equal error rate of the pairs held out that share a batch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Only where `fit` was given a 2-D array.

    See Also
    --------
    NetEmbedder : The embedding of a classifier.
    WCCN : Normalisation of the rows by what varies within a class.
    skaudio.metrics.normalized_scores : Normalisation of the scores of pairs.

    Notes
    -----
    Classes take turns in batches, and so do the recordings of a class. In training, recordings of
    more than 400 frames are cut to a random part of so many.

    With ``loss="pairs"``, nothing is cut, and half of the pairs of an epoch are of one class, in
    equal shares of all classes with two recordings or more. The others are of two classes, in equal
    shares by the class of the left recording. Batches hold pairs of similar length.

    References
    ----------
    Bromley et al. 1993, "Signature verification using a siamese time delay neural network";
    Yamamoto et al. 2019, "Speaker augmentation and bandwidth extension for deep speaker embedding",
    for copies that are classes. Networks and losses name their own.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.embedders import SiameseEmbedder
    >>> from skaudio.encoders import MelSpectrogram
    >>> digits = load_spoken_digits()
    >>> known = np.isin(digits.groups, ["alba", "brook", "clive"])
    >>> siamese = SiameseEmbedder(MelSpectrogram(), speeds=None, max_epochs=2, random_state=0)
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

    _module_parameters = ("module", "module_params", "embedding_size")
    _constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    def __init__(
        self,
        encoder: Any = None,
        *,
        loss: str = "supervised_contrastive",
        module: Any = "tdnn",
        module_params: Any = None,
        embedding_size: int = 128,
        unit_norm: bool = True,
        speeds: Any = "auto",
        temperature: float = 0.1,
        n_per_class: int = 4,
        hinge: str = "squared",
        margin: float | None = None,
        distance: str = "euclidean",
        n_pairs: int | None = None,
        max_epochs: int = 8,
        batch_size: int = 64,
        lr: float = 3e-3,
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
        self.loss = loss
        self.module = module
        self.module_params = module_params
        self.embedding_size = embedding_size
        self.unit_norm = unit_norm
        self.speeds = speeds
        self.temperature = temperature
        self.n_per_class = n_per_class
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
        return build_net(self, n_features)

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on recordings and their classes.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels: at least two classes, one of them with two recordings or more.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        fit_classes(self, X, y, groups)
        return self

    def fit_pairs(self, left: Any, right: Any, same: Any, groups: Any = None) -> Self:
        """Train on the same pairs in each epoch, by the contrastive loss.

        No copies at other ``speeds`` are made.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
        same : array-like of bool, shape (n_pairs,)
            True where both recordings of a pair are of one class. Both kinds are needed.
        groups : array-like of shape (n_pairs,), optional
            Group of each pair: ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        fit_given_pairs(self, left, right, same, groups)
        return self

    def transform(self, X: Any) -> Any:
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
        return self._rows(X)

    def _rows(self, X: Any) -> np.ndarray:
        """Return embeddings as an array, whatever `set_output` asks for."""
        check_is_fitted(self)
        rows = predict_rows(self.net_.module_, prediction_frames(self, X))
        return scale_to_unit(rows, axis=1) if self.unit_norm else rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
