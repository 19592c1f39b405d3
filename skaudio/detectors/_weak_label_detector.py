"""Base class of detectors: training on weak and strong labels, probabilities over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skaudio import nets
from skaudio._neural import (
    LabelsMixin,
    LoadsAnywhere,
    check_class_weights,
    encode_labels,
    fit_net,
    fitting,
    is_warm,
    label_weights,
    make_source,
)
from skaudio._validation import check_target
from skaudio.detectors._event_stream import EventStreamMixin
from skaudio.detectors._events import EventsMixin
from skaudio.detectors._frame_scores import frame_scores
from skaudio.detectors._strong_labels import (
    FrameTargets,
    frame_targets,
    of_recordings,
    refuse_moved_events,
    separate,
)
from skaudio.detectors._thresholds import check_onsets
from skaudio.events import check_thresholds


class WeakLabelDetector(EventStreamMixin, EventsMixin, LabelsMixin, ClassifierMixin, LoadsAnywhere):
    """Base class of detectors; a subclass stores the parameters and builds the network."""

    __metadata_request__fit = {"groups": True}

    net_: Any
    encoder: Any
    class_weight: Any
    random_state: Any

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on weak labels, strong labels, or both.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like
            Labels. With one label per recording: shape (n_recordings,). With any number of labels
            per recording: an indicator matrix (n_recordings, n_labels), a DataFrame of indicators
            whose columns are the labels, or a list of lists of strings. With strong labels: one
            DataFrame of all events in X (``file``, ``onset``, ``offset``, ``event_label``), or a
            list in which a recording with strong labels has a DataFrame of its events instead of a
            list of strings. `skaudio.events.events_to_target` combines a table of events of a part
            of X with weak labels of the other recordings.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        y, strong = separate(X, y)
        check_target(self, y, groups)
        with fitting(self) as seed:
            labels = encode_labels(self, y)
            check_thresholds(self.threshold, labels.names.tolist())
            if strong:
                refuse_moved_events(self.encoder)
            source = make_source(self, X, y, seed, groups=groups)
            self._set_labels(labels)
            weights = label_weights(labels, self.class_weight)
            check_class_weights(self, weights.numpy())
            loss: nn.Module = nets.WeakLabelLoss(weights, by_class=not labels.is_multilabel)
            targets: Any = labels.targets
            if strong:
                loss = nets.MixedLabelLoss(weights)
                targets = FrameTargets(targets, self._activity(source, strong))
            with self._returning_frames(bool(strong)) as build:
                fit_net(
                    self,
                    source,
                    targets,
                    build=build,
                    criterion=loss,
                    score=of_recordings(labels.accuracy) if strong else labels.accuracy,
                    seed=seed,
                    classes=labels.classes(),
                    groups=groups,
                    loudness_weight=0.0,  # equal weights of all frames: events may be loud
                )
        return self

    def _activity(self, source: Any, strong: dict[int, pd.DataFrame]) -> dict[int, np.ndarray]:
        """Return the activity of the labels in the detector's frames, by recording."""
        active = {}
        for i, events in strong.items():
            index = np.array([i])
            n_frames = source.clean_frames(index)[0].shape[1]
            name = source.names(index)[0]
            end = self._input_times(n_frames)[-1]
            check_onsets(events.assign(file=name), {name: end}, tolerance=self._input_step())
            times = self.frame_times(-(-n_frames // self.frame_stride))
            active[i] = frame_targets(events, self.labels_.tolist(), times, self._step())
        return active

    @contextmanager
    def _returning_frames(self, value: bool) -> Iterator[Callable[[int], nn.Module]]:
        """Let the network return frames in training if ``value``; yield its build function."""

        def build(n_features: int) -> nn.Module:
            net = self._build(n_features)
            net.returns_frames = value  # type: ignore[assignment]
            return net

        before = self.net_.module_.net if is_warm(self) else None
        try:
            if before is not None:  # the network that is trained is a copy of this one
                before.returns_frames = value
            yield build
        finally:
            if before is not None:
                before.returns_frames = False
        self.net_.module_.net.returns_frames = False

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: with several labels, the share of recordings with all of them right.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like
            As for `fit`; the columns of a DataFrame may be in another order.
        sample_weight : array-like of shape (n_recordings,), default=None

        Returns
        -------
        score : float
        """
        return super().score(X, separate(X, y)[0], sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels of recordings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        labels : ndarray of shape (n_recordings,) or (n_recordings, n_labels)
            The most probable label. With several labels per recording, indicators in the order of
            ``labels_``: 1 if the probability is above 0.5.
        """
        probabilities = self.predict_proba(X)
        if self._is_multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return np.asarray(self.labels_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label in each recording.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        probabilities : ndarray of shape (n_recordings, n_labels)
            With one label per recording, the rows sum to 1.
        """
        check_is_fitted(self)
        pooling = self.net_.module_.net.pooling
        pooled = np.stack([_pool(pooling, scores) for scores in frame_scores(self, X)[0]])
        if not self._is_multilabel:
            pooled /= pooled.sum(axis=1, keepdims=True)
        return pooled

    def predict_frames(self, X: Any) -> list[np.ndarray]:
        """Return the probability of each label over time.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        probabilities : list of ndarray of shape (n_labels, n_frames)
            One float32 array per recording; `frame_times` returns the times of its frames. The
            probabilities of a frame do not sum to 1: all are low in silence, and two are high where
            two events overlap.
        """
        return self._frames(X)[0]

    def _frames(self, X: Any) -> tuple[list[np.ndarray], list[int]]:
        check_is_fitted(self)
        pooling = self.net_.module_.net.pooling
        scores, counts = frame_scores(self, X)
        tensors = (torch.from_numpy(s)[None] for s in scores)
        return [pooling.frame_probabilities(t)[0].numpy() for t in tensors], counts

    def _build(self, n_features: int) -> nn.Module:
        raise TypeError(f"{type(self).__name__} does not define its network.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        # With an encoder, the "waveforms" of scikit-learn's checks have two samples, which an
        # encoder cannot distinguish.
        tags.classifier_tags.poor_score = self.encoder is not None
        return tags


def _pool(pooling: nn.Module, scores: np.ndarray) -> np.ndarray:
    """Return the probabilities (n_labels,) of a recording from its scores (n_scores, n_frames)."""
    lengths = torch.tensor([scores.shape[1]])
    pooled: torch.Tensor = pooling(torch.from_numpy(scores)[None], lengths)
    return pooled[0].numpy()
