"""Strong labels as y of the detector, alone and beside weak ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import cross_val_score

from skaudio.augmentation import Noise, RandomSegment, Speed, TimeShift
from skaudio.detectors import EventDetector
from skaudio.detectors._strong_labels import FrameTargets, frame_targets
from skaudio.events import events_to_target
from skaudio.metrics import segment_based_f1

from .conftest import RATE, SMALL, make_tones, weak

FEW = {**SMALL, "max_epochs": 1}


@pytest.fixture(scope="module")
def mixed(tones):
    X, events = tones
    return events_to_target(events[events["file"] < 12], X, weak(events, len(X)))


def test_strong_labels_sharpen_events():
    """Tones that are always of one length apart: weak labels cannot tell the gap from them."""
    rng = np.random.default_rng(0)
    waveforms, rows = [], []
    for i in range(30):
        waveform = 0.01 * rng.standard_normal(2 * RATE)
        if i % 3:
            start = rng.integers(RATE // 2)
            for shift in (0, RATE):  # a second tone, of another pitch, a second later
                hz = 400 if shift else 2000
                at = start + shift + np.arange(RATE // 4)
                waveform[at] += 0.2 * np.sin(2 * np.pi * hz * at / RATE)
            rows.append((i, start / RATE, start / RATE + 0.25, "high"))
        waveforms.append(waveform.astype(np.float32))
    events = pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])
    lists = weak(events, 30)
    scores = {}
    for name, y in {"weak": lists, "strong": events_to_target(events, waveforms)}.items():
        detector = EventDetector(**SMALL).fit(waveforms, y)
        found = detector.predict_events(waveforms)
        scores[name] = segment_based_f1(events, found, segment=0.1)
    assert scores["strong"] > 0.85
    assert scores["strong"] > scores["weak"] + 0.1


def test_forms_of_y_say_the_same(tones):
    X, events = tones
    as_array = EventDetector(**FEW).fit(X, events_to_target(events, X))
    as_table = EventDetector(**FEW).fit(X, events)
    as_list = EventDetector(**FEW).fit(X, list(events_to_target(events, X)))
    for other in (as_table, as_list):
        assert np.array_equal(as_array.predict_proba(X), other.predict_proba(X))
    assert as_table.labels_.tolist() == ["high", "low"]
    assert as_table.score(X, events) == as_table.score(X, weak(events, len(X)))


def test_weak_labels_alone_train_as_before(tones):
    X, events = tones
    lists = weak(events, len(X))
    arrays = events_to_target(events[:0], X, lists)
    a, b = (EventDetector(**FEW).fit(X, y).predict_proba(X) for y in (lists, arrays))
    assert np.array_equal(a, b)


def test_in_cross_validation_early_stopping_and_warm_start(tones, mixed):
    X = np.array([*tones[0], None], dtype=object)[:-1]
    assert np.isfinite(cross_val_score(EventDetector(**FEW), X, mixed, cv=3)).all()
    detector = EventDetector(**FEW, early_stopping=True).fit(X, mixed)
    assert 0 <= detector.history_[-1]["valid_score"] <= 1
    detector = EventDetector(**FEW, warm_start=True).fit(X, weak(tones[1], len(X)))
    first = detector.net_.module_.net
    assert detector.fit(X, mixed).n_iter_ == 2
    for net in (first, detector.net_.module_.net):
        assert net(torch.zeros(1, 16, 20), torch.tensor([20])).shape == (1, 2)


def test_augmentations_may_not_move_events(tones, mixed):
    X = tones[0]
    noisy = [("noise", Noise()), ("mel", SMALL["encoder"])]
    from sklearn.pipeline import Pipeline

    EventDetector(**{**FEW, "encoder": Pipeline(noisy)}).fit(X, mixed)
    for step in (TimeShift(), Speed(), RandomSegment()):
        moved = Pipeline([("step", step), ("mel", SMALL["encoder"])])
        with pytest.raises(ValueError, match=f"has {type(step).__name__}, which moves sounds"):
            EventDetector(**{**FEW, "encoder": moved}).fit(X, mixed)


def test_errors_name_the_recording(tones):
    X, events = tones
    y = events_to_target(events, X)
    first = next(i for i, table in enumerate(y) if len(table))
    late = y.copy()
    late[first] = y[first].assign(onset=50.0, offset=51.0).iloc[:1]
    with pytest.raises(ValueError, match=f"'recording {first}' begins at 50 s, but the recording"):
        EventDetector(**FEW).fit(X, late)
    turned = y.copy()
    turned[first] = y[first].assign(offset=0.0)
    with pytest.raises(ValueError, match=rf"y\[{first}\]: .*before its onset"):
        EventDetector(**FEW).fit(X, turned)
    nameless = y.copy()
    nameless[first] = y[first].drop(columns="onset")
    with pytest.raises(ValueError, match=rf"y\[{first}\] has the columns .*expected 'onset'"):
        EventDetector(**FEW).fit(X, nameless)
    with pytest.raises(ValueError, match="has file=99, expected one of 0, 1, 2"):
        EventDetector(**FEW).fit(X, events.assign(file=99))


def test_targets_of_frames():
    events = pd.DataFrame(
        [(0, 0.1, 0.35, "a"), (0, 0.41, 0.42, "b")],
        columns=["file", "onset", "offset", "event_label"],
    )
    active = frame_targets(events, ["a", "b"], 0.1 * np.arange(6), 0.1)
    # The second event is shorter than a frame: the nearest one is active.
    assert active.astype(int).tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0]]
    targets = FrameTargets(np.array([[1, 0], [0, 1]], np.float32), {1: active})
    assert targets[np.array([0])].shape == (1, 2, 1)
    both = targets[np.array([0, 1])]
    assert both.shape == (2, 2, 7)
    assert (both[0, :, 1:] == -1).all()
    assert both[0, :, 0].tolist() == [1, 0]
    assert both[1, 0, 1:].tolist() == [0, 1, 1, 1, 0, 0]


def test_more_recordings_than_one_batch(mixed):
    X, events = make_tones(36, 2.0, seed=0)
    detector = EventDetector(**{**FEW, "batch_size": 5}).fit(X, mixed)
    assert np.isfinite(detector.predict_proba(X[:3])).all()
    assert detector.history_[-1]["train_loss"] > 0
    assert len(events)
