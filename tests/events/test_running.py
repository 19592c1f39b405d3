"""Events in probabilities that arrive in pieces: those of `frames_to_events` for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudio.events import RunningEvents, frames_to_events

LEVELS = st.sampled_from([0.05, 0.1, 0.3, 0.45, 0.5, 0.6, 0.9])
FILTERS = st.fixed_dictionaries(
    {
        "median_filter": st.sampled_from([0.0, 1.0, 3.0, 4.0, 5.0, 9.0]),
        "min_duration": st.sampled_from([0.0, 1.0, 2.0, 3.5, 8.0]),
        "max_gap": st.sampled_from([0.0, 1.0, 2.0, 2.5, 6.0]),
    }
)


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(LEVELS, min_size=1, max_size=60),
    filters=FILTERS,
    hysteresis=st.sampled_from([1.0, 0.8, 0.5, 0.1]),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_any_split_gives_the_events_of_the_whole(values, filters, hysteresis, cuts):
    values = np.array(values, np.float32)
    table = frames_to_events(
        [values],
        np.arange(len(values)) + 0.5,  # frame t lasts from t to t + 1
        ["dog"],
        threshold=0.5,
        hysteresis=hysteresis,
        frame_duration=1.0,
        **filters,
    )
    running = RunningEvents(0.5, 0.5 * hysteresis, **filters)
    found = []
    for piece in np.split(values, sorted(min(cut, len(values)) for cut in cuts)):
        found += running.push(piece)
    found += running.push(values[:0], final=True)
    expected = table[["onset", "offset", "score"]].to_numpy()
    np.testing.assert_allclose(np.array(found).reshape(-1, 3), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("filters", "frames_after"),
    [({}, 1), ({"max_gap": 3.0}, 4), ({"median_filter": 5.0}, 3), ({"min_duration": 9.0}, None)],
)
def test_events_come_as_soon_as_they_are_certain(filters, frames_after):
    """One frame of silence ends an event, unless what follows may still change it."""
    settings = {"median_filter": 0.0, "min_duration": 0.0, "max_gap": 0.0} | filters
    running = RunningEvents(0.5, 0.5, **settings)
    assert running.push(np.full(8, 0.9, np.float32)) == []
    silence = np.zeros(1, np.float32)
    came = [after for after in range(1, 9) if running.push(silence)]
    assert came == ([] if frames_after is None else [frames_after])


def test_memory_does_not_grow_with_an_event_that_lasts():
    running = RunningEvents(0.5, 0.5, median_filter=5.0, min_duration=0.0, max_gap=2.0)
    for _ in range(50):
        running.push(np.full(1000, 0.75, np.float32))
        assert len(running._window) == 4
    assert running.push(np.zeros(0, np.float32), final=True) == [(0, 50_000, 0.75)]
