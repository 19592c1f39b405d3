"""The file of an index: the lists as faiss writes them, facts as JSON, and how long these are.

The facts come last, and are read first: what was cut off is noticed before a byte is mapped.
"""

from __future__ import annotations

import json
import numbers
import os
import secrets
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from skaudio.scale._inverted_lists import InvertedLists

# At the end of a file: a mark, and the lengths of lists and facts.
FOOTER = struct.Struct("<16sQQ")
MARK = b"skaudio index 01"
# Learned numbers.
STATE = ("n_features_in_", "n_samples_fit_", "n_lists_", "n_probes_", "recall_")


def facts_of(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator, and what it learned beside the lists."""
    params = estimator.get_params(deep=False)
    if not isinstance(params["random_state"], numbers.Integral):
        params["random_state"] = None
    state = {name: getattr(estimator, name) for name in STATE}
    if hasattr(estimator, "feature_names_in_"):
        state["feature_names_in_"] = list(estimator.feature_names_in_)
    return {"params": params, "state": state}


def write_index_file(path: str | os.PathLike[str], lists: InvertedLists, facts: Any) -> Path:
    """Write lists and facts to a file, which appears whole or not at all.

    Raises
    ------
    OSError
        If the folder is missing or the disk is full; what was there before is left.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        lists.write(temporary)
        with open(temporary, "ab") as file:
            size, text = file.tell(), json.dumps(facts, default=_plain).encode()
            file.write(text + FOOTER.pack(MARK, size, len(text)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return path


def read_index_file(path: str | os.PathLike[str]) -> tuple[InvertedLists, dict[str, Any]]:
    """Return the lists, mapped, and the facts of a file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no file of an index, or not all of one.
    """
    path = Path(path)
    with open(path, "rb") as file:
        n = file.seek(0, os.SEEK_END)
        file.seek(max(n - FOOTER.size, 0))
        end = file.read()
        mark, size, length = FOOTER.unpack(end.rjust(FOOTER.size))
        if mark != MARK or size + length + FOOTER.size != n:
            raise ValueError(
                f"{path} is no file that ApproximateNeighborsTransformer.save has written, or "
                "not all of it."
            )
        file.seek(size)
        facts = json.loads(file.read(length))
    try:
        lists = InvertedLists.read(path)
        check_state(lists, facts["state"])
    except Exception as error:  # faiss raises errors of several kinds
        raise ValueError(f"{path} is damaged: {error}") from error
    return lists, facts


def check_state(lists: InvertedLists, state: Mapping[str, Any]) -> None:
    """Compare lists with the numbers that were learned beside them.

    Raises
    ------
    ValueError
        If they do not fit each other.
    """
    names = ("n_samples_fit_", "n_features_in_", "n_lists_")
    found, stated = (*lists.shape, lists.n_lists), tuple(state.get(name) for name in names)
    n_probes = state.get("n_probes_")
    if found != stated or type(n_probes) is not int or not 1 <= n_probes <= lists.n_lists:
        raise ValueError(
            f"the index has {found[0]} rows, {found[1]} features and {found[2]} lists, which does "
            f"not fit the rest of the state: {stated}, n_probes_={n_probes!r:.60}"
        )


def _plain(value: Any) -> Any:
    """Return a number of numpy as one of Python."""
    return value.item()
