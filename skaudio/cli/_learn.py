"""``skaudio train`` and ``skaudio evaluate``: train and score models on folders of recordings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

import skaudio
from skaudio.audio import as_recording, seconds_of
from skaudio.cli._apply import load_model
from skaudio.cli._inputs import run_over, with_workers
from skaudio.cli._labels import Labelled, labelled
from skaudio.cli._printing import list_failures, note, records, show, show_json
from skaudio.embedders import score_of_rows
from skaudio.events import read_events
from skaudio.metrics import (
    event_based_f1,
    scores_by,
    segment_based_f1,
    worst_classified,
)

# Number of recordings whose durations are used to choose a recipe, and the longest duration of
# words in seconds.
LOOKED_AT, LONGEST_WORD = 50, 2.0


class Folds(NamedTuple):
    """The splits of a cross-validation."""

    splits: list[tuple[np.ndarray, np.ndarray]]
    how: str


def train(options: Any) -> int:
    """Train the recipe of a task on a folder of recordings, cross-validate it, and save it."""
    folder = Path(options.output).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"--output {options.output!r}: {folder} is no folder to write to")
    data = labelled(options, skip=True)
    task = options.task or _guess_task(data.files)
    model = skaudio.recipe(task, n_recordings=len(data.files), pretrained=options.pretrained)
    seeds = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
    model.set_params(**dict.fromkeys(seeds, options.seed))
    n_classes = len(set(data.classes))
    note(f"{len(data.files)} recordings of {n_classes} classes; recipe for {task}")
    scores: dict[str, tuple[float, float]] = {}
    table = pd.DataFrame()
    if options.folds:
        folds = _folds(data, options.folds, options.seed, by_class=task == "voices")
        note(f"cross-validation: {folds.how}")
        # The score of an embedder is one minus the equal error rate; of other models, the accuracy.
        measure = "accuracy" if hasattr(model, "predict") else "1 - equal error rate"
        table, is_whole = _cross_validate(model, data, folds, measure, options.jobs)
        scores[measure] = _mean_and_error(table[measure])
        if not is_whole:
            _report(table, scores, options)
            return 130
    note("training on all recordings")
    model.set_params(**dict.fromkeys(_bars(model), int(sys.stderr.isatty())))
    with with_workers(options.jobs):
        model.fit(data.files, data.classes)
    text = f"skaudio train, recipe for {task}, seed {options.seed}"
    skaudio.save(model, options.output, scores=scores or None, description=text)
    _report(table, scores, options)
    note(f"saved: {options.output} ({os.path.getsize(options.output) / 1e6:.1f} MB)")
    list_failures(data.skipped, len(data.files) + len(data.skipped))
    return 1 if data.skipped else 0


def _bars(model: Any) -> list[str]:
    """Return the ``verbose`` parameters of skaudio's parts; scikit-learn's print to stdout."""
    parts = {"": model} | model.get_params()
    names = [name for name in parts if name.rpartition("__")[2] == "verbose"]
    owners = [type(parts[name.rpartition("__")[0]]) for name in names]
    ours = [owner.__module__.startswith("skaudio.") for owner in owners]
    return [name for name, is_ours in zip(names, ours, strict=True) if is_ours]


def _guess_task(files: list[str]) -> str:
    """Return "words" for short recordings, else "environment"."""
    some = [files[i] for i in np.linspace(0, len(files) - 1, LOOKED_AT, dtype=int)]
    seconds = [seconds_of(as_recording(file, 0), 1.0) for file in some]
    known = [duration for duration in seconds if duration is not None]
    middle = float(np.median(known)) if known else np.inf
    task = "words" if middle < LONGEST_WORD else "environment"
    note(f"task: {task}, since the median duration is {middle:.1f} s; --task chooses another")
    return task


def _folds(data: Labelled, n: int, seed: int, *, by_class: bool) -> Folds:
    """Split recordings by group if groups are known, else at random by class."""
    y = data.classes
    if by_class:  # voices: test speakers are not in the training part
        n = min(n, len(set(y)))
        splits = GroupKFold(n, shuffle=True, random_state=seed).split(y, y, y)
        return Folds(list(splits), f"{n} folds, each tested on classes that are not trained on")
    if data.groups is not None:
        n = min(n, len(set(data.groups)))
        by_group = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        how = f"{n} folds, each tested on groups that are not trained on"
        return Folds(list(by_group.split(y, y, data.groups)), how)
    smallest = min(np.unique(y, return_counts=True)[1])
    if smallest < 2:
        raise ValueError(
            f"a class has {smallest} recording, expected at least 2: add some, or pass --folds 0"
        )
    n = min(n, smallest)
    note(
        "groups: none found. If a speaker or session has several recordings, the accuracy for "
        "new ones is lower than what follows; pass --groups"
    )
    by_chance = StratifiedKFold(n, shuffle=True, random_state=seed)
    return Folds(list(by_chance.split(y, y)), f"{n} folds at random")


def _cross_validate(
    model: Any, data: Labelled, folds: Folds, measure: str, jobs: int | None
) -> tuple[pd.DataFrame, bool]:
    """Return a row per fold, and whether all folds were completed."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    files = np.array(data.files)
    calls = (
        delayed(_fit_and_score)(clone(model), files, data.classes, train, test)
        for train, test in folds.splits
    )
    scores: list[float] = []
    done: Iterator[float] = Parallel(n_jobs=jobs, return_as="generator")(calls)
    try:
        for score in tqdm(done, total=len(folds.splits), unit="fold", disable=None):
            scores.append(score)
    except KeyboardInterrupt:
        note(f"interrupted after {len(scores)} of {len(folds.splits)} folds; no model is saved")
        if not scores:
            raise
    tests = [test for _, test in folds.splits[: len(scores)]]
    table = pd.DataFrame({"fold": range(1, len(scores) + 1), measure: scores})
    table["n_recordings"] = [len(test) for test in tests]
    if data.groups is not None:
        groups = data.groups
        table["groups"] = [" ".join(sorted(set(groups[test].tolist()))) for test in tests]
    return table, len(scores) == len(folds.splits)


def _fit_and_score(
    model: Any, files: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    return _score(model.fit(files[train], y[train]), files[test], y[test])


def _score(model: Any, files: Any, y: Any) -> float:
    """Return the accuracy of a classifier, or one minus the equal error rate of an embedder."""
    if hasattr(model, "score"):
        return float(model.score(files, y))
    return score_of_rows(model.transform(files), y, "euclidean")


def _mean_and_error(scores: pd.Series) -> tuple[float, float]:
    n = len(scores)
    return float(scores.mean()), float(scores.std() / np.sqrt(n)) if n > 1 else float("nan")


def _report(table: pd.DataFrame, scores: dict[str, tuple[float, float]], options: Any) -> None:
    if options.form == "json":
        names = ("mean", "standard_error")
        named = {name: dict(zip(names, pair, strict=True)) for name, pair in scores.items()}
        show_json({"folds": records(table), "scores": named})
        return
    if len(table):
        show(table, options.form)
    for name, (mean, error) in scores.items():
        note(f"{name}: {mean:.3f} +- {error:.3f} (standard error over {len(table)} folds)")


def evaluate(options: Any) -> int:
    """Score a model on recordings with known labels, or a detector on known events."""
    if options.events:
        return _evaluate_events(options)
    model = skaudio.load(options.model)
    data = labelled(options, skip=True)
    if not hasattr(model, "predict"):
        score = _score(model, data.files, data.classes)
        show(pd.DataFrame({"equal_error_rate": [1 - score]}), options.form)
        return 1 if data.skipped else 0
    known = {str(label): label for label in model.classes_}
    unknown = sorted({*data.classes} - {*known})
    if unknown:
        raise ValueError(
            f"{options.folder!r} has classes that the model does not know: {unknown}, "
            f"expected some of {sorted(known)}"
        )
    probabilities: list[np.ndarray] = []

    def work(files: list[str]) -> pd.DataFrame:
        if options.worst:
            probabilities.append(model.predict_proba(files))
        return pd.DataFrame({"predicted": model.predict(files)})

    done = run_over(data.files, work)
    y = np.array([known[label] for label in data.classes])[: len(done.table)]
    groups = None if data.groups is None else data.groups[: len(y)]
    show(scores_by(y, done.table["predicted"].to_numpy(), groups), options.form, index=True)
    if options.worst:
        found = np.concatenate(probabilities)
        note(f"the {options.worst} worst:")
        names = data.files[: len(y)]
        show(worst_classified(names, y, found, model.classes_, n=options.worst), options.form)
    list_failures(data.skipped, len(data.files) + len(data.skipped))
    return done.code or (1 if data.skipped else 0)


def _evaluate_events(options: Any) -> int:
    detector = load_model(options.model, "predict_events", "detect events")
    truth = read_events(options.events)
    folder = Path(options.folder)
    names = pd.unique(truth["file"].dropna())
    files = [str(folder / name) for name in names]
    done = run_over(files, detector.predict_events)
    found = done.table.assign(file=[names[files.index(file)] for file in done.table["file"]])
    rows = {
        "event_based_f1": event_based_f1(truth, found),
        "segment_based_f1": segment_based_f1(truth, found),
    }
    show(pd.DataFrame({name: [value] for name, value in rows.items()}), options.form)
    return done.code


COMMANDS: dict[str, Callable[[Any], int]] = {"train": train, "evaluate": evaluate}
