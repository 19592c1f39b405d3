"""Strong labels of some recordings and weak labels of the others as one y."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import _safe_indexing

from skaudio.events import events_to_target, events_within, file_spans

FILES = ["a.wav", "b.wav", "c.wav"]
EVENTS = pd.DataFrame(
    [("b.wav", 1.0, 2.5, "dog"), ("b.wav", 0.5, 1.0, "cat"), ("c.wav", 0.0, 1.0, "dog")],
    columns=["file", "onset", "offset", "event_label"],
)


def test_strong_where_there_are_events_else_weak():
    weak = [["dog"], ["cat", "dog"], ["dog"]]
    y = events_to_target(EVENTS[:2], FILES, weak)
    assert y.shape == (3,)
    assert [list(item) for item in y[[0, 2]]] == [["dog"], ["dog"]]
    assert y[1].columns.tolist() == ["onset", "offset", "event_label"]
    assert y[1]["event_label"].tolist() == ["cat", "dog"]  # sorted by onset
    table = pd.DataFrame([[0, 1], [1, 1], [0, 1]], columns=["cat", "dog"])
    by_table = events_to_target(EVENTS[:2], FILES, table)
    assert [list(item) for item in by_table[[0, 2]]] == [["dog"], ["dog"]]


def test_without_weak_labels_the_rest_has_no_events():
    y = events_to_target(EVENTS, FILES)
    assert [len(item) for item in y] == [0, 2, 1]
    assert all(isinstance(item, pd.DataFrame) for item in y)


def test_scikit_learn_splits_it():
    y = events_to_target(EVENTS[:2], FILES, [["dog"], ["cat", "dog"], []])
    assert isinstance(check_cv(3, y, classifier=True), KFold)
    assert len(_safe_indexing(y, [0, 2])) == 2


def test_clips_have_times_of_their_own():
    clips = pd.DataFrame({"file": ["b.wav"] * 2, "onset": [0.0, 2.0], "offset": [2.0, 4.0]})
    y = events_to_target(EVENTS[:2], clips, [["cat", "dog"], ["cat", "dog"]])
    np.testing.assert_allclose(y[0][["onset", "offset"]], [[0.5, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(y[1][["onset", "offset"]], [[0.0, 0.5]])


def test_events_within_parts_of_files():
    """Parts that touch or overlap are one; what crosses the end of a part is cut."""
    rows = [("b", 0.5, 4.0), ("b", 5.0, 6.0), ("b", 7.0, 8.0), ("a", 0.0, 9.0), ("c", 0.0, 1.0)]
    table = pd.DataFrame(rows, columns=["file", "onset", "offset"]).assign(event_label="dog")
    clips = [("a", 2.0, 1.0), ("b", 2.0, 1.0), ("b", 1.0, 1.0), ("b", 2.5, 0.5), ("b", 5.5, 1.5)]
    spans = file_spans([{"path": f, "start": s, "duration": d} for f, s, d in clips])
    found = events_within(table, spans)
    expected = [("b", 1.0, 3.0), ("b", 5.5, 6.0), ("a", 2.0, 3.0)]
    assert list(found.iloc[:, :3].itertuples(index=False, name=None)) == expected
    assert found.index.tolist() == [0, 1, 2]
    assert len(events_within(table, file_spans(["d"]))) == 0
    assert file_spans(pa.array(["a", "b"])) == file_spans(["a", "b"])
    assert events_within(table, file_spans(["c"]))["file"].tolist() == ["c"]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match=r"has file='b\.wav', expected one of 'a\.wav'"):
        events_to_target(EVENTS, ["a.wav"])
    with pytest.raises(ValueError, match=r"recording 1 \('b\.wav'\) hold 'owl', but events has no"):
        events_to_target(EVENTS, FILES, [["dog"], ["owl"], ["dog"]])
    with pytest.raises(ValueError, match="weak has 1"):
        events_to_target(EVENTS, FILES, [["dog"]])
    with pytest.raises(ValueError, match=r"weak\[0\] is 'dog': expected a list of labels"):
        events_to_target(EVENTS, FILES, ["dog", "cat", "dog"])
