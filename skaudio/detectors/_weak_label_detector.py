"""The methods of a detector: training on weak labels, probabilities over time, events."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skaudio import nets
from skaudio._neural import LoadsAnywhere, check_class_weights, fit_net, fitting, make_source
from skaudio._steps import frame_maker
from skaudio._validation import check_length, check_parameters, check_target
from skaudio.detectors._frame_scores import frame_scores
from skaudio.detectors._thresholds import best_thresholds, check_onsets
from skaudio.detectors._weak_labels import WeakLabelMixin, encode_labels, label_weights
from skaudio.events import (
    check_events,
    check_thresholds,
    events_of_clips,
    file_spans,
    frames_to_events,
)


class WeakLabelDetector(WeakLabelMixin, ClassifierMixin, LoadsAnywhere):
    """Methods of a detector; a subclass stores the parameters and builds the network."""

    __metadata_request__fit = {"groups": True}

    net_: Any
    encoder: Any
    frame_stride: int
    frame_duration: float
    threshold: Any
    class_weight: Any
    random_state: Any

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on weak labels.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like
            One label per recording, (n_recordings,); or any number of them: an indicator matrix
            (n_recordings, n_labels), a DataFrame of one whose columns are the names, or a list of
            lists of strings.
        groups : array-like of shape (n_recordings,), optional
            Group of each recording (a speaker...): ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        check_target(self, y, groups)
        with fitting(self) as seed:
            labels = encode_labels(self, y)
            check_thresholds(self.threshold, labels.names.tolist())
            source = make_source(self, X, y, seed, groups=groups)
            self._set_labels(labels)
            weights = label_weights(labels, self.class_weight)
            check_class_weights(self, weights.numpy())
            fit_net(
                self,
                source,
                labels.targets,
                build=self._build,
                criterion=nets.WeakLabelLoss(weights, by_class=not labels.is_multilabel),
                score=labels.accuracy,
                seed=seed,
                classes=labels.classes(),
                groups=groups,
                loudness_weight=0.0,  # all frames count the same: loud ones may be the events
            )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels of recordings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        labels : ndarray of shape (n_recordings,) or (n_recordings, n_labels)
            The most probable label. With several labels per recording: 1 where the probability is
            above 0.5, in the order of ``labels_``.
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
            One per recording, float32, at the times of `frame_times`. The probabilities of a frame
            do not sum to 1: all are low in silence, and two are high where two events overlap.
        """
        return self._frames(X)[0]

    def frame_times(self, n_frames: Any) -> np.ndarray:
        """Return the time of the center of each of the detector's frames.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames)
            Number of frames, or frames to count.

        Returns
        -------
        times : ndarray of shape (n_frames,)
            In seconds from the recording's beginning.
        """
        n_frames = check_length("n_frames", n_frames)
        first, step = self._input_times(1)[0], self._input_step()
        centers = self.frame_stride * np.arange(n_frames) + (self.frame_stride - 1) / 2
        times: np.ndarray = first + step * centers
        return times

    def predict_events(self, X: Any) -> pd.DataFrame:
        """Return the events in recordings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        events : DataFrame
            ``file`` (the path, or the position in X, see `skaudio.events.file_names`), ``onset``
            and ``offset`` in seconds, ``event_label``, and ``score``, the mean probability. The
            times of a clip of a file are those of the file.
        """
        check_is_fitted(self)
        self._check_params(self.labels_)
        spans = file_spans(X)
        probabilities, counts = self._frames(X)
        thresholds = getattr(self, "thresholds_", self.threshold)
        tables = []
        for span, values, count in zip(spans, probabilities, counts, strict=True):
            table = frames_to_events(
                values,
                self.frame_times(values),
                self.labels_.tolist(),
                threshold=thresholds,
                frame_duration=self._step(),
                file=span.name,
                **self._filters(),
            )
            end = self._input_times(count)[-1] + self._input_step() / 2
            table["offset"] = table["offset"].clip(upper=end)
            table[["onset", "offset"]] += span.start
            tables.append(table)
        found = [table for table in tables if len(table)]
        return pd.concat(found, ignore_index=True) if found else tables[0]

    def tune_thresholds(self, X: Any, events: Any, *, metric: str = "segment") -> Self:
        """Choose the threshold of each label by strong labels; the network is not changed.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
            Preferably not those of `fit`.
        events : DataFrame
            All events in X, see `skaudio.events.check_events`; ``file`` holds the names that
            `predict_events` returns. Of clips of files, what lies within them is taken.
        metric : {"segment", "event"}, default="segment"
            F1 of segments of one second; or of events, whose onset may differ by 0.2 s and whose
            offset by 0.2 s or a fifth of the event's length, whichever is longer.

        Returns
        -------
        self : estimator
            With ``thresholds_``, which replace ``threshold`` until the next `fit`.
        """
        check_is_fitted(self)
        self._check_params(self.labels_)
        spans = file_spans(X)
        names: list[Any] = [span.name for span in spans]
        events = check_events(events, labels=self.labels_.tolist(), files=names)
        if any(span.is_clip for span in spans):
            events, names = events_of_clips(events, spans), list(range(len(spans)))
        probabilities, counts = self._frames(X)
        ends = {n: self._input_times(c)[-1] for n, c in zip(names, counts, strict=True)}
        check_onsets(events, ends, tolerance=self._input_step())
        self.thresholds_ = best_thresholds(
            probabilities,
            [self.frame_times(values) for values in probabilities],
            names,
            self.labels_.tolist(),
            events,
            metric=metric,
            step=self._step(),
            default=check_thresholds(self.threshold, self.labels_.tolist()),
            filters=self._filters(),
        )
        return self

    def _check_params(self, labels: Any) -> None:
        check_parameters(self)
        check_thresholds(self.threshold, labels)

    def _filters(self) -> dict[str, float]:
        names = ("hysteresis", "median_filter", "min_duration", "max_gap")
        return {name: getattr(self, name) for name in names}

    def _frames(self, X: Any) -> tuple[list[np.ndarray], list[int]]:
        check_is_fitted(self)
        pooling = self.net_.module_.net.pooling
        scores, counts = frame_scores(self, X)
        tensors = (torch.from_numpy(s)[None] for s in scores)
        return [pooling.frame_probabilities(t)[0].numpy() for t in tensors], counts

    def _input_times(self, n_frames: int) -> np.ndarray:
        maker = frame_maker(getattr(self, "encoder_", None))
        if maker is None:
            return np.multiply(self.frame_duration, np.arange(n_frames))
        times: np.ndarray = maker.frame_times(n_frames)
        return times

    def _input_step(self) -> float:
        first, second = self._input_times(2)
        return float(second - first)

    def _step(self) -> float:
        return float(self._input_step() * self.frame_stride)

    def _build(self, n_features: int) -> nn.Module:
        raise TypeError(f"{type(self).__name__} does not say what net it trains.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        # With an encoder, scikit-learn's two-sample "waveforms" cannot be told apart.
        tags.classifier_tags.poor_score = self.encoder is not None
        return tags


def _pool(pooling: nn.Module, scores: np.ndarray) -> np.ndarray:
    """Return the probabilities (n_labels,) of one recording's scores (n_scores, n_frames)."""
    lengths = torch.tensor([scores.shape[1]])
    pooled: torch.Tensor = pooling(torch.from_numpy(scores)[None], lengths)
    return pooled[0].numpy()
