"""NetEmbedder: the output of a layer of a neural estimator."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skaudio._neural import all_or_nothing, predict_frames, predict_rows, prediction_frames
from skaudio._steps import last_step, pin_output, steps_of, transform_plainly
from skaudio._validation import TEXT, Checked, check_parameters, flag
from skaudio.embedders._embedding_stream import LayerStreamMixin
from skaudio.embedders._layers import LayerReader
from skaudio.frames import FrameOutputMixin, pack, scale_to_unit

EXPECTED = (
    "expected a neural estimator of skaudio (LeNetClassifier, SiameseEmbedder...), a Pipeline that "
    "ends in one, or FrozenEstimator(...) of either."
)


class NetEmbedder(
    LayerStreamMixin,
    FrameOutputMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Use the output of a layer of a neural estimator as an embedding of recordings.

    The output has one row per recording. Recordings that are similar for the estimator have similar
    rows.

    Parameters
    ----------
    estimator : neural estimator, Pipeline that ends in one, or FrozenEstimator
        The neural estimator. `fit` trains a clone of it. An estimator that is already fitted is
        passed as ``FrozenEstimator(fitted)``; then neither `fit` nor labels are needed.
    layer : str, default="embedding"
        Layer whose output is returned. "embedding" is the input of the head (the output layer). Any
        other value is the name of a layer in ``net_.module_.net.named_modules()``, such as
        "convolutions.1" or "head.1".
    frames : bool, default=False
        Whether to return frames instead of a row for each recording. The layer must be before the
        pooling over time; it can have fewer frames than its input. If False, the row is the mean of
        the frames.
    unit_norm : bool, default=False
        Whether to scale each row (or frame) to length 1. Neighbours by euclidean distance are then
        the same as neighbours by cosine similarity.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator whose layer is used.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    SiameseEmbedder : An embedding trained on pairs.

    Notes
    -----
    In a Pipeline, the next steps are fitted to the rows of the recordings on which the network was
    trained. In these rows, the classes are better separated than in rows of new recordings.

    Examples
    --------
    >>> from skaudio.classifiers import LeNetClassifier
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.embedders import NetEmbedder
    >>> from skaudio.encoders import MelSpectrogram
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> lenet = LeNetClassifier(MelSpectrogram(), channels=(8, 16), max_epochs=2, random_state=0)
    >>> embedder = NetEmbedder(lenet, unit_norm=True)
    >>> embedder.fit(X[y < 2], y[y < 2]).transform(X).shape
    (300, 128)

    With a fitted estimator:

    >>> from sklearn.frozen import FrozenEstimator
    >>> blocks = NetEmbedder(FrozenEstimator(embedder.estimator_), layer="convolutions.0")
    >>> blocks.transform(X[:2]).shape
    (2, 512)
    """

    __metadata_request__fit = {"groups": True}

    estimator_: Any

    _constraints: ClassVar[dict[str, Any]] = {
        "estimator": Checked(
            "neural estimator, Pipeline that ends in one, or FrozenEstimator",
            lambda name, value: _last(value),
        ),
        "layer": TEXT,
        "frames": flag(),
    }

    def __init__(
        self,
        estimator: Any,
        *,
        layer: str = "embedding",
        frames: bool = False,
        unit_norm: bool = False,
    ) -> None:
        self.estimator = estimator
        self.layer = layer
        self.frames = frames
        self.unit_norm = unit_norm

    def fit(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Train a clone of the estimator; a frozen estimator is only checked.

        Parameters
        ----------
        X : sequence of recordings, or of frames where the estimator takes frames
        y : array-like of shape (n_recordings,)
            The target of the estimator. It is not needed with a frozen estimator.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        with all_or_nothing(self):
            check_parameters(self)
            if self._is_frozen():
                self.estimator_ = self.estimator.estimator
            else:
                prefix, inner = "", self.estimator
                while isinstance(inner, Pipeline) and not get_config()["enable_metadata_routing"]:
                    name, inner = inner.steps[-1]
                    prefix += f"{name}__"
                params = {} if groups is None else {f"{prefix}groups": groups}
                self.estimator_ = pin_output(clone(self.estimator)).fit(X, y, **params)
            for learned in ("n_features_in_", "feature_names_in_"):
                if hasattr(self.estimator_, learned):
                    setattr(self, learned, getattr(self.estimator_, learned))
                elif hasattr(self, learned):
                    delattr(self, learned)
            self._reader()
        return self

    def transform(self, X: Any) -> Any:
        """Return the output of the layer for each recording.

        Parameters
        ----------
        X : sequence of recordings, or of frames where the estimator takes frames

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_columns), float32
            C-contiguous. With ``frames=True``: of shape (n_recordings, n_features, n_frames), or a
            1-D object array of ``(n_features, n_frames)`` arrays if lengths differ.
        """
        check_is_fitted(self)
        *before, net = steps_of(self._fitted())
        reader, inputs = self._reader(), X
        for step in before:
            inputs = transform_plainly(step, inputs)
        parts, module = prediction_frames(net, inputs), net.net_.module_
        if self.frames:
            sequences = predict_frames(module, parts, reader.frames, long_call=reader.long_frames)
            if self.unit_norm:
                sequences = [scale_to_unit(sequence, axis=0) for sequence in sequences]
            out = pack(sequences, len(sequences))
        else:
            out = predict_rows(module, parts, reader)
            if self.unit_norm:
                out = scale_to_unit(out, axis=1)
        index = X.index if hasattr(X, "iloc") else getattr(X, "labels", None)
        return self._wrap(out, index, self.get_feature_names_out, table=not self.frames)

    @property
    def _n_features_out(self) -> int:
        return self._reader().n_features(frames=self.frames)

    def _returns_rows(self) -> bool:
        return not self.frames

    def _is_frozen(self) -> bool:
        return isinstance(self.estimator, FrozenEstimator)

    def _fitted(self) -> Any:
        return self.estimator.estimator if self._is_frozen() else self.estimator_

    def _reader(self) -> LayerReader:
        net = _last(self._fitted())
        check_is_fitted(net)
        reader = LayerReader(net.net_.module_, self.layer)
        if self.frames and not reader.has_frames:
            raise ValueError(
                f"layer={self.layer!r} has no frames: expected a layer before the pooling over "
                "time, or frames=False."
            )
        return reader

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_frozen() or hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = not self._is_frozen()
        tags.target_tags.required = (
            not self._is_frozen() and get_tags(self.estimator).target_tags.required
        )
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _last(estimator: Any) -> Any:
    """Return the neural estimator in a Pipeline or FrozenEstimator."""
    inner = last_step(estimator)
    if not (hasattr(inner, "net_") or hasattr(inner, "net_params")) or isinstance(inner, type):
        raise TypeError(f"estimator={estimator!r:.100}: {EXPECTED}")
    return inner
