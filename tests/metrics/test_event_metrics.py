"""Event metrics against sed_eval, a brute-force matching, and by hand."""

from __future__ import annotations

import itertools
import pickle
import warnings
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest

from skaudio.audio import AudioBatch
from skaudio.metrics import (
    event_based_f1,
    event_based_scores,
    make_event_scorer,
    segment_based_f1,
    segment_based_scores,
)
from skaudio.metrics._event_scores import active_segments, n_matched

LABELS = ["cat", "dog", "owl"]
COLUMNS = ["file", "onset", "offset", "event_label"]


def random_events(rng, like=()):
    """Events on a coarse grid, so that times coincide and touch; some are copies of others."""
    rows = []
    for file, label in itertools.product(["a.wav", "b.wav", "c.wav"], LABELS):
        if rng.random() < 0.3:
            continue
        if like and rng.random() < 0.7:
            times = [t for f, *t, name in like if f == file and name == label]
            shifts = rng.choice([0.0, 0.1, 0.2, -0.2, 0.30, 0.5], size=(len(times), 2))
            times = [(a + s, b + e) for (a, b), (s, e) in zip(times, shifts, strict=True)]
        else:
            edges = np.sort(rng.integers(0, 40, 2 * rng.integers(0, 4))) / 4
            times = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        end = 0.0
        for onset, offset in sorted(times):
            if onset >= end and offset >= onset:
                rows.append((file, float(onset), float(offset), label))
                end = offset
    return rows


@cache
def cases():
    """Return 100 pairs of lists, empty ones, touching ones and equal times among them."""
    rng = np.random.default_rng(0)
    pairs = [([], []), ([("a.wav", 0.0, 1.0, "cat")], []), ([], [("a.wav", 0.0, 1.0, "cat")])]
    while len(pairs) < 100:
        true = random_events(rng)
        pairs.append((true, random_events(rng, true)))
    return pairs


def by_sed_eval(evaluator, true, pred):
    as_items = (
        [{"filename": f, "onset": a, "offset": b, "event_label": label} for f, a, b, label in true],
        [{"filename": f, "onset": a, "offset": b, "event_label": label} for f, a, b, label in pred],
    )
    evaluator.empty_system_output_handling = "zero_score"
    for file in sorted({row[0] for row in [*true, *pred]}):
        lists = [[row for row in rows if row["filename"] == file] for rows in as_items]
        evaluator.evaluate(*lists)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # means of nothing
        return evaluator.results()


def compare(table, results):
    for label in LABELS:
        theirs = results["class_wise"][label]
        if label not in table.index:  # neither true nor predicted
            assert np.isnan(theirs["f_measure"]["f_measure"])
            continue
        ours = table.loc[label]
        assert ours["n_true"] == theirs["count"]["Nref"]
        assert ours["n_pred"] == theirs["count"]["Nsys"]
        for name, key in (("f1", "f_measure"), ("precision", "precision"), ("recall", "recall")):
            assert ours[name] == pytest.approx(theirs["f_measure"][key], nan_ok=True)
    for row, key in (("micro", "overall"), ("macro", "class_wise_average")):
        theirs = results[key]["f_measure"]["f_measure"]
        assert table.loc[row, "f1"] == pytest.approx(theirs, nan_ok=True)


def test_the_cases_hold_what_they_should():
    pairs = cases()
    rows = [(true, pred) for true, pred in pairs if true and pred]
    assert sum(not true for true, _ in pairs) > 1
    assert any(a[2] == b[1] and a[::3] == b[::3] for true, _ in rows for a in true for b in true)
    assert any(a[1:3] == b[1:3] and a is not b for t, p in rows for a in t for b in p)
    assert any(a[1] == a[2] for true, _ in rows for a in true)


@pytest.mark.parametrize("offset_ratio", [0.2, 0.5])
def test_event_based_equals_sed_eval(sed_eval, offset_ratio):
    for true, pred in cases():
        evaluator = sed_eval.sound_event.EventBasedMetrics(
            LABELS, t_collar=0.2, percentage_of_length=offset_ratio, event_matching_type="optimal"
        )
        results = by_sed_eval(evaluator, true, pred)
        table = event_based_scores(
            pd.DataFrame(true, columns=COLUMNS),
            pd.DataFrame(pred, columns=COLUMNS),
            offset_ratio=offset_ratio,
        )
        compare(table, results)


@pytest.mark.parametrize("segment", [1.0, 0.1])
def test_segment_based_equals_sed_eval(sed_eval, segment):
    for true, pred in cases() if segment == 1.0 else cases()[:40]:
        evaluator = sed_eval.sound_event.SegmentBasedMetrics(LABELS, time_resolution=segment)
        results = by_sed_eval(evaluator, true, pred)
        table = segment_based_scores(
            pd.DataFrame(true, columns=COLUMNS),
            pd.DataFrame(pred, columns=COLUMNS),
            segment=segment,
        )
        compare(table, results)


def test_matching_is_the_largest_there_is():
    rng = np.random.default_rng(1)
    sizes = set()
    for _ in range(100):
        true, pred = (np.sort(rng.uniform(0, 1, (2, rng.integers(1, 5))), axis=0) for _ in "ab")
        pairs = [
            {
                j
                for j in range(pred.shape[1])
                if abs(true[0, i] - pred[0, j]) <= 0.3
                and abs(true[1, i] - pred[1, j]) <= max(0.3, 0.5 * (true[1, i] - true[0, i]))
            }
            for i in range(true.shape[1])
        ]
        free = [None] * len(pairs)
        best = max(
            sum(j is not None and j in hits for j, hits in zip(choice, pairs, strict=True))
            for choice in itertools.permutations([*range(pred.shape[1]), *free], len(pairs))
        )
        assert n_matched((true[0], true[1]), (pred[0], pred[1]), 0.3, 0.5) == best
        sizes.add(best)
    assert len(sizes) > 2


def test_active_segments_by_hand():
    spans = np.array([0.2, 3.0, 5.5]), np.array([1.0, 3.0, 7.1])
    assert active_segments(spans, 1.0).tolist() == [0, 5, 6, 7]


def test_labels_and_averages():
    both = [("a", 0, 1, "cat"), ("a", 8, 9, "cat")]
    true = pd.DataFrame([*both, ("a", 2, 3, "dog")], columns=COLUMNS)
    pred = pd.DataFrame([*both, ("a", 5, 6, "owl")], columns=COLUMNS)
    table = event_based_scores(true, pred)
    assert table.loc[["cat", "dog"], "f1"].tolist() == [1.0, 0.0]
    assert np.isnan(table.loc["owl", "f1"])  # nothing to find
    assert [kind.kind for kind in table.dtypes] == ["f"] * 3 + ["i"] * 3
    assert event_based_f1(true, pred) == 0.5
    assert event_based_f1(true, pred, average="micro") == pytest.approx(2 / 3)
    assert event_based_f1(true, pred, labels=["cat"]) == 1.0
    assert event_based_f1(true, pred, average=None).index.tolist() == ["cat", "dog", "owl"]
    assert segment_based_f1(true, true) == 1.0
    assert np.isnan(segment_based_f1([], []))


def test_bad_parameters():
    with pytest.raises(ValueError, match=r"collar=-1: expected 0 or more"):
        event_based_f1([], [], collar=-1)
    with pytest.raises(ValueError, match=r"segment=0: expected a positive number"):
        segment_based_f1([], [], segment=0)
    with pytest.raises(ValueError, match=r"average='mean': expected 'macro', 'micro' or None"):
        segment_based_f1([], [], average="mean")
    twice = pd.DataFrame([("a", 0, 2, "cat"), ("a", 1, 3, "cat")], columns=COLUMNS)
    with pytest.raises(ValueError, match=r"begins at 1 s, before another .*merge_events"):
        segment_based_f1(twice, [])


class Oracle:
    """A "detector" that knows."""

    def __init__(self, events):
        self.events = events

    def predict_events(self, X):
        return self.events[self.events["file"].isin(list(X))]


def test_scorer_takes_the_events_of_its_fold():
    events = pd.DataFrame([("a", 0, 1, "cat"), ("b", 2, 3, "dog")], columns=COLUMNS)
    half = events.assign(offset=[1.0, 9.0])
    scorer = pickle.loads(
        pickle.dumps(make_event_scorer(events, metric=partial(event_based_f1, average="micro")))
    )
    assert scorer(Oracle(half), ["a"], None) == 1.0
    assert scorer(Oracle(half), ["a", "b"], None) == 0.5
    second = [{"path": "b", "start": 2.0, "duration": 1.0}]  # where half has nothing too much
    assert scorer(Oracle(half), ["b"], None) == 0.0
    found = Oracle(half.assign(offset=[1.0, 3.0]))
    found.predict_events = lambda X: found.events[1:]
    assert make_event_scorer(events.assign(offset=[1.0, 9.0]))(found, second, None) == 1.0
    with pytest.raises(ValueError, match=r"recording 0 has no name .* expected paths"):
        scorer(Oracle(half), np.zeros((2, 100)), None)
    with pytest.raises(ValueError, match=r"events has none for 'c'.* such as 'a'"):
        scorer(Oracle(half), ["c"], None)
    with pytest.raises(ValueError, match="events is empty: expected the strong labels"):
        make_event_scorer(events[:0])
    batch = AudioBatch([np.zeros(10)], 16000, names=["a"])
    assert make_event_scorer(events)(Oracle(events), batch.names, None) == 1.0


def test_events_without_a_file_and_names_that_were_read_as_text_are_scored():
    times = {"onset": 0.0, "offset": 1.0}
    found = [{"file": None, **times, "event_label": 8}, {"file": 3, **times, "event_label": 7}]
    true = [{"file": np.nan, **times, "event_label": "8"}]
    true.append({"file": "3", **times, "event_label": "7"})
    for labels in (None, [8, 7]):
        table = event_based_scores(true, found, labels=labels)
        assert table.loc["micro", ["f1", "n_true"]].tolist() == [1.0, 2]
