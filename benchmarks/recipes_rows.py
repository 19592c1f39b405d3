"""The rows of benchmarks/recipes.py: recordings, groups, and what is measured on each group.

A row's ``measure`` gets the data, a group, a seed and changes of parameters. It returns the columns
of the row, and the seconds of CPU of the recipe's fit. "naive" is a simple choice on the same
recordings: mean and standard deviation of MFCC, or for events the whole clip.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from accuracy_events import EVENTS, soundscapes
from scipy.spatial.distance import pdist
from sklearn.metrics import euclidean_distances, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedKFold
from sklearn.neighbors import NearestCentroid, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio import recipe
from skaudio.datasets import (
    fetch_esc10,
    fetch_fsdd,
    get_data_home,
    load_audio_files,
    load_cats_dogs,
)
from skaudio.embedders import WCCN
from skaudio.encoders import MFCC
from skaudio.metrics import equal_error_rate, event_based_f1, segment_based_f1
from skaudio.pooling import FramePooling


class Row(NamedTuple):
    """Recordings, groups, and what is measured: names of measures and ends of those of columns."""

    load: Callable[[], Any]
    groups: Callable[[Any], list[Any]]
    measure: Callable[..., dict[str, float]]
    measures: dict[str, str]


def statistics():
    return make_pipeline(MFCC(), FramePooling(), StandardScaler())


def make(task, n_recordings, seed, changes, **params):
    """Return a recipe with a seed in every part that draws, and with changes."""
    model = recipe(task, n_recordings, **params)
    seeds = {name: seed for name in model.get_params() if name.endswith("random_state")}
    return model.set_params(**seeds).set_params(**changes)


def timed_fit(model, *data):
    start = time.process_time()
    model.fit(*data)
    return time.process_time() - start


def load_arabic():
    """Ten Arabic digits of twenty speakers, ten takes each."""
    folder = get_data_home() / "arabic_digits"
    return load_audio_files(folder, groups=lambda path: path.stem.partition("_")[0])


def names(data):
    return np.unique(data.groups).tolist()


# A label per recording


def one_group(data, group, seed):
    return np.asarray(data.groups) == group


def fifth_of_speakers(data, group, seed):
    return np.isin(data.groups, names(data)[group::5])


def fifth_of_recordings(data, group, seed):
    """Return the part ``group`` of five; which recordings are in it depends on the seed."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    test = list(folds.split(data.data, data.target))[group][1]
    return np.isin(np.arange(len(data.data)), test)


def classify(task, test_part, **params):
    def measure(data, group, seed, changes):
        test = test_part(data, group, seed)
        X, y = np.asarray(data.data), np.asarray(data.target)
        model = make(task, int(sum(~test)), seed, changes, **params)
        seconds = timed_fit(model, X[~test], y[~test])
        naive = make_pipeline(statistics(), SVC()).fit(X[~test], y[~test])
        accuracies = {
            "recipe": model.score(X[test], y[test]),
            "naive": naive.score(X[test], y[test]),
        }
        return {**accuracies, "seconds": seconds}

    return measure


# Voices


def error_rate(rows, voices):
    codes = np.unique(voices, return_inverse=True)[1]
    return equal_error_rate(pdist(codes[:, None], "cityblock") == 0, -pdist(rows))


def means_of_three(rows, voices, seed):
    """Average the rows of three recordings of a voice, which are drawn."""
    order = np.random.default_rng(seed).permutation(len(rows))
    means, kept = [], []
    for voice in np.unique(voices):
        mine = order[voices[order] == voice]
        mine = mine[: len(mine) // 3 * 3].reshape(-1, 3)
        means.append(rows[mine].mean(axis=1))
        kept += [voice] * len(mine)
    return np.concatenate(means), np.array(kept)


def verify(pretrained):
    """Equal error rates of six voices that are not in the training data."""

    def measure(data, group, seed, changes):
        return error_rates(data, group, seed, changes, pretrained)

    return measure


def error_rates(data, group, seed, changes, pretrained):
    X, voices = np.asarray(data.data), np.asarray(data.groups)
    splits = GroupShuffleSplit(5, test_size=6, random_state=0).split(X, groups=voices)
    learn, test = list(splits)[group]
    model = make("voices", len(learn), seed, changes, pretrained=pretrained)
    out = {"seconds": timed_fit(model, X[learn], voices[learn])}
    for name, embedder in (("recipe", model), ("naive", statistics().fit(X[learn]))):
        rows = embedder.transform(X[test])
        out[name] = error_rate(rows, voices[test])
        out[f"{name}, means of three"] = error_rate(*means_of_three(rows, voices[test], seed))
    return out


# Who is it: ten enrolled voices, and unknown ones

FALSE_ACCEPT_RATE = 0.05


def identify(data, group, seed, changes):
    """Enrol ten voices by one take of each digit; learn from six others, try four unknown ones."""
    X, voices = np.asarray(data.data), np.asarray(data.groups)
    people = np.random.default_rng(group).permutation(np.unique(voices))
    is_of = [np.isin(voices, people[part]) for part in (slice(6), slice(6, 16), slice(16, 20))]
    learn, enrolled, unknown = is_of
    take = np.array([path.rpartition("_")[2] for path in X])
    enrol, known = enrolled & (take == "01.flac"), enrolled & (take != "01.flac")
    model = make_pipeline(make("voices", int(sum(learn)), seed, changes), WCCN())
    out = {"seconds": timed_fit(model, X[learn], voices[learn])}
    for name, embedder in (("recipe", model), ("naive", statistics().fit(X[learn]))):
        parts = [(embedder.transform(X[of]), voices[of]) for of in (enrol, known, unknown)]
        out |= open_set(*parts, name)
        out |= open_set(*(means_of_three(*part, seed) for part in parts), f"{name}, three")
    return out


def open_set(enrol, known, unknown, name):
    """Name the voice of each row, or none: what is right for known voices and for unknown ones."""
    people = NearestCentroid().fit(*enrol)
    threshold = rejection_threshold(*enrol, people)
    distances = euclidean_distances(known[0], people.centroids_)
    right = people.classes_[distances.argmin(axis=1)] == known[1]
    strangers = euclidean_distances(unknown[0], people.centroids_).min(axis=1)
    return {
        f"{name}, of ten": right.mean(),
        f"{name}, named": (right & (distances.min(axis=1) <= threshold)).mean(),
        f"{name}, unknown accepted": (strangers <= threshold).mean(),
    }


def rejection_threshold(rows, voices, people):
    """Return the distance within which 5 % of strangers are: each voice is one to the others."""
    strange = euclidean_distances(rows, people.centroids_)
    strange[voices[:, None] == people.classes_] = np.inf
    return np.quantile(strange.min(axis=1), FALSE_ACCEPT_RATE)


# Anomalies: one class of sounds is normal


def anomalies(data, group, seed, changes):
    """Learn each class in turn on the other folds; is it told from the nine others on this one?"""
    X, y, folds = np.asarray(data.data), np.asarray(data.target), np.asarray(data.groups)
    start = time.process_time()
    embedder = recipe("environment")[0].set_params(unit_norm=True, **changes).fit(X)
    rows = {"recipe": embedder.transform(X)}
    seconds = time.process_time() - start
    rows["naive"] = make_pipeline(MFCC(), FramePooling()).fit_transform(X)
    out = {"seconds": seconds}
    for name, values in rows.items():
        found = [strange_sounds(values, y == kind, folds, group) for kind in np.unique(y)]
        means = np.mean(found, axis=0)
        out |= dict(zip((name, f"{name}, found", f"{name}, false alarms"), means, strict=True))
    return out


def strange_sounds(rows, normal, folds, group):
    """Return AUC, and with a threshold from folds left out in turn, what is found and false."""
    learn, test = normal & (folds != group), folds == group
    known, origin = rows[learn], folds[learn]
    usual = [distances(known[origin != fold], known[origin == fold]) for fold in np.unique(origin)]
    threshold = np.quantile(np.concatenate(usual), 0.95)
    scores, ours = distances(known, rows[test]), normal[test]
    strange = scores > threshold
    return roc_auc_score(~ours, scores), strange[~ours].mean(), strange[ours].mean()


def distances(known, rows):
    """Return the mean distance of each row from the three nearest known ones."""
    return NearestNeighbors(n_neighbors=3).fit(known).kneighbors(rows)[0].mean(axis=1)


# Events


def load_soundscapes():
    parts = {"learn": ((1, 2, 3), 400, 0), "tune": ((1, 2, 3), 60, 1), "test": ((4,), 100, 0)}
    return {name: soundscapes(*part) for name, part in parts.items()}


def detect(*, tuned, **params):
    """Learn from weak labels; ``tuned``: thresholds by the strong labels of 60 more soundscapes."""

    def measure(data, group, seed, changes):
        learn, tune, test = data["learn"], data["tune"], data["test"]
        model = make("events", len(learn.data), seed, changes, **params)
        out = {"seconds": timed_fit(model, learn.data, learn.target)}
        whole = whole_clips(model.labels_, model.predict(test.data), test.data.names)
        if tuned:
            model.tune_thresholds(tune.data, tune.events, metric="event")
        for name, events in (("recipe", model.predict_events(test.data)), ("naive", whole)):
            out[f"{name}, by second"] = segment_based_f1(test.events, events)
            out[f"{name}, by event"] = event_based_f1(test.events, events)
            difference = count(events, test.data.names) - count(test.events, test.data.names)
            out[f"{name}, error of counts"] = difference.abs().to_numpy().mean()
        return out

    return measure


def whole_clips(labels, predicted, files):
    """Return a table in which each predicted label of a clip lasts all of it."""
    rows = [(files[i], 0.0, 10.0, labels[j]) for i, j in zip(*np.nonzero(predicted), strict=True)]
    return pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])


def count(events, files):
    """Return the number of events of each label in each file, zeros included."""
    counts = pd.crosstab(events["file"], events["event_label"])
    return counts.reindex(index=files, columns=sorted(EVENTS), fill_value=0)


def five(data):
    return list(range(5))


ACCURACY = {"accuracy": ""}
ERROR_RATES = {"equal error rate": "", "the same, means of three": ", means of three"}
OPEN_SET = {
    "right, enrolled voices only": ", of ten",
    "right, with rejection": ", named",
    "unknown voices accepted": ", unknown accepted",
    "means of three: enrolled only": ", three, of ten",
    "means of three: with rejection": ", three, named",
    "means of three: unknown accepted": ", three, unknown accepted",
}
ANOMALIES = {
    "area under the ROC curve": "",
    "anomalies found": ", found",
    "false alarms": ", false alarms",
}
EVENT_SCORES = {
    "F1 of segments": ", by second",
    "F1 of events": ", by event",
    "error of counts": ", error of counts",
}


def events_row(**params):
    return Row(load_soundscapes, lambda data: ["fold 4"], detect(**params), EVENT_SCORES)


def sounds(load, groups, part, **params):
    return Row(load, groups, classify("environment", part, **params), ACCURACY)


ROWS = {
    "words-fsdd": Row(fetch_fsdd, names, classify("words", one_group), ACCURACY),
    "words-arabic": Row(load_arabic, five, classify("words", fifth_of_speakers), ACCURACY),
    "voices-arabic": Row(load_arabic, five, verify(None), ERROR_RATES),
    "voices-arabic-pretrained": Row(load_arabic, five, verify(True), ERROR_RATES),
    "who-is-it": Row(load_arabic, five, identify, OPEN_SET),
    "environment-esc10": sounds(fetch_esc10, names, one_group),
    "environment-esc10-scratch": sounds(fetch_esc10, names, one_group, pretrained=False),
    "cats-dogs": sounds(load_cats_dogs, five, fifth_of_recordings),
    "cats-dogs-scratch": sounds(load_cats_dogs, five, fifth_of_recordings, pretrained=False),
    "anomalies": Row(fetch_esc10, names, anomalies, ANOMALIES),
    "events-soundscapes": events_row(pretrained=None, tuned=False),
    "events-soundscapes-scratch": events_row(pretrained=False, tuned=True),
}
