"""Tables of events: what is taken, what is refused, what is joined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudio.audio import AudioBatch
from skaudio.events import check_events, file_names, merge_events, read_events, write_events

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
        ([("a", 0, 1, None)], "has no label"),
        ([("a", "zero", 1, "dog")], "onset is no number of seconds.*zero"),
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


@pytest.mark.parametrize("name", ["events.csv", "events.tsv", "labels"])
def test_written_events_come_back(tmp_path, name):
    events = check_events(table(("a.wav", 0.125, 2, "dog"), ("b", 1, 1.5, "großer Hund")))
    path = tmp_path / name
    if name == "labels":
        path.mkdir()
    write_events(events, path)
    pd.testing.assert_frame_equal(read_events(path), events)


def test_audacity(tmp_path):
    path = tmp_path / "yard.txt"
    write_events(table(("a", 0.5, 2.25, "dog")), path)
    assert path.read_text() == "0.500000\t2.250000\tdog\n"
    # Audacity writes a second line where frequencies were marked.
    path.write_text("1.0\t2.0\tdog\n\\\t100.0\t5000.0\n3.0\t3.0\t\n")
    events = read_events(path, file="yard.flac")
    assert events.to_numpy().tolist() == [["yard.flac", 1, 2, "dog"], ["yard.flac", 3, 3, ""]]


def test_bad_files(tmp_path):
    two = table(("a/x", 0, 1, "dog"), ("b/x", 0, 1, "dog"))
    with pytest.raises(ValueError, match="belong to one recording, events is of 2"):
        write_events(two, tmp_path / "x.txt")
    with pytest.raises(ValueError, match="Two recordings have one name"):
        write_events(two, tmp_path)
    with pytest.raises(ValueError, match=r"x\.json': expected \.csv"):
        write_events(two, tmp_path / "x.json")
    with pytest.raises(ValueError, match=r"holds no \.txt files"):
        read_events(tmp_path)
    (tmp_path / "x.txt").write_text("1.0\t2.0\tdog\nsoon\tlater\tcat\n")
    with pytest.raises(ValueError, match=r"x\.txt, line 2: .*expected start<TAB>end<TAB>label"):
        read_events(tmp_path / "x.txt")
