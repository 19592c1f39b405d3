"""The methods of a classifier that trains a pretrained net further."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skaudio._neural import LabelsMixin, LoadsAnywhere, encode_labels, fitting
from skaudio._validation import check_same_lengths, check_target
from skaudio.audio import check_recordings
from skaudio.nets import Standardize
from skaudio.pretrained._chunk_source import split_augmentation
from skaudio.pretrained._fine_tuning import FineTuning, build, embed
from skaudio.pretrained._new_head import head_tensors
from skaudio.pretrained._registry import build_net, find_model


class FineTuned(LabelsMixin, ClassifierMixin, LoadsAnywhere):
    """Methods of `FineTunedClassifier`, which stores the parameters."""

    __metadata_request__fit = {"groups": True}

    _module_parameters = ("model", "model_params", "pooling", "chunk_duration", "chunk_hop")

    model: str
    model_params: dict[str, Any] | None
    augmentation: Any
    chunk_duration: Any
    chunk_hop: Any
    net_: Any

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the net: recordings are resampled to it, bare arrays are at it."""
        return find_model(self.model).net.front_end.sample_rate

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train.

        Parameters
        ----------
        X : sequence of recordings
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
            if self.augmentation is not None:
                split_augmentation(clone(self.augmentation))
            recordings = check_recordings(self, X, reset=True)
            check_same_lengths(X=recordings, y=y, groups=groups)
            self._set_labels(labels)
            FineTuning(self, recordings, labels, groups, seed).run()
            self.history_ = self.net_.history
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores: logits, or for two classes the log-odds of the second.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        scores : ndarray of shape (n_recordings, n_labels), or (n_recordings,) for two classes
        """
        logits = self._logits(X)
        if self._is_multilabel or len(self.labels_) != 2:
            return logits
        return np.asarray(logits[:, 1] - logits[:, 0])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        probabilities : ndarray of shape (n_recordings, n_labels)
            With one label per recording, the rows sum to 1.
        """
        logits = self._logits(X)
        return np.asarray(expit(logits) if self._is_multilabel else softmax(logits, axis=1))

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels of recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        labels : ndarray of shape (n_recordings,) or (n_recordings, n_labels)
            The most probable class. With several labels per recording: 1 where the probability is
            above 0.5, in the order of ``labels_``.
        """
        logits = self._logits(X)
        if self._is_multilabel:
            return (logits > 0).astype(np.int64)
        return np.asarray(self.labels_[logits.argmax(axis=1)])

    def save_weights(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights of network and head, for `PretrainedEmbedder` and `AudioTagger`.

        Parameters
        ----------
        path : path
            Of a file to write, such as "sounds.pt".

        Returns
        -------
        path : pathlib.Path
            What their parameter ``weights`` takes; ``model`` must be the same. The scores of an
            `AudioTagger` with ``labels=classifier.labels_`` are the probabilities of the classes in
            each chunk.
        """
        check_is_fitted(self)
        module = self.net_.module_
        tensors = {k: v for k, v in module.trunk.state_dict().items() if k.split(".")[0] != "head"}
        tensors |= head_tensors(module, exclusive=not self._is_multilabel)
        path = Path(path).expanduser()
        part = path.with_name(f".{path.name}.part")
        torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part)
        os.replace(part, path)
        return path

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        recordings = check_recordings(self, X, reset=False)
        module = self.net_.module_
        rows = embed(self, module.trunk, recordings)
        logits: np.ndarray = module.scores(rows)
        if not np.isfinite(logits).all():
            i = int(np.argmin(np.isfinite(logits).all(axis=1)))
            raise ValueError(
                f"{recordings[i].name}: the net returned NaN or infinity. Its weights are not "
                "finite, or the recording is very loud: fit again, or scale it as the others."
            )
        return logits

    def _build_around(self, standardize: Standardize) -> nn.Module:
        """Return a net of these parameters without trained weights."""
        return build(self, build_net(self.model, self.model_params), standardize)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        # scikit-learn's two-sample "waveforms" cannot be told apart.
        tags.classifier_tags.poor_score = True
        return tags
