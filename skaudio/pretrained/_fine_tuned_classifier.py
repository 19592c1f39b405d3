"""FineTunedClassifier: a pretrained network that is trained further, with a new head."""

from __future__ import annotations

from typing import Any, ClassVar

from skaudio._validation import (
    CLASS_WEIGHTS,
    Checked,
    choice,
    count,
    flag,
    sequence,
    transformer,
)
from skaudio.pretrained._fine_tuned import FineTuned
from skaudio.pretrained._lr_factors import check_multipliers
from skaudio.pretrained._pretrained_transformer import WEIGHTS
from skaudio.pretrained._registry import find_model


class FineTunedClassifier(FineTuned):
    """Train a pretrained network further, with a new head for the classes of y.

    The head is one linear layer on the standardised embedding of a recording. Layers of the network
    are trained with it or stay frozen, each at its own share of the learning rate.

    Parameters
    ----------
    model : str, default="mn04_as"
        Name of the network, as for :class:`PretrainedEmbedder`.
    weights : path, sequence of paths or "random", default=None
        What training starts from, as for :class:`PretrainedEmbedder`.
    unfreeze : int, "head", "all" or "staged", default="staged"
        What is trained: "head": the head alone; "all": everything at once; "staged": the head
        alone for ``head_epochs``, then everything; an integer: the head, and so many of the
        network's last layers.
    lr_multipliers : dict of str to float, default=None
        Factors of ``lr`` for parts of the network. Keys are names of parameters or modules, as in
        ``PretrainedEmbedder().net_.named_modules()``, or "head"; ``*`` stands for any characters.
        If several keys match, the last one counts. 0 freezes a part. Parts that no key matches have
        the factor 1. None: ``{"*": 0.1, "head": 1}``.
    freeze_batch_norm : bool, default=True
        Whether the batch normalisations keep their means and variances. False: those of layers
        that are trained are updated.
    head_epochs : int, default=30
        Epochs of the head alone with ``unfreeze="staged"``. Its inputs are embeddings without
        augmentation, which are computed once.
    augmentation : transformer or Pipeline, default=None
        Augmentations. They are applied in training only, with new draws in each epoch: those of
        waveforms before the front end of the network, those of frames (`TimeMask`...) after it.
    pooling : {"mean", "max"}, default="mean"
        How to pool the embeddings of a recording's chunks.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is the length with which the network was trained. None:
        the whole recording is one chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is the default of the
        network or, if ``chunk_duration`` is a number, that number (no overlap).
    dropout : float, default=0.2
        Share of the values of the embedding that are dropped before the head.
    max_epochs : int, default=15
        Passes over the training recordings, after those of ``head_epochs``.
    batch_size : int, default=32
        Number of recordings per training step. A batch holds recordings of similar length.
    lr : float, default=3e-3
        Highest learning rate of the one-cycle schedule.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in the loss, as in scikit-learn. With several labels per recording, a
        dict contains the weight of each label where it is present; a list contains, for each label,
        a dict of the weights of 0 (absent) and 1 (present).
    label_smoothing : float, default=0.1
        Fraction of the probability that the loss distributes over all classes.
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
        Seed of the head's weights, batches, dropout and augmentations. With the same int and
        number of torch threads, results are bit-equal.
    warm_start : bool, default=False
        Whether to start from the weights of the previous `fit`. The number of features, the labels
        and the parameters of the network must be the same.
    model_params : dict, default=None
        Parameters of the class of the network, such as ``{"n_classes": 10}`` for fine-tuned
        weights.
    data_home : path, default=None
        Folder of downloaded files. None: the folder that :func:`skaudio.datasets.get_data_home`
        returns.
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
        Names of the classes, or of the labels: the columns of `predict_proba`.
    classes_ : ndarray of shape (n_labels,) or (n_labels, 2)
        ``labels_`` if each recording has one label, otherwise a row [0, 1] for each label.
    net_ : skorch.NeuralNet
        ``net_.module_.trunk`` is the network, ``net_.module_.head`` the linear layer. Optimizer,
        criterion and callbacks are not kept.
    history_ : skorch.history.History
        Loss and time of each epoch. With ``early_stopping`` also ``valid_score``, the result of
        `score` for the part that was held out.
    n_iter_ : int
        Epochs trained, those of ``head_epochs`` included.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    PretrainedEmbedder : Features of a network without training.

    Notes
    -----
    The output of the layers before the first one that is trained is computed once, unless there
    are augmentations. Frozen weights do not change.

    AdamW with a weight decay of 0.01, a one-cycle schedule, and gradients clipped to norm 1.
    Multipliers for each layer ("discriminative fine-tuning"): Howard & Ruder 2018, "Universal
    language model fine-tuning for text classification". A head that is trained first: Kumar et al.
    2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution".

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import FineTunedClassifier
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> X, y = X[y < 2][::4], y[y < 2][::4]
    >>> classifier = FineTunedClassifier(
    ...     "mn01_as",
    ...     weights="random",  # without: downloads them
    ...     lr_multipliers={"*": 0.1, "features.0": 0, "head": 1},
    ...     max_epochs=1,
    ...     random_state=0,
    ... )
    >>> classifier.fit(X, y).predict_proba(X[:3]).shape
    (3, 2)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "model": Checked("str", lambda name, value: find_model(value)),
        "weights": WEIGHTS,
        "unfreeze": choice("head", "all", "staged") | count(),
        "lr_multipliers": Checked("dict of str to float", check_multipliers),
        "freeze_batch_norm": flag(),
        "head_epochs": count(),
        "augmentation": transformer() | choice(None),
        "pooling": choice("mean", "max"),
        "class_weight": CLASS_WEIGHTS
        | sequence("list of dict", "a list of such dicts", CLASS_WEIGHTS, 1)
        | choice("balanced", None),
    }

    def __init__(
        self,
        model: str = "mn04_as",
        *,
        weights: Any = None,
        unfreeze: Any = "staged",
        lr_multipliers: Any = None,
        freeze_batch_norm: bool = True,
        head_epochs: int = 30,
        augmentation: Any = None,
        pooling: str = "mean",
        chunk_duration: Any = "auto",
        chunk_hop: Any = "auto",
        dropout: float = 0.2,
        max_epochs: int = 15,
        batch_size: int = 32,
        lr: float = 3e-3,
        class_weight: Any = None,
        label_smoothing: float = 0.1,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        precision: str = "auto",
        device: str = "cpu",
        random_state: Any = None,
        warm_start: bool = False,
        model_params: dict[str, Any] | None = None,
        data_home: Any = None,
        verbose: int = 0,
        callbacks: Any = None,
        net_params: Any = None,
    ) -> None:
        self.model = model
        self.weights = weights
        self.unfreeze = unfreeze
        self.lr_multipliers = lr_multipliers
        self.freeze_batch_norm = freeze_batch_norm
        self.head_epochs = head_epochs
        self.augmentation = augmentation
        self.pooling = pooling
        self.chunk_duration = chunk_duration
        self.chunk_hop = chunk_hop
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.model_params = model_params
        self.data_home = data_home
        self.verbose = verbose
        self.callbacks = callbacks
        self.net_params = net_params
