"""save, load and inspect."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from skaudio.persistence._archive import (
    Archive,
    RefusedError,
    as_json,
    check_members,
    write_archive,
)
from skaudio.persistence._card import ModelCard, make_card
from skaudio.persistence._decode import TreeReader, user_names
from skaudio.persistence._encode import TreeWriter
from skaudio.persistence._probe import check_probe, make_probe
from skaudio.persistence._versions import versions


def save(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    scores: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> Path:
    """Save an estimator to a file without code, which `load` reads.

    The file is a zip archive of text (JSON), arrays (npy) and weights (safetensors). It contains no
    pickle, no path and no recording. It is written completely or not at all.

    Parameters
    ----------
    estimator : estimator
        Estimator of skaudio or scikit-learn (the user guide lists them), also in Pipelines and
        other containers. A search is saved as its ``best_estimator_``, a `CachedTransformer` as its
        transformer.
    path : str or path-like
        The file. An existing file is replaced.
    scores : mapping of str to float or tuple, default=None
        Results for the card: numbers, or pairs of a number and its standard error.
    description : str, default=None
        A sentence for the card.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError
        If a part of the estimator cannot be stored. The message names it.
    ValueError
        If the model is too large for the format (4 GB), or if two of your functions have the same
        name.
    OSError
        If the file cannot be written. An existing file is not changed.

    See Also
    --------
    load : Load the estimator.
    inspect : Show the content of a file.

    Notes
    -----
    Settings of a machine are not stored: ``n_jobs``, ``memory``, ``data_home``, paths of noise,
    impulse responses and weights, and instances of RandomState. The weights of pretrained networks
    are stored. The names of classes are stored: do not share a file if they are names of people.

    Examples
    --------
    >>> import tempfile
    >>> import skaudio
    >>> from skaudio.datasets import load_spoken_digits
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> net = skaudio.GRUClassifier(skaudio.MFCC(), max_epochs=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = skaudio.save(net, f"{folder}/digits.skaudio", scores={"accuracy": (0.5, 0.02)})
    ...     again = skaudio.load(path)
    >>> bool((again.predict_proba(X) == net.predict_proba(X)).all())
    True
    """
    if not isinstance(estimator, BaseEstimator) or isinstance(estimator, type):
        raise TypeError(f"estimator={estimator!r:.100}: expected an estimator.")
    if description is not None and not isinstance(description, str):
        raise TypeError(f"description={description!r:.100}: expected a str or None.")
    path = Path(path)
    encoder = TreeWriter()
    tree = encoder.encode(estimator, type(estimator).__name__)
    probe = make_probe(getattr(estimator, "best_estimator_", estimator), encoder.encode)
    card = make_card(
        getattr(estimator, "best_estimator_", estimator),
        description=description,
        scores=scores,
        left_out=encoder.left_out,
        needs=encoder.needs,
        licences=encoder.licences,
    )
    parts = {"card.json": card, "model.json": tree, "probe.json": probe}
    members = {name: as_json(value) for name, value in parts.items()}
    members |= encoder.members
    try:
        check_members(members)
    except RefusedError as error:
        raise ValueError(f"{path}: this model is too large for such a file: {error}.") from error
    write_archive(path, members, {"versions": versions()})
    return path


def load(path: str | os.PathLike[str], modules: Mapping[str, Any] | None = None) -> Any:
    """Load an estimator that `save` has stored.

    No code in the file is run, and nothing is downloaded. Predictions that were stored in the file
    are computed again and compared.

    Parameters
    ----------
    path : str or path-like
        The file.
    modules : mapping of str to class or function, default=None
        Your classes and functions that are parameters of the estimator, such as the ``module`` of a
        `NetClassifier`, by their names. The file contains only the names.

    Returns
    -------
    estimator : estimator
        The estimator in the state in which it was saved.

    Raises
    ------
    ValueError
        If the file is not a saved model, is damaged, was changed, has a newer format, or needs
        ``modules``. The message names the file and the reason.
    OSError
        If the file does not exist or cannot be read.

    Warns
    -----
    UserWarning
        If the estimator returns other results than when it was saved.

    See Also
    --------
    save : Save an estimator.
    inspect : Show the content of a file.

    Examples
    --------
    >>> import tempfile
    >>> import skaudio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = skaudio.save(skaudio.MFCC(n_mfcc=13), f"{folder}/mfcc.skaudio")
    ...     skaudio.load(path)
    MFCC(n_mfcc=13)
    """
    if modules is not None and not isinstance(modules, Mapping):
        raise TypeError(
            f"modules={modules!r:.100}: expected a dict of names, such as {{'Net': Net}}."
        )
    path = Path(path)
    given = dict(modules or {})
    try:
        archive = Archive(path)
        _card_of(archive)
        tree, probe = archive.json("model.json"), archive.json("probe.json")
        needed = dict.fromkeys(user_names(tree))
        if missing := [name for name in needed if name not in given]:
            call = ", ".join(f'"{name}": {name}' for name in needed)
            raise RefusedError(
                f"it needs {' and '.join(f'{n:.60}' for n in missing[:5])}, whose code is not in "
                f'the file. Pass it: skaudio.load("{path}", modules={{{call:.300}}})'
            )
        decoder = TreeReader(archive, given)
        estimator = decoder.decode(tree)
        if not isinstance(estimator, BaseEstimator):
            raise RefusedError("it holds no estimator")
        drift = check_probe(estimator, probe, decoder.decode)
        made_by = _versions(archive.manifest)
    except RefusedError as error:
        raise ValueError(f"{path} cannot be loaded: {error}.") from error
    except OSError:
        raise
    except Exception as error:  # a changed file can raise any error
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path} cannot be loaded: it does not fit together ({reason:.300}). Was it changed, "
            "or made by another version?"
        ) from error
    if drift:
        now = versions()
        others = [f"{n} {v} -> {now[n]}" for n, v in made_by.items() if now.get(n, v) != v]
        warnings.warn(
            f"{path}: this model gives other results than when it was saved: {drift}. Versions "
            f"that differ: {', '.join(others) or 'none'}.",
            stacklevel=2,
        )
    return estimator


def inspect(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a saved model, without loading the model.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    card : ModelCard
        A dict that prints as a page of text: estimator, classes, sample rate, parameters that are
        not defaults, scores, versions, licences of pretrained weights, parts that are not stored,
        sizes in bytes, and how to use it.

    Raises
    ------
    ValueError
        If the file is not a saved model, is damaged, or was changed. The message names the file and
        the reason.
    OSError
        If the file does not exist or cannot be read.

    See Also
    --------
    load : Load the estimator.

    Examples
    --------
    >>> import tempfile
    >>> import skaudio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = skaudio.save(skaudio.MFCC(n_mfcc=13), f"{folder}/mfcc.skaudio")
    ...     card = skaudio.inspect(path)
    >>> card["sample_rate"]
    16000
    >>> print(card)  # doctest: +ELLIPSIS
    # MFCC
    <BLANKLINE>
    - sample rate: 16000 Hz
    ...
    """
    path = Path(path)
    try:
        archive = Archive(path)
        facts = _card_of(archive)
        sizes = {n: m["size"] for n, m in archive.manifest["members"].items()}
    except RefusedError as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error
    weights = sum(size for name, size in sizes.items() if name.startswith("weights/"))
    more = {"size": path.stat().st_size, "weights_size": weights}
    return ModelCard(facts | more | {"versions": _versions(archive.manifest)})


def _card_of(archive: Archive) -> dict[str, Any]:
    facts = archive.json("card.json")
    if not isinstance(facts, dict):
        raise RefusedError("its card holds no facts")
    return facts


def _versions(manifest: Mapping[str, Any]) -> dict[str, str]:
    found = manifest.get("versions")
    return {str(n): str(v) for n, v in found.items()} if isinstance(found, dict) else {}
