"""Draws: what an augmentation lists is what it does, and the same seed does it again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skaudio._neural import make_source
from skaudio.augmentation import (
    VTLP,
    Convolution,
    DynamicRange,
    Noise,
    RandomSegment,
    Speed,
    TimeMask,
    TimeShift,
    TrainingPath,
    Volume,
    epoch_seeds,
)
from skaudio.augmentation._augmentation import Augmentation
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC, MelSpectrogram

from ..cases import OF_FRAMES, clips
from ..walk import ESTIMATORS, build

AUGMENTATIONS = [name for name, kind in ESTIMATORS.items() if issubclass(kind, Augmentation)]
SEEDS = epoch_seeds(0, 0, np.arange(12))


def inputs(name):
    X, _ = clips()
    return list(MFCC(n_mfcc=8).transform(X)) if name in OF_FRAMES else X


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_one_row_per_recording_and_nothing_where_it_does_not_act(name):
    X = inputs(name)
    draws = build(name).set_params(p=0.5).draws(X, SEEDS)
    assert draws["seed"].tolist() == SEEDS.tolist()
    augmented = build(name).set_params(p=0.5).augment(X, SEEDS)
    if name == "FunctionAugmentation":  # the function draws for itself
        assert draws.columns.tolist() == ["seed"]
        return
    acted = ~draws.drop(columns="seed").isna().all(axis=1)
    assert 0 < acted.sum() < len(X)
    factors = getattr(augmented, "warp_factors", [None] * len(X))
    changed = [
        factor is not None or not np.array_equal(a, b)
        for a, b, factor in zip(augmented, X, factors, strict=True)
    ]
    if "masks" in draws:  # of no frame, some of them
        masks = draws["masks"].where(acted, None)
        acted = masks.map(lambda drawn: bool(drawn) and any(width for _, width in drawn))
    assert changed == acted.tolist()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_recording_is_replayed_by_its_seed(name):
    X = inputs(name)
    everything = build(name).augment(X, SEEDS)
    draws = build(name).draws(X, SEEDS)
    again = build(name).augment(X[7:8], draws["seed"].to_numpy()[7:8])
    np.testing.assert_array_equal(again[0], everything[7])
    pd.testing.assert_frame_equal(
        build(name).draws(X[7:8], SEEDS[7:8]), draws[7:8].reset_index(drop=True), check_dtype=False
    )


def test_what_is_listed_is_what_is_done():
    X, _ = clips()
    wave, seed = [X[3]], SEEDS[3:4]

    def one(augmentation):
        return augmentation.draws(wave, seed).iloc[0], augmentation.augment(wave, seed)[0]

    drawn, out = one(Volume())
    np.testing.assert_allclose(out, X[3] * 10 ** (drawn["gain_db"] / 20), rtol=1e-5)
    drawn, out = one(Volume(factor=(0.5, 2)))
    np.testing.assert_allclose(out, X[3] * drawn["factor"], rtol=1e-5)
    drawn, out = one(Noise())
    snr = 10 * np.log10(np.mean(X[3] ** 2) / np.mean((out - X[3]) ** 2))
    assert drawn["snr_db"] == pytest.approx(snr, abs=1e-3)
    drawn, out = one(RandomSegment(duration=(0.2, 0.8)))
    start = int(drawn["start"])
    np.testing.assert_array_equal(out, X[3][start : start + len(out)])
    assert len(out) == round(drawn["duration"] * len(X[3]))
    drawn, out = one(TimeShift(mode="roll"))
    np.testing.assert_array_equal(out, np.roll(X[3], round(drawn["shift"] * len(X[3]))))
    drawn, out = one(Speed())
    assert len(out) == pytest.approx(len(X[3]) / drawn["rate"], abs=1)
    assert VTLP().draws(wave, seed)["warp"][0] == VTLP().augment(wave, seed).warp_factors[0]
    assert 0.1 <= one(Convolution())[0]["reverberation_time"] <= 0.5
    noises = [np.ones(100, np.float32), np.arange(5000, dtype=np.float32)]
    named = Noise(noise=noises).draws(X, SEEDS)["noise"]
    assert set(named) == {"noise[0]", "noise[1]"}
    frames = MelSpectrogram(scale="db", top_db=None).transform(wave)
    drawn, out = DynamicRange().draws(frames, seed).iloc[0], DynamicRange().augment(frames, seed)
    assert np.ptp(out) == pytest.approx(drawn["top_db"], abs=1e-4)
    frames = MFCC().transform(wave)
    masks = TimeMask(n_masks=2, fill=0.0)
    hidden = np.flatnonzero((masks.augment(frames, seed)[0] == 0).all(axis=0))
    listed = masks.draws(frames, seed)["masks"][0]
    assert set(hidden) == {t for first, width in listed for t in range(first, first + width)}


def test_draws_of_a_path_and_of_a_training():
    """What a net hears of a recording in an epoch can be listed, shown and heard again."""
    plt = pytest.importorskip("matplotlib.pyplot")
    from skaudio.display import AugmentationDisplay

    X, y = clips()
    encoder = make_pipeline(
        Noise(), Volume(p=0.5), Noise(noise="pink"), MelSpectrogram(sample_rate=8000, n_mels=8)
    )
    path = TrainingPath(encoder)
    draws = path.draws(X, SEEDS)
    assert draws.columns.tolist() == [
        *("seed", "noise-1__snr_db", "volume__gain_db", "noise-2__snr_db"),
    ]
    assert 0 < draws["volume__gain_db"].isna().sum() < 12
    np.testing.assert_array_equal(path(X[5:6], draws["seed"].to_numpy()[5:6])[0], path(X, SEEDS)[5])
    gru = GRUClassifier(encoder, random_state=3)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    source = make_source(gru, X, y, seed)
    display = AugmentationDisplay.from_estimator(encoder, X, index=5, random_state=3)
    for epoch in range(3):
        heard = source.frames(np.array([5]), epoch)[0]
        np.testing.assert_array_equal(display.frames[1 + epoch], heard)
    title = display.axes_[1].get_title().splitlines()
    snr = display.draws["noise-1__snr_db"][0]
    assert title[:2] == ["draw 1", f"noise-1: snr_db {snr:.3g}"]
    assert "<br>noise: snr_db" in AugmentationDisplay.from_estimator(Noise(), X)._repr_html_()
    plt.close("all")
