"""AugmentationDisplay: pictures of every augmentation, on any recording, and players."""

from __future__ import annotations

import base64
import io
import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
import soundfile as sf
from sklearn.pipeline import make_pipeline

from skaudio import augmentation as augmentations
from skaudio.audio import AudioBatch
from skaudio.augmentation import (
    VTLP,
    DynamicRange,
    Noise,
    Speed,
    TimeMask,
    TimeShift,
    TrainingPath,
    Volume,
    epoch_seeds,
)
from skaudio.display import AugmentationDisplay
from skaudio.encoders import MFCC, MelSpectrogram, Waveform

from ..cases import OF_FRAMES

ALL = [name for name in augmentations.__all__ if name not in ("TrainingPath", "epoch_seeds")]


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def sounds(display):
    """Decode the players of a notebook."""
    urls = re.findall(r"src='data:audio/wav;base64,([^']+)'", display._repr_html_())
    return [sf.read(io.BytesIO(base64.b64decode(url))) for url in urls]


@pytest.mark.parametrize("name", ALL)
def test_any_augmentation(name, make_clip):
    augmentation = getattr(augmentations, name)()
    display = AugmentationDisplay.from_estimator(augmentation, make_clip(), n_draws=2)
    titles = [ax.get_title().partition("\n")[0] for ax in display.axes_]
    assert titles == ["recording", "draw 1", "draw 2"]
    display.figure_.canvas.draw()
    images = [ax.collections[0] for ax in display.axes_]
    assert len({image.get_clim() for image in images}) == 1
    assert len(sounds(display)) == (0 if name in OF_FRAMES else 3)


def test_shows_and_plays_what_the_seeds_draw(make_clip):
    clip = make_clip()
    noise = Noise(snr_db=5)
    display = AugmentationDisplay.from_estimator(noise, clip, n_draws=2, random_state=4)
    seed = np.random.RandomState(4).randint(2**31 - 1)
    seeds = [epoch_seeds(seed, epoch, [0])[0] for epoch in range(2)]
    assert display.draws["seed"].tolist() == seeds
    expected = TrainingPath(noise)([clip, clip], seeds)
    encoder = MelSpectrogram(scale="db")
    frames = [encoder.transform([clip])[0], *encoder.transform(expected)]
    for shown, frame in zip(display.frames, frames, strict=True):
        np.testing.assert_array_equal(shown, frame)
    for (played, rate), waveform in zip(sounds(display), [clip, *expected], strict=True):
        assert rate == 16000
        scale = max(1, np.abs(waveform).max())
        np.testing.assert_allclose(played, waveform / scale, atol=1e-4)
    drawn = display.axes_[1].collections[0].get_array()
    np.testing.assert_allclose(np.asarray(drawn).reshape(frames[1].shape), frames[1], rtol=1e-6)


def test_any_recording(wav, make_clip):
    batch = AudioBatch([make_clip(), make_clip(0.3)], 8000)
    for X, index, rate, n in (
        (wav, 0, 16000, 8000),
        ({"array": make_clip(), "sampling_rate": 22050}, 0, 22050, 8000),
        (batch, 1, 8000, 4800),
    ):
        display = AugmentationDisplay.from_estimator(Volume(), X, index=index)
        assert display.waveforms.sample_rates == (rate,) * 4
        assert len(display.waveforms[0]) == n
        assert display.encoder.sample_rate == rate
    bare = AugmentationDisplay.from_estimator(Volume(), make_clip(), sample_rate=8000)
    assert bare.waveforms.sample_rate == 8000


def test_pipelines(make_clip):
    chain = make_pipeline(TimeShift(), VTLP(), Speed())
    display = AugmentationDisplay.from_estimator(chain, make_clip())
    lines = r"draw \d\ntimeshift: shift [-.\d]+\nvtlp: warp [01][.\d]*\nspeed: rate [01][.\d]*"
    assert all(re.fullmatch(lines, title) for title in display._titles()[1:])
    with_encoder = make_pipeline(TimeShift(), MFCC(n_mfcc=13), TimeMask(fill=0))
    display = AugmentationDisplay.from_estimator(with_encoder, make_clip(), n_draws=1)
    assert [f.shape[0] for f in display.frames] == [13, 13]
    assert display.waveforms is None
    assert display._repr_html_() == ""
    on_frames = AugmentationDisplay.from_estimator(DynamicRange((5, 9)), make_clip(), n_draws=2)
    assert [5 <= np.ptp(f) <= 9 for f in on_frames.frames] == [False, True, True]
    assert on_frames.axes_[1].get_title().startswith("draw 1\ndynamicrange: top_db ")
    resampled = make_pipeline(Volume(), Waveform(sample_rate=8000))
    display = AugmentationDisplay.from_estimator(resampled, make_clip(), n_draws=1)
    assert display.waveforms.sample_rates == (16000, 8000)


def test_own_encoder_and_figure(make_clip):
    import matplotlib.pyplot as plt

    figure = plt.figure()
    display = AugmentationDisplay.from_estimator(
        Volume(), make_clip(), encoder=MFCC(), n_draws=1, figure=figure
    )
    assert display.figure_ is figure
    assert display.frames[0].shape[0] == 20


def test_no_augmentation_is_an_error(make_clip):
    with pytest.raises(TypeError, match="is not an augmentation or a Pipeline with one"):
        AugmentationDisplay.from_estimator(MelSpectrogram(), make_clip())


def test_says_what_to_install(monkeypatch, make_clip):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skaudio\[plot\]"'):
        AugmentationDisplay.from_estimator(Volume(), make_clip())
