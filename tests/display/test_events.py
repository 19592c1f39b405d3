"""EventsDisplay: what is drawn where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudio.detectors import EventDetector
from skaudio.display import EventsDisplay, SpectrogramDisplay
from skaudio.encoders import MelSpectrogram

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def table(*rows):
    return pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])


def spans(collection):
    """Return (left, right, top, bottom) of bars, in data coordinates."""
    boxes = [path.vertices for path in collection.get_paths()]
    return [(*b[:, 0][[0, 2]].round(6), b[:, 1].min(), b[:, 1].max()) for b in boxes]


def test_bars_are_where_the_events_are():
    found = table((0, 0.5, 2.0, "dog"), (0, 3.0, 4.0, "dog"), (0, 1.0, 1.5, "cat"))
    display = EventsDisplay(found, labels=["cat", "dog", "owl"]).plot()
    assert [bar[:2] for bar in spans(display.bars_["dog"])] == [(0.5, 2.0), (3.0, 4.0)]
    assert [bar[:2] for bar in spans(display.bars_["cat"])] == [(1.0, 1.5)]
    assert set(display.bars_) == {"cat", "dog"}
    assert display.bars_true_ == {}
    (ax,) = display.axes_
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog", "owl"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first label is at the top


def test_truth_stands_beside_what_was_found():
    both = table((0, 0.5, 2.0, "dog"))
    display = EventsDisplay(both, labels=["cat", "dog"], events_true=both).plot()
    (found,), (true,) = spans(display.bars_["dog"]), spans(display.bars_true_["dog"])
    assert found[:2] == true[:2] == (0.5, 2.0)
    assert true[3] <= found[2]  # without overlap
    assert {text.get_text() for text in display.axes_[-1].get_legend().get_texts()} == {
        "true",
        "found",
    }


@pytest.fixture(scope="module")
def detector(make_clip):
    clips = [make_clip(0.5, seed=i) for i in range(6)]
    y = pd.DataFrame({"cat": [1, 0] * 3, "dog": [0, 1] * 3})
    encoder = MelSpectrogram(n_mels=16)
    params = {"channels": (4,), "frame_stride": 2, "n_layers": 0, "threshold": 0.01}
    return EventDetector(encoder, max_epochs=1, random_state=0, **params).fit(clips, y), clips


def test_from_a_detector(detector):
    detector, clips = detector
    events = detector.predict_events(clips)
    true = table((1, 0.1, 0.2, "cat"), (2, 0.3, 0.4, "dog"))
    display = EventsDisplay.from_estimator(detector, clips, index=2, events_true=true)
    assert len(display.axes_) == 3
    assert isinstance(display.spectrogram, SpectrogramDisplay)
    assert display.axes_[0].get_ylabel() == "Frequency (Hz)"
    assert len(display.lines_) == 2
    x, y = display.lines_[1].get_data()
    np.testing.assert_array_equal(y, detector.predict_frames(clips)[2][1])
    np.testing.assert_array_equal(x, detector.frame_times(len(x)))
    own = events[events["file"] == 2]
    assert sum(map(len, map(spans, display.bars_.values()))) == len(own) > 0
    assert set(display.bars_true_) == {"dog"}
    single = EventsDisplay.from_estimator(detector, clips[2])
    assert {k: spans(v) == spans(display.bars_[k]) for k, v in single.bars_.items()}
    tuned = detector.tune_thresholds(clips, table((0, 0.0, 0.2, "cat"), (0, 0.0, 0.2, "dog")))
    display = EventsDisplay.from_estimator(tuned, clips)
    dashed = [line for line in display.axes_[1].get_lines() if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == tuned.thresholds_.tolist()


def test_mistakes(detector):
    detector, clips = detector
    frames = list(MelSpectrogram(n_mels=16).transform(clips))
    bare = EventDetector(channels=(4,), frame_stride=2, n_layers=0, max_epochs=1)
    bare.fit(frames, ["cat", "dog"] * 3)
    with pytest.raises(TypeError, match=r"EventDetector\(encoder=None\) has no spectrogram"):
        EventsDisplay.from_estimator(bare, frames)
    with pytest.raises(ValueError, match="event_label='cow', expected one of 'cat', 'dog'"):
        EventsDisplay.from_estimator(detector, clips, events_true=table((0, 0, 1, "cow")))
    with pytest.raises(ValueError, match="frame_times is not: expected both"):
        EventsDisplay(table(), labels=["cat"], probabilities=np.zeros((1, 3))).plot()
    with pytest.raises(ValueError, match="2 axes given, expected 1, one for each part"):
        EventsDisplay(table(), labels=["cat"]).plot(plt.subplots(2)[1])


def test_zoom(detector):
    detector, clips = detector
    display = EventsDisplay.from_estimator(detector, clips, time_range=(0.1, 0.2))
    assert [ax.get_xlim() for ax in display.axes_] == [(0.1, 0.2)] * 3
    with pytest.raises(ValueError, match=r"time_range=\(2, 1\): low > high"):
        display.plot(time_range=(2, 1))
    with pytest.raises(ValueError, match=r"time_range=\(1, 1\): expected \(start, end\)"):
        display.plot(time_range=(1, 1))


def test_many_labels_have_colors_of_their_own():
    labels = [f"label {i}" for i in range(25)]
    found = table(*((0, i, i + 0.5, label) for i, label in enumerate(labels)))
    display = EventsDisplay(found, labels=labels).plot()
    assert len({tuple(bar.get_facecolor()[0]) for bar in display.bars_.values()}) == 25
