"""Names of the classes of AudioSet, and its ontology."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from skaudio._files import FileState, fetch_file, file_state, get_data_home
from skaudio.pretrained._model_table import MODELS
from skaudio.pretrained._registry import find_model

# Classes of AudioSet that YAMNet does not have. Its classes are in the same order otherwise.
NOT_IN_YAMNET = frozenset(
    {
        "Male speech, man speaking",
        "Female speech, woman speaking",
        "Male singing",
        "Female singing",
        "Battle cry",
        "Funny music",
    }
)
ONTOLOGY_URL = "https://raw.githubusercontent.com/audioset/ontology/master/ontology.json"
ONTOLOGY_FILE = "audioset_ontology.json"
ONTOLOGY_LICENCE = "CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)"


WEAK, STRONG = "audioset_class_labels_indices_527.csv", "audioset_strong_447_classes.csv"


@lru_cache(maxsize=2)  # takes 2 ms, and `AudioTagger.transform` asks several times
def _names(file: str) -> tuple[str, ...]:
    """Return the names of the classes in a file, in order."""
    table = resources.files("skaudio.pretrained") / "data" / file
    rows = csv.DictReader(table.read_text("utf-8").splitlines())
    return tuple(row["display_name"] for row in rows)


def labels_of(kind: str) -> list[str]:
    """Return the names of the classes of a kind of network, in the order of scores.

    Kinds are "audioset", "yamnet" and "audioset_strong".
    """
    names = _names(STRONG if kind == "audioset_strong" else WEAK)
    return [name for name in names if kind != "yamnet" or name not in NOT_IN_YAMNET]


def load_ontology(data_home: Any = None) -> list[dict[str, Any]]:
    """Return the 632 sounds of AudioSet's ontology from the data home; download it if missing.

    Each sound has at least the keys "id", "name" and "child_ids".
    """
    path = get_data_home(data_home) / "pretrained" / ONTOLOGY_FILE
    if not path.is_file():
        by_hand = (
            f"To put it there by hand, download {ONTOLOGY_URL} elsewhere and save it as {path}"
        )
        print(f"Ontology of AudioSet: licence {ONTOLOGY_LICENCE}")
        # 342 780 bytes in 2023.
        fetch_file(
            ONTOLOGY_URL, path, known_hash=None, size=None, max_size=10 << 20, by_hand=by_hand
        )
    return _read_ontology(file_state(path))


@lru_cache(maxsize=2)  # takes 4 ms, and `AudioTagger.transform` asks several times
def _read_ontology(file: FileState) -> list[dict[str, Any]]:
    try:
        sounds = json.loads(Path(file.path).read_text("utf-8"))
        if not isinstance(sounds, list) or not sounds:
            raise ValueError("it is not a list of sounds")
        for sound in sounds:
            sound["id"], sound["name"], sound["child_ids"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{file.path} is not AudioSet's ontology ({type(error).__name__}: {error}): expected "
            f"a JSON list of sounds with id, name and child_ids. Delete it to have it downloaded "
            f"from {ONTOLOGY_URL}."
        ) from error
    return sounds


class RollUp:
    """Map scores of classes to scores of classes and their ancestors, by the maximum.

    Attributes
    ----------
    labels : list of str
        The classes, followed by their ancestors in the ontology that are not classes.
    """

    def __init__(self, classes: Sequence[str], ontology: Sequence[dict[str, Any]]):
        names = {sound["id"]: sound["name"] for sound in ontology}
        children = {
            sound["name"]: [names[c] for c in sound["child_ids"] if c in names]
            for sound in ontology
        }
        index = {name: i for i, name in enumerate(classes)}
        below = {name: sorted(_classes_below(name, children, index)) for name in children}
        above = [name for name in children if below[name] and name not in index]
        self.labels = [*classes, *above]
        # A class that is not in the ontology keeps its score.
        self._members = [np.array(below.get(name) or [index[name]]) for name in self.labels]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Map scores (n_classes, ...) to (n_labels, ...) by the maximum of descendants."""
        return np.stack([scores[members].max(axis=0) for members in self._members])


def _classes_below(name: str, children: dict[str, list[str]], index: dict[str, int]) -> set[int]:
    """Return the classes among a sound and its descendants."""
    found, seen, waiting = set(), set(), [name]
    while waiting:
        sound = waiting.pop()
        if sound not in seen:
            seen.add(sound)
            waiting += children.get(sound, [])
            if sound in index:
                found.add(index[sound])
    return found


def select(classes: Any, labels: Sequence[str], rolled_up: bool) -> np.ndarray:
    """Return the positions of labels; the error for an unknown label suggests another."""
    if classes is None:
        return np.arange(len(labels))
    if isinstance(classes, str):
        raise TypeError(f"classes={classes!r}: expected a sequence, [{classes!r}].")
    position = {name: i for i, name in enumerate(labels)}
    for name in classes:
        if name not in position:
            near = difflib.get_close_matches(str(name), labels, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            more = "" if rolled_up else " Categories above the classes need rollup=True."
            raise ValueError(
                f"classes: {name!r} is none of the {len(labels)} labels of the model.{hint}{more}"
            )
    if not len(classes):
        raise ValueError("classes is empty: expected labels, or None for all.")
    return np.array([position[name] for name in classes])


def all_labels(
    model: str, given: Any, roll_up: bool, data_home: Any
) -> tuple[list[str], RollUp | None]:
    """Return the labels of a model, or the given ones, and the `RollUp` of their scores."""
    entry = find_model(model)
    if given is not None:
        labels = list(given)
    elif entry.labels is None:
        others = ", ".join(repr(name) for name, one in MODELS.items() if one.labels)
        raise ValueError(
            f"model={model!r} has no classes: expected one of {others}. Its features are for "
            "PretrainedEmbedder."
        )
    else:
        labels = labels_of(entry.labels)
    if not roll_up:
        return labels, None
    rollup = RollUp(labels, load_ontology(data_home))
    return rollup.labels, rollup
