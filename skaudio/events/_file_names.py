"""What recordings are called in tables of events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from skaudio.audio import AudioBatch


def file_names(X: Any) -> list[Any]:
    """Return what the column ``file`` calls each recording of X: its path, or else its position.

    Parameters
    ----------
    X : sequence of recordings, or of frames

    Returns
    -------
    names : list of str or int
        As given in X: a relative path stays one. An `AudioBatch` has names of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.events import file_names
    >>> file_names(["a.wav", "b.wav"]), file_names(np.zeros((2, 16000)))
    (['a.wav', 'b.wav'], [0, 1])
    """
    if isinstance(X, AudioBatch):
        return [i if name is None else name for i, name in enumerate(X.names)]
    if hasattr(X, "iloc"):
        X = X if X.ndim == 1 else X.iloc[:, 0]
        X = X.tolist()
    return [_name(X[i], i) for i in range(len(X))]


def _name(item: Any, position: int) -> Any:
    if isinstance(item, (str, os.PathLike)):
        return str(os.fsdecode(item))
    path = item.get("path") if isinstance(item, Mapping) else getattr(item, "path", None)
    return position if path is None else str(os.fsdecode(path))
