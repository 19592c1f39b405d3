"""The base class of the neural classifiers: labels, training, prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight, gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted
from torch import nn

from skaudio._neural import (
    Classes,
    ClassLoss,
    LoadsAnywhere,
    NeuralStream,
    as_frames,
    check_class_weights,
    check_streaming,
    decode_all,
    encoder_rate,
    fit_net,
    fitting,
    is_warm,
    make_source,
    neural_obstacles,
    pools_along,
    predict_rows,
    prediction_frames,
    reads_audio,
    row_stream,
)
from skaudio._steps import is_augmentation, steps_of
from skaudio._validation import Obstacle, check_target
from skaudio.audio import READING_ERRORS, check_recordings, raise_all, read_through
from skaudio.augmentation import TrainingPath, epoch_seeds

# Number of recordings of which augmented versions are in memory at a time.
BLOCK = 256


class NeuralClassifier(ClassifierMixin, LoadsAnywhere):
    """Base class of the neural classifiers; a subclass defines its module and its parameters."""

    __metadata_request__fit = {"groups": True}

    _module: ClassVar[Callable[..., nn.Module]]
    _module_parameters: ClassVar[tuple[str, ...]]

    encoder: Any
    encoder_: Any
    class_weight: Any
    label_smoothing: float
    n_draws: int
    device: Any
    random_state: Any

    classes_: np.ndarray
    net_: Any
    n_iter_: int

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train the network, after fitting the encoder.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        check_target(self, y, groups)
        with fitting(self) as seed:
            _check_draws(self)
            codes = self._encode_labels(y, is_warm(self))
            source = make_source(self, X, y, seed, groups=groups)
            fit_net(
                self,
                source,
                codes,
                build=self._build,
                criterion=self._criterion(codes),
                score=_accuracy,
                seed=seed,
                classes=Classes.of_codes(self.classes_.tolist(), codes),
                groups=groups,
            )
        return self

    def _encode_labels(self, y: Any, again: bool) -> np.ndarray:
        y = _check_y(y, multi_output=False, estimator=self)
        check_classification_targets(y)
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

    def _criterion(self, codes: np.ndarray) -> nn.Module:
        weight = None
        if self.class_weight is not None:
            y = self.classes_[codes]
            balanced = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            check_class_weights(self, balanced)
            weight = torch.as_tensor(balanced, dtype=torch.float32)
        return ClassLoss(weight=weight, label_smoothing=self.label_smoothing)

    def _build(self, n_features: int) -> nn.Module:
        """Return a new module for frames of ``n_features`` features and for ``classes_``."""
        return self._module(n_features, len(self.classes_), **self._module_values())

    def _module_values(self) -> dict[str, Any]:
        """Return the arguments of the module besides the numbers of features and classes."""
        return {name: getattr(self, name) for name in self._module_parameters}

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits of the classes, or for two classes the log-odds of the second.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        scores : ndarray of shape (n_recordings, n_classes), or (n_recordings,) for two classes
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        probabilities : ndarray of shape (n_recordings, n_classes)
        """
        return torch.from_numpy(self._logits(X)).softmax(dim=1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        labels : ndarray of shape (n_recordings,)
        """
        best = self._logits(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def stream(self, sample_rate: float | None = None) -> NeuralStream:
        """Classify a signal that is still arriving, from its start to the current frame.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the encoder.
            None: the signal has the rate of the encoder.

        Returns
        -------
        stream : NeuralStream
            ``push(samples)`` takes any number of samples (or frames ``(n_features, k)`` with
            ``encoder=None``), and returns probabilities ``(n_classes, k)``. There is a column for
            each frame that is complete: the probabilities of the recording up to this frame.
            ``finish()`` returns the remaining columns. The very last column is `predict_proba` of
            the whole recording, up to 1e-5.

        Raises
        ------
        ValueError
            If the probabilities up to a frame depend on later frames, because of ``bidirectional``,
            ``standardize`` or parameters of the encoder. The error names all parameters to change.

        Notes
        -----
        Columns are delayed by the number of later frames on which convolutions depend (16 frames
        for a `LeNetClassifier` with three blocks). Memory use does not grow with time. The
        estimator is not changed, and several streams can run at the same time.
        """
        check_streaming(self)
        n_classes = len(self.classes_)
        return row_stream(self, sample_rate, n_classes, "classify", lambda x: x.softmax(dim=1))

    def _stream_obstacles(self) -> list[Obstacle]:
        found = neural_obstacles(self, runs_along=pools_along)
        if self.n_draws:
            found.append(Obstacle("n_draws", self.n_draws, "augmented versions of it", 0))
        return found

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        if self.n_draws:
            return _mean_of_draws(self, X)
        return predict_rows(self.net_.module_, prediction_frames(self, X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # With an encoder, the "waveforms" of scikit-learn's checks have two samples, which an
        # encoder cannot distinguish.
        tags.classifier_tags.poor_score = self.encoder is not None
        return tags


def _check_draws(estimator: Any) -> None:
    """Raise an error if draws are to be averaged, and nothing is drawn."""
    if estimator.n_draws and not (
        reads_audio(estimator) and any(map(is_augmentation, steps_of(estimator.encoder)))
    ):
        raise ValueError(
            f"n_draws={estimator.n_draws!r}: the encoder has no augmentation, so there are no "
            "draws to average. Expected n_draws=0, or augmentations in encoder=."
        )


def _mean_of_draws(estimator: Any, X: Any) -> np.ndarray:
    """Return the mean logits over augmented versions of each recording.

    The draws are the same in each call and for each recording, so that the result for a recording
    does not depend on the others.
    """
    recordings = check_recordings(estimator, X, reset=False)
    path = TrainingPath(estimator.encoder_)
    parts = []
    for block in gen_batches(len(recordings), BLOCK):
        some = recordings[block]
        source: Any = some
        total: Any = 0.0
        for draw in range(estimator.n_draws):
            seeds = np.repeat(epoch_seeds(0, draw, [0]), len(some))
            try:
                # Decoded once, as for training. An encoder in first place may read a part of each.
                if draw == 0 and is_augmentation(path.steps[0]):
                    source = decode_all(some, encoder_rate(estimator.encoder_))
                frames = as_frames(path(source, seeds), some)
            except READING_ERRORS as error:
                raise_all(recordings, error, read_through)
            total = total + predict_rows(estimator.net_.module_, frames).astype(np.float64)
        parts.append((total / estimator.n_draws).astype(np.float32))
    return np.concatenate(parts)


def _accuracy(outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
    return float(np.mean(np.concatenate(outputs).argmax(axis=1) == np.concatenate(targets)))
