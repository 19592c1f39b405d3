"""What may be cached: nothing that learns, nothing that draws, wherever it is."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import RBFSampler
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from skaudio.augmentation import Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC, STFT, MelSpectrogram
from skaudio.pooling import FramePooling, FrameUnion


class Draws(TransformerMixin, BaseEstimator):
    def transform(self, X):
        return np.random.default_rng().normal(size=(len(X), 2))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.non_deterministic = True
        return tags


pooled = make_pipeline(MFCC(), FramePooling())


@pytest.mark.parametrize(
    "transformer",
    [
        MFCC(),
        STFT(),
        pooled,
        make_pipeline("passthrough", pooled, Normalizer()),
        FeatureUnion([("a", pooled), ("b", pooled), ("c", "drop")]),
        FrameUnion([("mel", MelSpectrogram()), ("both", make_pipeline(MFCC()))]),
        FunctionTransformer(len),
    ],
)
def test_accepted(transformer, tmp_path):
    CachedTransformer(transformer, tmp_path).fit([np.zeros(800)])


@pytest.mark.parametrize(
    "transformer, message",
    [
        (
            StandardScaler(),
            r"^transformer: StandardScaler learns from what it is fitted on.*to fold\. Cache the ",
        ),
        (make_pipeline(pooled, PCA()), r"PCA \(pca\) depends on chance"),
        (
            make_pipeline(make_pipeline(pooled, StandardScaler()), Normalizer()),
            r"StandardScaler \(pipeline__standardscaler\) learns",
        ),
        (FeatureUnion([("a", make_pipeline(pooled, StandardScaler()))]), "StandardScaler.*learns"),
        (FrameUnion([("a", make_pipeline(Noise(), MFCC()))]), r"Noise \(.*\) draws at random"),
        (
            make_pipeline(Noise(), MFCC()),
            r"Noise \(noise\) draws at random in .* Put augmentations into the encoder",
        ),
        (FunctionTransformer(Noise().fit_transform), r"Noise \(func__method\) draws at random"),
        (RBFSampler(random_state=0), r"RBFSampler depends on chance \(random_state\)"),
        (Draws(), "Draws depends on chance"),
        (ColumnTransformer([("a", MFCC(), ["path"])]), "ColumnTransformer learns"),
        (FrozenEstimator(GRUClassifier()), "transformer=.*: expected a transformer"),
        (FrozenEstimator(StandardScaler().fit(np.eye(2))), "learns from what it is fitted on"),
    ],
)
def test_refused(transformer, message, tmp_path):
    cached = CachedTransformer(transformer, tmp_path)
    for act in (cached.fit, cached.transform, cached.fit_transform):
        with pytest.raises((TypeError, ValueError), match=message):
            act([np.zeros(800)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("transformer", [None, "MFCC", GRUClassifier(), len])
def test_no_transformer(transformer, tmp_path):
    with pytest.raises(TypeError, match="expected a transformer of recordings"):
        CachedTransformer(transformer, tmp_path).fit([np.zeros(800)])


def test_class_in_place_of_an_instance(tmp_path):
    with pytest.raises(TypeError, match=r"MFCC is a class, expected an instance: MFCC\(\)"):
        CachedTransformer(MFCC, tmp_path).fit([np.zeros(800)])
