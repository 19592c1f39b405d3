"""Tables of events: what is taken, what is refused, what is joined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudio.audio import AudioBatch
from skaudio.events import check_events, file_names, merge_events

COLUMNS = ["file", "onset", "offset", "event_label"]


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def test_sorted_by_file_and_time_and_the_rest_is_kept():
    given = table(("b", 2, 3, "dog"), ("a", 1, 2, "dog"), ("b", 0, 1, "cat")).assign(who=[1, 2, 3])
    events = check_events(given, files=["a", "b"])
    assert events["who"].tolist() == [2, 3, 1]
    assert events["onset"].dtype == events["offset"].dtype == np.float64
    assert given["who"].tolist() == [1, 2, 3]
    assert check_events([]).columns.tolist() == COLUMNS


def test_dcase_tables_are_taken():
    """There, the file is a filename, and a row without times says that nothing is heard."""
    nothing = {"filename": "b", "onset": np.nan, "offset": np.nan, "event_label": np.nan}
    dog = {"filename": "a", "onset": 0, "offset": 1, "event_label": "dog"}
    assert check_events([nothing, dog])["file"].tolist() == ["a"]
    assert merge_events([nothing, dog])["file"].tolist() == ["a"]


def test_text_stands_for_the_names_and_labels_that_are_known():
    """Names in a file of events are text, those of arrays in X and of classes may be numbers."""
    events = check_events(table(("1", 0, 1, "7"), ("0", 0, 1, "7")), files=[0, 1], labels=[7])
    assert events[["file", "event_label"]].to_numpy().tolist() == [[0, 7], [1, 7]]
    both = check_events(table((0, 0, 1, "x"), ("0", 0, 1, "x")), files=["0", 0])
    assert both["file"].tolist() == ["0", 0]


def test_positions_beside_a_missing_one_stay_whole_numbers():
    rows = [dict(zip(COLUMNS, (name, 0, 1, "dog"), strict=True)) for name in (None, 3)]
    for given in (rows, pd.DataFrame(rows)):
        assert str(check_events(given)["file"].iloc[0]) == "3"
        assert str(check_events(pd.DataFrame(given, index=[0, 1]))["file"].iloc[0]) == "3"
    shifted = pd.DataFrame(rows)
    shifted.index = [5, 9]
    assert check_events(shifted)["file"].astype(object).tolist()[0] == 3


def test_touching_events_and_other_labels_and_files_do_not_overlap():
    rows = [("a", 0, 1, "dog"), ("a", 1, 2, "dog"), ("a", 0.5, 3, "cat"), ("b", 0, 9, "dog")]
    assert len(check_events(table(*rows))) == 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a", 2, 1, "dog")],
            r"row 0 \('dog' in 'a'\) has offset=1 before its onset=2.*exchanged",
        ),
        ([("a", 0, 1, "dog"), ("a", -1, 1, "cat")], r"row 1 \('cat' in 'a'\) has onset=-1"),
        ([("a", np.nan, 1, "dog")], r"has onset=nan, offset=1: expected seconds"),
        (
            [("a", 0, 1, "dog"), ("b", 0, 1, None)],
            r"^events: row 1 \((nan|None) in 'b'\) has no label\.",
        ),
        ([("a", "zero", 1, "dog")], "onset is not a number of seconds.*zero"),
        ([("a", 0, 1, "cow")], r"has event_label='cow', expected one of 'cat', 'dog'.*misspelt"),
        ([("c", 0, 1, "dog")], r"has file='c', expected one of 'a', 'b'.*whole paths"),
        ([("a", 0, 2, "dog"), ("a", 1, 3, "dog")], r"row 1 .*begins at 1 s, before another"),
        # The long first event also overlaps one that does not follow it directly.
        ([("a", 0, 9, "dog"), ("a", 10, 11, "dog"), ("a", 8, 8.5, "dog")], "begins at 8 s"),
    ],
)
def test_bad_tables(rows, message):
    with pytest.raises(ValueError, match=message):
        check_events(table(*rows), labels=["cat", "dog"], files=["a", "b"])


def test_no_table():
    with pytest.raises(ValueError, match=r"lacks the columns \['event_label'\].*'label'"):
        check_events(table(("a", 0, 1, "x")).rename(columns={"event_label": "label"}))
    with pytest.raises(TypeError, match="read_events"):
        check_events("events.csv")


def test_merge_against_a_brute_force_on_a_grid(rng):
    """In tenths of seconds: a tenth is active where an event, or a short gap, covers it."""
    for max_gap in (0, 3):
        starts = rng.integers(0, 80, 12)
        stops = starts + rng.integers(1, 15, 12)
        labels = rng.choice(["cat", "dog"], 12)
        rows = zip(["a"] * 12, starts / 10, stops / 10, labels, strict=True)
        merged = merge_events(table(*rows), max_gap=max_gap / 10 + 1e-9)
        for label in ("cat", "dog"):
            active = np.zeros(120, bool)
            for a, b in zip(starts[labels == label], stops[labels == label], strict=True):
                active[a:b] = True
            on = np.flatnonzero(active)
            for a, b in zip(on[:-1], on[1:], strict=True):
                if b - a - 1 <= max_gap:
                    active[a:b] = True
            edges = np.flatnonzero(np.diff(np.r_[0, active.astype(int), 0])) / 10
            own = merged[merged["event_label"] == label]
            np.testing.assert_allclose(own[["onset", "offset"]].to_numpy().ravel(), edges)
    with pytest.raises(ValueError, match="max_gap=-1: expected seconds"):
        merge_events([], max_gap=-1)


def test_names_of_recordings():
    clips = [np.zeros(10), {"array": np.zeros(5), "sampling_rate": 8000, "path": "x.wav"}]
    assert file_names(clips) == [0, "x.wav"]
    assert file_names(pd.Series(["b.wav", "a.wav"], index=[7, 8])) == ["b.wav", "a.wav"]
    assert file_names(pd.DataFrame({"path": ["b.wav"]})) == ["b.wav"]
    assert file_names(AudioBatch(clips[:1] * 2, 8000, names=["n", None])) == ["n", 1]
