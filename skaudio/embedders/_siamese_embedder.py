"""SiameseEmbedder: a network that distinguishes classes, also those not in the training data."""

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
    """Train a network so that recordings of one class have similar embeddings.

    The embeddings also apply to classes that are not in the training data. Distances measure what
    the training classes differ in (speakers, machines, species).

    Parameters
    ----------
    encoder : transformer or Pipeline, default=None
        Transformer from recordings to frames. Augmentations in it are applied in training only,
        with new draws in each epoch. None: X holds frames.
    loss : {"supervised_contrastive", "angular_margin", "all_pairs", "pairs"}, \
            default="supervised_contrastive"
        Loss that `fit` minimises. The first three compare all recordings of a batch: see
        `skaudio.nets.SupervisedContrastiveLoss`, `skaudio.nets.AngularMarginLoss` and
        `skaudio.nets.AllPairsLoss`. "pairs" draws pairs of recordings: see
        `skaudio.nets.ContrastiveLoss`. `fit_pairs` always uses "pairs".
    module : class, "tdnn", "lenet", "gru" or "statistics", default="tdnn"
        The network. "tdnn", convolutions over time and statistics of their output, is suited to
        voices and machines. "statistics", a linear map of the mean and standard deviation over
        time, has the fewest weights. "lenet" and "gru" also use the order in time. A class is
        called as ``module(n_features, embedding_size, **module_params)``; its ``forward(x,
        lengths)`` takes padded frames (n_recordings, n_features, n_frames) and their lengths, and
        returns (n_recordings, embedding_size).
    module_params : dict, default=None
        Further parameters of the module.
    embedding_size : int, default=128
        Number of columns of the network.
    statistics : bool or "auto", default="auto"
        Whether the rows have ``2 * n_features`` further columns: the mean and standard deviation of
        the frames, whitened within the training classes (see `WCCN`). Both parts have the same
        influence on distances. "auto": True with ``module="tdnn"``, its pooling "mean_std", and
        ``unit_norm``; other networks cannot have it.
    unit_norm : bool, default=True
        Whether to scale each row to length 1. Neighbours by euclidean distance are then those by
        cosine similarity.
    speeds : sequence of float, "auto" or None, default="auto"
        Speeds of copies of the recordings that `fit` adds to the training data. Speed also changes
        the pitch, so the copies of a class at one speed are a new class (another voice). Epochs get
        longer accordingly. None: no copies. "auto": (0.9, 1.1) with an encoder, else None.
    temperature : float, default=0.1
        Temperature of the loss "supervised_contrastive".
    n_per_class : int, default=4
        Number of recordings of each class in a batch, more if there are too few classes to fill it.
    hinge : {"squared", "linear"}, default="squared"
        Form of the losses of pairs; see `skaudio.nets.ContrastiveLoss`.
    margin : float, default=None
        For "pairs" and "all_pairs", the distance from which a pair of two classes has no loss; None
        is 1.0. For "angular_margin", an angle in radians; None is 0.2.
    distance : {"euclidean", "cosine"}, default="euclidean"
        Distance of `pair_distance`, of `score`, and of the losses "pairs" and "all_pairs".
    n_pairs : int, default=None
        Number of pairs per epoch with ``loss="pairs"``. None: one per recording, at least two per
        class.
    max_epochs : int, default=8
        Number of passes over the recordings or pairs.
    batch_size : int, default=64
        Number of recordings per training step, two for a pair.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    standardize : {"auto", "global", "recording", "both", None}, default="global"
        "global" learns the mean and standard deviation of each feature on the training data.
        "recording" subtracts each recording's mean over time, weighted by loudness. "both" does
        both. "auto" is "both" with an encoder, "global" without or if recordings have one frame.
    early_stopping : bool, default=False
        Whether to stop when the loss on held-out data no longer decreases, and restore the weights
        of the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the training data that is held out: whole groups, if `fit` is given any. It is
        less if a class would be missing from the training part.
    n_iter_no_change : int, default=10
        Number of epochs without improvement before training stops.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of training. "auto" uses bfloat16 where it is faster; prediction uses float32.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, pairs, dropout and augmentations. With the same int and number of
        torch threads, results are bit-equal.
    warm_start : bool, default=False
        Whether to start from the weights of the previous `fit`, with the same number of features,
        labels and parameters of the network.
    verbose : int, default=0
        Whether to show a progress bar.
    callbacks : list of skorch callbacks, default=None
        Callbacks besides the schedule, the gradient clipping and early stopping.
    net_params : dict, default=None
        Parameters of `skorch.NeuralNet` that replace those set here;
        ``{"callbacks__schedule": None}`` removes the schedule.

    Attributes
    ----------
    threshold_ : float
        Largest distance at which two recordings are predicted to be of one class; an arbitrary 0.5
        until `calibrate_threshold` is called.
    net_ : skorch.NeuralNet
        The trained network. ``net_.module_`` is the torch module, with the standardisation.
    encoder_ : estimator
        The fitted encoder, if any.
    history_ : skorch.history.History
        Loss and time of each epoch; with ``early_stopping`` also ``valid_score``, one minus the
        equal error rate of the pairs within the held-out batches.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of columns of X, if `fit` was given a 2-D array.

    See Also
    --------
    NetEmbedder : The embedding of a classifier.
    WCCN : Normalisation by the covariance within classes.
    skaudio.metrics.normalized_scores : Normalisation of the scores of pairs.

    Notes
    -----
    Classes, and the recordings of a class, are taken in turn for the batches. In training,
    recordings with more than 400 frames are cut to a random part of 400 frames.

    With ``loss="pairs"``, recordings are not cut. Half of the pairs are of one class, equally many
    of each class; the others are of two classes. A batch holds pairs of similar length.

    References
    ----------
    Bromley et al. 1993, "Signature verification using a siamese time delay neural network";
    Yamamoto et al. 2019, "Speaker augmentation and bandwidth extension for deep speaker embedding",
    for copies that are new classes. The networks and losses have their own.

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
    (210, 256)
    """

    __metadata_request__fit = {"groups": True}

    net_: Any
    encoder_: Any

    _module_parameters = ("module", "module_params", "embedding_size", "statistics", "unit_norm")
    _constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    def __init__(
        self,
        encoder: Any = None,
        *,
        loss: str = "supervised_contrastive",
        module: Any = "tdnn",
        module_params: Any = None,
        embedding_size: int = 128,
        statistics: Any = "auto",
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
        self.statistics = statistics
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
            Class labels: at least two classes, and a class with two recordings.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        fit_classes(self, X, y, groups)
        return self

    def fit_pairs(self, left: Any, right: Any, same: Any, groups: Any = None) -> Self:
        """Train on given pairs, which are the same in each epoch, with the contrastive loss.

        ``speeds`` is not used: no copies are added.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
        same : array-like of bool, shape (n_pairs,)
            True where both recordings of a pair are of one class. Both True and False must occur.
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
            Recordings of any classes.

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_columns), float32
            C-contiguous. ``n_columns`` is ``embedding_size``, or with `statistics`
            ``embedding_size + 2 * n_features``.
        """
        return self._rows(X)

    def _rows(self, X: Any) -> np.ndarray:
        """Return embeddings as an array, independent of `set_output`."""
        check_is_fitted(self)
        rows = predict_rows(self.net_.module_, prediction_frames(self, X))
        return scale_to_unit(rows, axis=1) if self.unit_norm else rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
