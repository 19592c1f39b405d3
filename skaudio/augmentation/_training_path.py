"""The training path: the way recordings take through an encoder while a net is being trained."""

from __future__ import annotations

from typing import Any

from skaudio._steps import is_augmentation, parts_of, steps_of
from skaudio.augmentation._random import check_seeds, split


class TrainingPath:
    """A fitted encoder as it acts in training: ``augment`` where a step has it, else ``transform``.

    Nothing is fitted or refitted. A Pipeline's ``transform`` is the other path, the clean one of
    `predict`.

    Parameters
    ----------
    encoder : transformer, or Pipeline of augmentations and transformers
        Pipelines may be nested.

    Attributes
    ----------
    is_random : bool
        Whether there is an augmentation on the way. If not, ``encoder.transform`` gives the same.

    Raises
    ------
    ValueError
        If an augmentation sits where the path does not lead, such as inside a ColumnTransformer.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.augmentation import TrainingPath, Volume, epoch_seeds
    >>> from skaudio.encoders import MelSpectrogram
    >>> clips = np.random.default_rng(0).normal(size=(2, 8000))
    >>> encoder = make_pipeline(Volume(), MelSpectrogram()).fit(clips)
    >>> path = TrainingPath(encoder)
    >>> path.is_random
    True
    >>> for epoch in range(2):
    ...     frames = path(clips, epoch_seeds(0, epoch, [0, 1]))
    >>> frames.shape == encoder.transform(clips).shape
    True
    """

    def __init__(self, encoder: Any):
        self.steps = tuple(steps_of(encoder))
        self.is_random = any(is_augmentation(step) for step in self.steps)
        reached = {id(step) for step in self.steps}
        for where, value in parts_of(encoder):
            if is_augmentation(value) and id(value) not in reached:
                raise ValueError(
                    f"{type(value).__name__} at {where} of {type(encoder).__name__} would be "
                    "skipped in training: augmentations act as steps of a Pipeline (Pipelines may "
                    "be nested), not inside other estimators or functions. Move it into a "
                    "Pipeline, before the estimator that holds it."
                )

    def __call__(self, X: Any, seeds: Any) -> Any:
        """Send recordings along the training path.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            One per recording, as `epoch_seeds` makes them. Every step gets others.

        Returns
        -------
        frames : array, or whatever the last step returns
        """
        seeds = check_seeds(seeds, len(X))
        for i, step in enumerate(self.steps):
            X = step.augment(X, split(seeds, i)) if is_augmentation(step) else step.transform(X)
        return X
