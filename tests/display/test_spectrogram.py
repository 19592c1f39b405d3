"""SpectrogramDisplay: what is drawn where, with which units, for every encoder."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio.audio import AudioBatch
from skaudio.display import SpectrogramDisplay
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def clip(make_clip):
    return make_clip(0.4)


def tone(hz, seconds=0.5, rate=16000):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def loudest(display):
    """Return the time and the height, on the axes, at the middle of the brightest cell."""
    values = np.asarray(display.im_.get_array())
    row, column = np.unravel_index(values.argmax(), values.shape)
    corners = display.im_.get_coordinates()
    x, y = corners[row, column] + corners[row + 1, column + 1]
    return x / 2, y / 2


UNION = FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())], deltas=1)
LOOKS = [
    (STFT(), "Frequency (Hz)", "Magnitude (dB)"),
    (Spectrogram(), "Frequency (Hz)", "Power"),
    (Spectrogram(power=1.0), "Frequency (Hz)", "Magnitude"),
    (Spectrogram(scale="db"), "Frequency (Hz)", "Power (dB)"),
    (Spectrogram(scale="log", power=1.0), "Frequency (Hz)", "Magnitude (ln)"),
    (MelSpectrogram(), "Frequency (Hz)", "Power (ln)"),
    (MelSpectrogram(scale="db", htk=True, fmin=50), "Frequency (Hz)", "Power (dB)"),
    (MelSpectrogram(scale="linear", power=1.5), "Frequency (Hz)", "Magnitude^1.5"),
    (MFCC(), "Coefficient", "Cepstral coefficient (dB)"),
    (MFCC(scale="log"), "Coefficient", "Cepstral coefficient (ln)"),
    (make_pipeline(Waveform(), MFCC()), "Coefficient", "Cepstral coefficient (dB)"),
    (UNION, "", "Standard deviations from the mean"),
]


@pytest.mark.parametrize(("estimator", "y_label", "value_label"), LOOKS)
def test_labels(clip, estimator, y_label, value_label):
    display = SpectrogramDisplay.from_estimator(estimator, clip)
    assert display.ax_.get_xlabel() == "Time (s)"
    assert display.ax_.get_ylabel() == y_label
    assert display.colorbar_.ax.get_ylabel() == value_label
    assert display.figure_ is display.ax_.figure
    assert display.line_ is None
    display.figure_.canvas.draw()  # warnings are errors


@pytest.mark.parametrize("estimator", [look[0] for look in LOOKS])
def test_frames_are_where_their_times_are(clip, estimator):
    display = SpectrogramDisplay.from_estimator(estimator, clip)
    corners = display.im_.get_coordinates()[0, :, 0]
    np.testing.assert_allclose((corners[1:] + corners[:-1]) / 2, np.arange(41) * 0.01)
    assert len(display.times) == display.frames.shape[1] == 41


@pytest.mark.parametrize("hz", [500, 2000, 5000])
@pytest.mark.parametrize(
    "encoder",
    [
        STFT(n_fft=2048),
        Spectrogram(n_fft=2048),
        MelSpectrogram(n_fft=2048, n_mels=128),
        MelSpectrogram(n_fft=2048, n_mels=80, htk=True, fmin=100, fmax=7000),
    ],
)
def test_a_tone_is_at_its_frequency(hz, encoder):
    display = SpectrogramDisplay.from_estimator(encoder, tone(hz))
    _, height = loudest(display)
    assert height == pytest.approx(hz, rel=0.05)


def test_a_click_is_at_its_time():
    click = np.zeros(16000)
    click[12000] = 1
    display = SpectrogramDisplay.from_estimator(MelSpectrogram(offset=0.25, n_mels=20), click)
    assert loudest(display)[0] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("htk", [False, True])
def test_mel_axis(clip, htk):
    encoder = MelSpectrogram(fmin=100, htk=htk, n_mels=40)
    ax = SpectrogramDisplay.from_estimator(encoder, clip).ax_
    np.testing.assert_allclose(ax.get_ylim(), (100, 8000), rtol=1e-9)
    ticks = [tick.get_text() for tick in ax.get_yticklabels()]
    assert ticks[1:6] == ["250", "500", "1000", "2000", "4000"]
    heights = ax.transData.transform([(0, hz) for hz in (2000, 4000, 8000)])[:, 1]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], rel=0.1)


def test_linear_axis(clip):
    ax = SpectrogramDisplay.from_estimator(Spectrogram(sample_rate=8000), clip).ax_
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim() == pytest.approx((0, 4000), abs=20)


def test_waveform(clip):
    display = SpectrogramDisplay.from_estimator(Waveform(offset=0.1), clip)
    assert display.im_ is display.colorbar_ is None
    np.testing.assert_allclose(display.line_.get_ydata(), clip[1600:])
    assert display.ax_.get_xlim() == pytest.approx((0.1, 0.4), abs=1e-3)
    assert display.ax_.get_ylabel() == "Amplitude"


def test_decibels_span_80(clip):
    quiet = np.concatenate([clip, np.zeros(8000)])
    image = SpectrogramDisplay.from_estimator(STFT(), quiet).im_
    assert np.ptp(image.get_array()) == pytest.approx(80, abs=1e-3)


def test_level_does_not_drown_the_cepstrum(clip):
    display = SpectrogramDisplay.from_estimator(MFCC(), clip)
    limit = np.abs(display.frames[1:]).max()
    assert display.im_.get_clim() == pytest.approx((-limit, limit))
    assert display.colorbar_.extend == "min"


@pytest.mark.parametrize("estimator", [look[0] for look in LOOKS] + [Waveform()])
@pytest.mark.parametrize("samples", [np.zeros(8000), np.full(1, 0.5)], ids=["silence", "one"])
def test_silence_and_a_single_frame(estimator, samples):
    display = SpectrogramDisplay.from_estimator(estimator, samples)
    display.figure_.canvas.draw()
    low, high = display.ax_.get_xlim()
    assert low < high


def test_blocks_of_a_union(clip):
    display = SpectrogramDisplay.from_estimator(UNION, clip)
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert labels == ["mel", "mfcc", "mel delta", "mfcc delta"]
    np.testing.assert_allclose(display.ax_.get_yticks(), [31.5, 73.5, 115.5, 157.5])


class TestWhichRecording:
    @pytest.fixture
    def expected(self, wav):
        return MelSpectrogram().transform([wav])[0]

    def test_single_ones(self, wav, make_clip, expected):
        one_mapping = {"path": wav}
        with open(wav, "rb") as file:
            as_bytes = {"bytes": file.read()}
        for recording in (wav, one_mapping, as_bytes):
            display = SpectrogramDisplay.from_estimator(MelSpectrogram(), recording)
            np.testing.assert_array_equal(display.frames, expected)

    def test_one_of_many(self, wav, make_clip, expected):
        other = make_clip(0.2)
        for X in (
            [other, wav],
            (other, wav),
            pd.Series([other, wav], index=[7, 1]),
            pd.DataFrame({"clip": [other, wav]}, index=[1, 0]),
        ):
            display = SpectrogramDisplay.from_estimator(MelSpectrogram(), X, index=1)
            np.testing.assert_array_equal(display.frames, expected)

    def test_arrays_and_batches(self, rng):
        clips = rng.normal(size=(3, 4000)).astype(np.float32)
        expected = MelSpectrogram().transform(clips)[2]
        for X in (clips, AudioBatch(clips, 16000)):
            display = SpectrogramDisplay.from_estimator(MelSpectrogram(), X, index=2)
            np.testing.assert_array_equal(display.frames, expected)

    @pytest.mark.parametrize("as_array", [True, False])
    @pytest.mark.parametrize("encoder", [Waveform, MFCC])
    def test_pandas_output(self, clip, encoder, as_array):
        X = np.stack([clip, clip]) if as_array else [clip, clip]
        expected = SpectrogramDisplay.from_estimator(encoder(), X).frames
        wrapped = encoder().set_output(transform="pandas").fit(X)
        display = SpectrogramDisplay.from_estimator(wrapped, X)
        np.testing.assert_array_equal(display.frames, expected)


class TestConvention:
    def test_given_axes(self, clip):
        figure, axes = plt.subplots(1, 2)
        display = SpectrogramDisplay.from_estimator(MFCC(), clip, ax=axes[1], colorbar=False)
        assert display.ax_ is axes[1]
        assert display.figure_ is figure
        assert display.colorbar_ is None
        assert len(figure.axes) == 2

    def test_colours(self, clip):
        display = SpectrogramDisplay.from_estimator(
            MelSpectrogram(), clip, cmap="viridis", im_kw={"vmin": -5, "vmax": 0}
        )
        assert display.im_.get_cmap().name == "viridis"
        assert display.im_.get_clim() == (-5, 0)
        assert display.colorbar_.extend == "both"

    def test_line_style(self, clip):
        display = SpectrogramDisplay.from_estimator(Waveform(), clip, im_kw={"color": "red"})
        assert display.line_.get_color() == "red"

    def test_plot_again(self, clip):
        display = SpectrogramDisplay.from_estimator(MelSpectrogram(), clip)
        first = display.ax_
        assert display.plot(cmap="gray") is display
        assert display.ax_ is not first

    def test_frames_of_ones_own(self, rng):
        frames = rng.normal(size=(5, 9))
        display = SpectrogramDisplay(frames, times=np.arange(9) / 10, value_label="Novelty").plot()
        assert display.ax_.get_ylabel() == "Feature"
        assert display.colorbar_.ax.get_ylabel() == "Novelty"
        np.testing.assert_array_equal(display.im_.get_array(), frames)

    def test_steps_after_the_encoder(self, clip):
        halved = make_pipeline(MelSpectrogram(), FunctionTransformer(lambda X: X / 2))
        display = SpectrogramDisplay.from_estimator(halved, clip)
        expected = MelSpectrogram().transform([clip])[0] / 2
        np.testing.assert_array_equal(display.frames, expected)
        assert display.ax_.get_ylabel() == "Frequency (Hz)"


class TestRefuses:
    def test_rows(self, clip):
        model = make_pipeline(MFCC(), FramePooling()).fit([clip])
        with pytest.raises(ValueError, match=r"returns a row of 40 numbers.*model\[:1\]"):
            SpectrogramDisplay.from_estimator(model, clip)

    def test_other_estimators(self, clip):
        with pytest.raises(TypeError, match=r"FramePooling\(\) returns no frames, expected an enc"):
            SpectrogramDisplay.from_estimator(FramePooling(), clip)

    def test_a_missing_file(self):
        with pytest.raises(ValueError, match=r"'no\.wav'"):
            SpectrogramDisplay.from_estimator(MFCC(), "no.wav")


def test_without_matplotlib(monkeypatch):
    """tests/test_architecture.py sees that skaudio.display is imported without it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skaudio\[plot\]"'):
        SpectrogramDisplay.from_estimator(MFCC(), "unread.wav")
