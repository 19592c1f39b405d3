"""Hashes of recordings and models, by which stored rows are identified."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from skaudio._files import file_hash
from skaudio._steps import parts_of
from skaudio.audio import Recording
from skaudio.caching import IGNORED, transformer_facts
from skaudio.persistence import estimator_tree

# Attributes that scikit-learn and `check_recordings` set, without an effect on results.
NOTES = frozenset({"_sklearn_output_config", "_sklearn_version", "_stated_rates"})


class Digest:
    """A hash of a sequence of values, including the boundaries between values."""

    def __init__(self) -> None:
        self._made = hashlib.blake2b(digest_size=20)

    def add(self, content: bytes) -> None:
        """Add a value."""
        self._made.update(len(content).to_bytes(8, "little"))
        self._made.update(content)

    def hex(self) -> str:
        """Return 40 hexadecimal digits."""
        return self._made.hexdigest()


def samples_digest(source: Any) -> str:
    """Return the hash of a recording that is not a file: encoded bytes, samples or a decoder."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    if not isinstance(source, np.ndarray):
        source = np.asarray(source.get_all_samples().data)
    array = np.ascontiguousarray(source)
    head = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def content_of(recording: Recording) -> str:
    """Return the SHA-256 of the file of a recording, or of its samples."""
    source = recording.source
    return file_hash(source) if isinstance(source, str) else samples_digest(source)


def model_digest(estimator: Any) -> str:
    """Return a hash of everything that affects the results of an estimator.

    Parameters such as ``n_jobs`` are not included. A fitted estimator has the same hash after
    `skaudio.save` and `skaudio.load`. For functions and classes of the user, which cannot be saved,
    code and learned state are hashed.

    Raises
    ------
    TypeError
        If the content of a part cannot be described. The message contains advice.
    """
    digest = Digest()
    try:
        tree, members, needs = estimator_tree(estimator)
    except TypeError:
        tree = needs = None
    if tree is None or needs:
        digest.add(json.dumps(transformer_facts(estimator), sort_keys=True).encode())
        digest.add(joblib.hash(_learned(estimator)).encode())
        return digest.hex()
    digest.add(json.dumps(_without_notes(tree), sort_keys=True).encode())
    for name, content in members.items():
        digest.add(name.encode())
        digest.add(content)
    return digest.hex()


def _without_notes(tree: Any) -> Any:
    """Return a tree of JSON without the items that do not affect results."""
    if isinstance(tree, list):
        return [_without_notes(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kept = {name: _without_notes(value) for name, value in tree.items()}
    if tree.get("t") == "estimator":
        kept["params"] = {n: v for n, v in kept["params"].items() if n not in IGNORED}
        kept["state"] = {n: v for n, v in kept["state"].items() if n not in NOTES}
    return kept


def _learned(estimator: Any) -> list[Any]:
    """Return the learned state of the parts of an estimator, by name."""
    found = []
    for place, part in [("", estimator), *parts_of(estimator)]:
        if isinstance(part, BaseEstimator) and not isinstance(part, type):
            left = NOTES | part.get_params(deep=False).keys()
            state = {n: v for n, v in part.__getstate__().items() if n not in left}
            found.append((place, state))
    return found
