"""evaluate_embedder: accuracy of simple classifiers on embeddings, with given folds and groups."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from skaudio._files import get_data_home
from skaudio._parallel import progress_bar
from skaudio._steps import parts_of, transform_plainly
from skaudio._validation import check_count
from skaudio.audio import check_recordings
from skaudio.caching import check_stateless
from skaudio.datasets._audio_files import load_audio_files
from skaudio.datasets._esc10 import fetch_esc10
from skaudio.datasets._esc50 import fetch_esc50
from skaudio.datasets._fsdd import fetch_fsdd
from skaudio.datasets._probes import score_rows
from skaudio.datasets._spoken_digits import load_spoken_digits

# Number of recordings whose rows are computed at once, between two steps of the progress bar.
AT_ONCE = 64


class ProbeSet(NamedTuple):
    """Recordings, what is to be told of them, and what must not be split."""

    X: Any
    y: Any
    groups: Any


def evaluate_embedder(
    embedder: Any,
    sets: Any = "spoken_digits",
    *,
    shots: int = 5,
    data_home: str | os.PathLike[str] | None = None,
    random_state: int | None = None,
    verbose: int = 1,
) -> pd.DataFrame:
    """Score the embeddings of an embedder by simple classifiers, on unseen speakers or folds.

    The embeddings of a data set are computed once. Three classifiers are trained on all groups
    except those that are held out: a linear classifier, the nearest neighbour, and a linear
    classifier with few examples.

    Parameters
    ----------
    embedder : transformer or Pipeline
        Transformer from recordings to rows that learns nothing in `fit`, such as
        `PretrainedEmbedder`, or a Pipeline of an encoder and a pooling. Pass an embedder that was
        trained on other recordings as ``FrozenEstimator(embedder)``.
    sets : str, sequence of str or dict, default="spoken_digits"
        Names of sets:

        - "spoken_digits": the bundled digits, each of the ten voices held out in turn;
        - "fsdd": the digits of the Free Spoken Digit Dataset, each speaker held out in turn;
        - "arabic_digits": recordings in the folder ``arabic_digits`` of the data home
          (``{digit}/{speaker}_{take}.flac``), five folds of speakers;
        - "arabic_voices": the speakers of these recordings, five folds of digits: words that are
          not in the training data;
        - "esc10", "esc50": environmental sounds in their official folds.

        Or a dict from names to ``(X, y, groups)``: recordings, labels, and groups to hold out.
    shots : int, default=5
        Number of examples per class of the third classifier.
    data_home : path, default=None
        Folder of downloaded files. None: the folder that :func:`skaudio.datasets.get_data_home`
        returns.
    random_state : int or None, default=None
        Seed of the examples of the third classifier, ten draws in each fold.
    verbose : int, default=1
        Whether to show a progress bar.

    Returns
    -------
    table : DataFrame
        A row per set, with the set's name as index:

        - ``n_recordings``, ``n_classes``, ``n_groups``, ``n_features``;
        - ``linear``: accuracy of logistic regression (C=1) on standardised rows;
        - ``nearest``: accuracy of the nearest neighbour by angle;
        - ``few_shot``: accuracy of the linear classifier with ``shots`` examples per class;
        - ``linear_se``, ``nearest_se``, ``few_shot_se``: standard errors;
        - ``rows_per_second``: number of recordings decoded and embedded per second on this machine;
        - ``megabytes``: size of the weights.

    Raises
    ------
    ValueError
        If a data set is unknown, or if the embedder learns in `fit` or returns frames.

    Notes
    -----
    Accuracies are means over groups (speakers, digits or folds), and standard errors are those of
    these means: ``std(ddof=1) / sqrt(n_groups)``. Up to ten groups are held out one by one, more
    in five folds.

    Recordings of one speaker, or cut from one recording, are never in both the training and the
    test part. Scores with random folds of ESC-50, as in some public tables, are higher.

    The settings of the classifiers are fixed, so nothing is chosen on the groups that are held out.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudio
    >>> mfcc = make_pipeline(skaudio.MFCC(), skaudio.FramePooling())
    >>> table = skaudio.evaluate_embedder(mfcc, verbose=0)
    >>> table.loc["spoken_digits", ["n_recordings", "n_groups", "n_features"]].tolist()
    [300, 10, 40]
    >>> bool(table.loc["spoken_digits", "linear"] > 0.5)
    True
    """
    check_count("shots", shots)
    frozen = isinstance(embedder, FrozenEstimator)
    if not frozen:
        check_stateless(embedder)
    rows = {}
    for name, make in _tasks(sets, data_home).items():
        X, y, groups = make()
        X = [recording.as_item() for recording in check_recordings(None, X, reset=False)]
        ready = embedder if frozen else clone(embedder).fit(X[:1])
        embeddings, seconds = embed(ready, X, name, verbose)
        facts = {
            "n_recordings": len(y),
            "n_classes": len(np.unique(y)),
            "n_groups": len(np.unique(groups)),
            "n_features": embeddings.shape[1],
        }
        scores = score_rows(embeddings, y, groups, shots=shots, random_state=random_state)
        size = sum(map(megabytes, [ready, *(part for _, part in parts_of(ready))]))
        rows[name] = {**facts, **scores, "rows_per_second": len(y) / seconds, "megabytes": size}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("set")


def embed(embedder: Any, X: list[Any], name: str, verbose: int) -> tuple[np.ndarray, float]:
    """Return the rows of recordings, and how many seconds they took."""
    parts = []
    start = time.perf_counter()
    with progress_bar(len(X), verbose) as progress:
        for i in range(0, len(X), AT_ONCE):
            part = np.asarray(transform_plainly(embedder, X[i : i + AT_ONCE]))
            if part.ndim != 2 or part.dtype.kind not in "fiu":
                raise ValueError(
                    f"embedder={embedder!r:.100} returns frames for {name!r}, expected one row per "
                    "recording: pooling='mean', or a FramePooling after it."
                )
            parts.append(part)
            progress(len(part))
    return np.concatenate(parts), time.perf_counter() - start


def megabytes(part: Any) -> float:
    """Return the size of the weights of the network of an estimator."""
    net = getattr(part, "net_", None)
    net = getattr(net, "module_", net)
    if not isinstance(net, nn.Module):
        return 0.0
    tensors = net.state_dict().values()
    return sum(int(t.numel() * t.element_size()) for t in tensors) / 1e6


def _tasks(sets: Any, data_home: Any) -> dict[str, Callable[[], ProbeSet]]:
    """Return functions that load the sets that are asked for, by name."""
    if isinstance(sets, Mapping):
        return {name: _given(name, task) for name, task in sets.items()}
    names = (
        [sets] if isinstance(sets, str) else list(sets) if isinstance(sets, Iterable) else [sets]
    )
    for name in names:
        if name not in _SETS:
            known = ", ".join(map(repr, _SETS))
            raise ValueError(f"sets={name!r}: expected {known}, a list of these, or a dict.")
    return {name: _loader(name, data_home) for name in names}


def _loader(name: str, data_home: Any) -> Callable[[], ProbeSet]:
    return lambda: _SETS[name](data_home)


def _given(name: Any, task: Any) -> Callable[[], ProbeSet]:
    if not isinstance(task, tuple) or len(task) != 3:
        raise ValueError(f"sets={{{name!r}: ...}}: expected a tuple of X, y and groups.")
    return lambda: ProbeSet(task[0], np.asarray(task[1]), np.asarray(task[2]))


def _of(data: Any) -> ProbeSet:
    return ProbeSet(data.data, np.asarray(data.target), np.asarray(data.groups))


def _arabic(data_home: Any) -> ProbeSet:
    folder = get_data_home(data_home) / "arabic_digits"
    return _of(load_audio_files(folder, groups=r"/(\d+)_"))


def _arabic_voices(data_home: Any) -> ProbeSet:
    X, digits, speakers = _arabic(data_home)
    return ProbeSet(X, speakers, digits)


_SETS: dict[str, Callable[[Any], ProbeSet]] = {
    "spoken_digits": lambda data_home: _of(load_spoken_digits()),
    "fsdd": lambda data_home: _of(fetch_fsdd(data_home=data_home, verbose=0)),
    "arabic_digits": _arabic,
    "arabic_voices": _arabic_voices,
    "esc10": lambda data_home: _of(fetch_esc10(data_home=data_home, verbose=0)),
    "esc50": lambda data_home: _of(fetch_esc50(data_home=data_home, verbose=0)),
}
