"""Whether a transformer gives a recording the same result whatever it was fitted on."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skaudio._steps import is_augmentation, parts_of
from skaudio.caching._cache_keys import IGNORED
from skaudio.pooling import FrameUnion

# Their own tags do not tell; their parts do.
COMPOSITES = (Pipeline, FeatureUnion, FrameUnion)


def check_stateless(transformer: Any) -> None:
    """Refuse a transformer that learns or draws, or that has such a part, naming the part.

    Raises
    ------
    TypeError
        If it is no transformer.
    ValueError
        If results depend on what was fitted, or on chance.
    """
    if not hasattr(transformer, "transform") or not hasattr(transformer, "get_params"):
        raise TypeError(
            f"transformer={transformer!r:.100}: expected a transformer of recordings, such as an "
            "encoder, a pretrained embedder, or a Pipeline of such steps."
        )
    if isinstance(transformer, type):
        raise TypeError(
            f"transformer={transformer.__name__} is a class, expected an instance: "
            f"{transformer.__name__}()."
        )
    parts = [("", transformer), *parts_of(transformer, ignored=IGNORED)]
    for place, part in parts:
        if not isinstance(part, BaseEstimator):
            continue
        called = f"transformer: {type(part).__name__}{f' ({place})' if place else ''}"
        if is_augmentation(part):
            raise ValueError(
                f"{called} draws at random in every fit, and a cache would freeze the draw. Put "
                "augmentations into the encoder of a neural estimator."
            )
        if isinstance(part, COMPOSITES):
            continue
        tags = get_tags(part)
        if tags.non_deterministic or "random_state" in part.get_params(deep=False):
            raise ValueError(
                f"{called} depends on chance (random_state), and a cache would freeze it. "
                "Cache the steps before it."
            )
        if tags.requires_fit:
            raise ValueError(
                f"{called} learns from what it is fitted on, so its results differ from fold to "
                "fold. Cache the steps before it: "
                f"make_pipeline(CachedTransformer(...), {type(part).__name__}(...))."
            )
