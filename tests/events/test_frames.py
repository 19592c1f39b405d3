"""Frames to events and back, against loops that do it frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudio.events import events_to_frames, frames_to_events
from skaudio.events._frame_events import find_runs, smooth

LEVELS = st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), min_size=1, max_size=40)


def runs_by_loop(values, high, low, min_frames, max_gap):
    runs, start = [], None
    for i, value in enumerate([*values, -1.0]):
        if value >= low and start is None:
            start = i
        if value < low and start is not None:
            if max(values[start:i]) >= high:
                runs.append([start, i])
            start = None
    joined = []
    for run in runs:
        if joined and run[0] - joined[-1][1] <= max_gap:
            joined[-1][1] = run[1]
        else:
            joined.append(run)
    return [run for run in joined if run[1] - run[0] >= min_frames]


@settings(max_examples=300, deadline=None)
@given(
    LEVELS,
    st.sampled_from([0.4, 0.6, 1.0]),
    st.sampled_from([0.2, 0.4]),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_runs_equal_a_loop(values, high, low, min_frames, max_gap):
    starts, stops = find_runs(np.array(values), high, low, min_frames=min_frames, max_gap=max_gap)
    runs = [list(run) for run in zip(starts.tolist(), stops.tolist(), strict=True)]
    assert runs == runs_by_loop(values, high, low, min_frames, max_gap)


@settings(max_examples=100, deadline=None)
@given(LEVELS, st.integers(0, 4))
def test_median_equals_a_loop(values, half):
    size = 2 * half + 1
    padded = [values[0]] * half + values + [values[-1]] * half
    expected = [np.median(padded[i : i + size]) for i in range(len(values))]
    assert smooth(np.array(values), size).tolist() == expected


@pytest.mark.parametrize(("seconds", "size"), [(0.12, 1), (0.14, 1), (0.25, 3), (0.3, 3), (0.5, 5)])
def test_median_length_is_odd(seconds, size):
    spike = np.zeros(31)
    spike[10 : 10 + size // 2 + 1] = 1.0  # the longest that a median one longer would miss
    survives = smooth(spike, seconds / 0.1).any()
    assert survives
    assert not smooth(spike, seconds / 0.1 + 2).any()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=50))
def test_there_and_back(active):
    times = 0.0125 + 0.04 * np.arange(len(active))
    events = frames_to_events([np.array(active, float)], times, ["dog"])
    assert events_to_frames(events, times, ["dog"])[0].tolist() == active


def test_columns_and_labels_by_themselves():
    times = np.arange(5) * 0.5
    probabilities = np.array([[0.9, 0.9, 0.0, 0.0, 0.0], [0.0, 0.3, 0.3, 0.3, 0.0]])
    events = frames_to_events(
        probabilities, times, ["cat", "dog"], threshold={"dog": 0.3, "cat": 0.95}, file="a.wav"
    )
    assert events.to_numpy().tolist() == [["a.wav", 0.25, 1.75, "dog", pytest.approx(0.3)]]
    assert frames_to_events(probabilities, times, ["cat", "dog"], threshold=1.0).dtypes.map(
        lambda t: t.kind
    ).tolist()[1:3] == ["f", "f"]
    # Half a frame before the beginning is still the beginning.
    first = frames_to_events(probabilities, times, ["cat", "dog"], threshold=0.5)
    assert first["onset"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 1.5}, r"threshold=1\.5: expected probabilities between 0 and 1"),
        ({"threshold": [-0.1, 0.5]}, "expected probabilities between 0 and 1"),
        ({"threshold": [0.5]}, r"threshold has shape \(1,\), expected one number or one per label"),
        ({"threshold": {"cat": 0.5, "cow": 0.5}}, r"threshold is given for \['cat', 'cow'\]"),
        ({"threshold": {"cat": 0.5}}, r"expected the labels \['cat', 'dog'\]"),
        ({"hysteresis": 0}, "hysteresis=0: expected a share of the threshold"),
        ({"median_filter": -1}, "median_filter=-1: expected seconds"),
        ({"min_duration": np.inf}, "min_duration=inf: expected seconds"),
        ({"max_gap": -0.1}, r"max_gap=-0\.1: expected seconds"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        frames_to_events(np.zeros((2, 3)), [0, 1, 2], ["cat", "dog"], **params)


def test_bad_shapes():
    with pytest.raises(ValueError, match=r"shape \(3, 2\), expected \(n_labels, n_frames\)"):
        frames_to_events(np.zeros((3, 2)), [0, 1, 2], ["cat", "dog"])
    with pytest.raises(ValueError, match="Pass frame_duration="):
        frames_to_events(np.zeros((1, 1)), [0], ["cat"])
    two = frames_to_events(np.ones((1, 2)), [0, 1], ["cat"])
    two = [{**row, "file": i} for i in range(2) for row in two.to_dict("records")]
    with pytest.raises(ValueError, match="events is of 2 files, expected one"):
        events_to_frames(two, [0, 1], ["cat"])
