"""Positions, not labels: the index of pandas objects changes no result, whatever takes X or y."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pandas as pd
import pytest

import skaudio
from skaudio.augmentation import Noise, TrainingPath, epoch_seeds
from skaudio.datasets import audit_recordings, make_soundscapes
from skaudio.events import (
    check_events,
    events_to_frames,
    file_names,
    merge_events,
    read_events,
    write_events,
)
from skaudio.metrics import (
    equal_error_rate,
    equal_error_threshold,
    event_based_f1,
    event_based_scores,
    make_event_scorer,
    map_at_r,
    precision_at_k,
    r_precision,
    scores_by,
    segment_based_f1,
    segment_based_scores,
    worst_classified,
)

from .cases import assert_same, clips, inputs, outputs, small
from .test_neural_contract import NEURAL
from .walk import ESTIMATORS

pytestmark = pytest.mark.slow  # walks over all estimators take long together

N = 12
ORDER = np.random.default_rng(5).permutation(N)
# Indices as `sample`, `concat`, `set_index` and `train_test_split` leave them.
INDICES = {
    "shuffled": lambda n: ORDER[n > ORDER],
    "duplicated": lambda n: np.zeros(n, int),
    "strings": lambda n: [f"clip {n - i}" for i in range(n)],
}


def every_index(mark):
    """Return the parameters of a test: labels found at other positions, and the others, marked."""
    others = [pytest.param(index, marks=mark) for index in INDICES if index != "shuffled"]
    return pytest.mark.parametrize("indexed", ["shuffled", *others], indirect=True)


@pytest.fixture
def indexed(request):
    """Return a function that puts a sequence into a Series, or a table into a DataFrame."""

    def put(values):
        index = INDICES[request.param](len(values))
        if isinstance(values, pd.DataFrame):
            return values.set_axis(index)
        if isinstance(values, np.ndarray) and values.ndim == 2:
            return pd.DataFrame(values, index=index)
        return pd.Series(list(values), index=index)

    return put


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """What is cached in a folder beside the test stays there."""
    monkeypatch.chdir(tmp_path)
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


GROUPS = np.arange(N) // 2
TABLES = ("predict_events", "tag")


@functools.cache
def plainly(name):
    """Return an estimator fitted on lists and arrays, and what it predicts."""
    X, y = inputs(name)
    fitted = small(name).fit(X, y, **({"groups": GROUPS} if name in NEURAL else {}))
    return fitted, outputs(fitted, X)


@every_index(pytest.mark.exhaustive)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name, indexed):
    X, y = inputs(name)
    expected, plain = plainly(name)
    with_groups = {"groups": indexed(GROUPS)} if name in NEURAL else {}
    found = small(name).fit(indexed(X), indexed(y), **with_groups)
    result = outputs(found, indexed(X))
    # Tables name recordings by their index.
    assert_same({m: result[m] for m in plain if m not in TABLES},
                {m: rows for m, rows in plain.items() if m not in TABLES})  # fmt: skip
    if hasattr(found, "predict_events"):
        columns = ["onset", "offset", "event_label", "score"]
        pd.testing.assert_frame_equal(
            found.predict_events(indexed(X))[columns], expected.predict_events(X)[columns]
        )
    if hasattr(found, "score"):
        assert found.score(indexed(X), indexed(y)) == expected.score(X, y)
    if hasattr(found, "augment"):
        seeds = epoch_seeds(0, 0, np.arange(N))
        assert_same({"": list(_waveforms(found.augment(indexed(X), indexed(seeds))))},
                    {"": list(_waveforms(found.augment(X, seeds)))})  # fmt: skip
        draws = found.draws(indexed(X), indexed(seeds))
        pd.testing.assert_frame_equal(draws, found.draws(X, seeds))


def _waveforms(output):
    return [np.asarray(item) for item in output]


@every_index(pytest.mark.slow)
def test_several_labels(indexed):
    X, y = clips()
    table = pd.DataFrame({"tone": y == "low", "hiss": np.arange(N) % 3 == 0}).astype(int)
    lists = [[name for name in table if row[name]] for _, row in table.iterrows()]
    for labels in (table, lists):
        expected = small("EventDetector").fit(X, labels)
        found = small("EventDetector").fit(indexed(X), indexed(labels))
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
        assert found.score(X, indexed(labels)) == expected.score(X, labels)


@every_index(pytest.mark.slow)
def test_pairs(indexed):
    X, _ = clips()
    left, right, same = X[:6], X[6:], np.array([1, 0, 1, 0, 1, 0])

    def fitted(put):
        siamese = small("SiameseEmbedder").fit_pairs(put(left), put(right), put(same))
        siamese.calibrate_threshold(put(left), put(right), put(same))
        return [siamese.threshold_, *siamese.pair_distance(put(left), put(right))]

    assert fitted(indexed) == fitted(list)


@every_index(pytest.mark.slow)
def test_thresholds(indexed):
    X, y = clips()
    events = pd.DataFrame({"file": range(N), "onset": 0.0, "offset": 0.1, "event_label": y})

    def tuned(put):
        detector = small("EventDetector").fit(X, y)
        return detector.tune_thresholds(X, put(events)).thresholds_.tolist()

    assert tuned(indexed) == tuned(pd.DataFrame)


def functions():
    """Name -> a call of every public function that takes X, y, labels or tables."""
    from skaudio.display import (
        AudioPlayers,
        AugmentationDisplay,
        EventsDisplay,
        FeatureSpaceDisplay,
        SpectrogramDisplay,
    )

    X, y = clips()
    rng = np.random.default_rng(0)
    rows, proba = rng.normal(size=(N, 3)), rng.dirichlet([1, 1], N)
    names = [f"{i}.wav" for i in range(N)]
    same, scores = np.arange(N) % 2, rng.normal(size=N)
    onsets = np.arange(float(N))
    events = pd.DataFrame(
        {"file": names, "onset": onsets, "offset": onsets + 0.5, "event_label": y}
    )
    late = events.assign(onset=events["onset"] + 0.1 * (np.arange(N) % 3))
    one_file = events.assign(file="a", event_label="low")

    class Oracle:
        def predict_events(self, X):
            return late[late["file"].isin(list(X))]

    def scattered(display):
        return [np.asarray(display.coordinates), *(p.get_offsets() for p in display.points_),
                *(p.get_facecolors() for p in display.points_)]  # fmt: skip

    def written(put):
        write_events(put(events), "events.csv")
        return read_events("events.csv")

    return {
        "scores_by": lambda put: scores_by(put(y), put(y[::-1]), put(names)),
        "worst_classified": lambda put: worst_classified(put(names), put(y), put(proba), n=N),
        "equal_error_rate": lambda put: equal_error_rate(put(same), put(scores)),
        "equal_error_threshold": lambda put: equal_error_threshold(put(same), put(scores)),
        "precision_at_k": lambda put: precision_at_k(put(rows), put(y), k=2),
        "r_precision": lambda put: r_precision(put(rows), put(y)),
        "map_at_r": lambda put: map_at_r(put(rows), put(y)),
        "check_events": lambda put: check_events(put(events)),
        "merge_events": lambda put: merge_events(put(events)),
        "event_based_f1": lambda put: event_based_f1(put(events), put(late)),
        "event_based_scores": lambda put: event_based_scores(put(events), put(late)),
        "segment_based_f1": lambda put: segment_based_f1(put(events), put(late), segment=0.1),
        "segment_based_scores": lambda put: segment_based_scores(put(events), put(late)),
        "make_event_scorer": lambda put: make_event_scorer(put(events))(Oracle(), put(names)),
        "events_to_frames": lambda put: events_to_frames(put(one_file), np.arange(20.0), ["low"]),
        "file_names": lambda put: file_names(put(names)),
        "write_events": written,
        "epoch_seeds": lambda put: epoch_seeds(0, 1, put(range(N))),
        "TrainingPath": lambda put: _waveforms(
            TrainingPath(Noise())(put(X), put(epoch_seeds(0, 0, np.arange(N))))
        ),
        "audit_recordings": lambda put: audit_recordings(
            put(X), put(y), put(np.arange(N) // 2), sample_rate=8000
        ).table.reset_index(drop=True),
        "make_soundscapes": lambda put: list(
            make_soundscapes(
                put(X), put(y), put(X[:2]), n_soundscapes=3, duration=4.0, random_state=0
            ).data
        ),
        "AudioPlayers": lambda put: AudioPlayers(put(X), titles=put(names)).to_html(),
        "SpectrogramDisplay": lambda put: (
            SpectrogramDisplay.from_estimator(small("MFCC"), put(X), index=3).frames
        ),
        "AugmentationDisplay": lambda put: (
            AugmentationDisplay.from_estimator(Noise(), put(X), index=3, random_state=0).frames
        ),
        "EventsDisplay": lambda put: (
            EventsDisplay.from_estimator(
                small("EventDetector").fit(X, y), put(X), index=3
            ).probabilities
        ),
        "FeatureSpaceDisplay": lambda put: scattered(
            FeatureSpaceDisplay.from_embeddings(
                put(rows), put(y), groups=put(names[:2] * 6), recordings=put(X)
            )
        ),
    }


def in_lists(values):
    return values if isinstance(values, pd.DataFrame) else list(values)


@functools.cache
def plain_call(name):
    return functions()[name](in_lists)


@every_index(pytest.mark.slow)
@pytest.mark.parametrize("name", functions())
def test_functions(name, indexed):
    found, expected = functions()[name](indexed), plain_call(name)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, (str, float)) or name == "file_names":
        assert found == expected
    else:
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("indexed", ["shuffled"], indirect=True)
def test_the_page_of_a_feature_space(indexed):
    pytest.importorskip("bokeh")
    from skaudio.display import FeatureSpaceDisplay
    from skaudio.display._html_page import make_page

    X, y = clips()
    rows = np.random.default_rng(0).normal(size=(N, 3))

    def sounds(put):
        display = FeatureSpaceDisplay.from_embeddings(
            put(rows), put(y), recordings=put(X), sample_rate=8000
        )
        page = make_page(display, "page", duration=0.1, sample_rate=8000, verbose=0)
        return [line for line in page.splitlines() if 'id="sound-' in line]

    assert len(sounds(list)) == N
    assert sounds(indexed) == sounds(list)


# Public functions that take neither X nor y, nor tables.
OTHERS = {
    "audio": "check_recordings",
    "pretrained": "download",
    "frames": "as_object_array check_frames pack validate_frames",
    "dsp": (
        "check_invertible dct_matrix griffin_lim hz_to_mel istft mel_domain_filterbank "
        "mel_filterbank mel_frequencies mel_to_hz undo_dct unmix window_weights"
    ),
    "encoders": "stream",
    "metrics": "normalized_scores",
    "nets": "recording_mean",
    "persistence": "export_onnx inspect load save show_versions",
    "recipes": "recipe",
    "datasets": (
        "evaluate_embedder fetch_esc10 fetch_esc50 fetch_fsdd get_data_home load_audio_files "
        "load_cats_dogs load_spoken_digits"
    ),
    "scale": "detect embed folder_state iterate_rows load_events load_rows tag",
    "events": "events_to_target frames_to_events read_events",
}


def test_no_function_is_forgotten():
    others = {name for names in OTHERS.values() for name in names.split()}
    public = {
        name
        for names in skaudio._NAMES.values()
        for name in names.split()
        if inspect.isfunction(getattr(skaudio, name))
    }
    assert public - others - set(functions()) == set()
