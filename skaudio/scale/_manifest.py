"""The manifest of a folder: its results, its recordings, and the progress."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from skaudio.persistence import versions
from skaudio.scale._parts import FAILURES, FOLDERS, parquet, part_path, parts_in, write_whole

FORMAT = 1
NAME = "manifest.json"
# Facts that must be equal to continue a run, and their names in messages.
FIXED = {
    "format": "the format of the folder",
    "kind": "the kind of results",
    "method": "the method",
    "options": "the options",
    "dtype": "dtype",
    "part_size": "part_size",
    "estimator": "the estimator",
    "recordings": "X",
}


@dataclass(frozen=True)
class FolderState:
    """The progress of the results in a folder.

    Attributes
    ----------
    folder : str
    estimator : str
        The estimator with its parameters.
    n_recordings : int
        Number of recordings in X.
    n_parts, n_finished : int
        Number of parts of X, and of finished parts.
    n_done : int
        Number of recordings in finished parts.
    n_failed : int
        Number of these recordings that could not be read.
    missing : tuple of int
        Numbers of the first hundred parts that are not finished.
    """

    folder: str
    estimator: str
    n_recordings: int
    n_parts: int
    n_finished: int
    n_done: int
    n_failed: int
    missing: tuple[int, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all parts are finished."""
        return self.n_finished == self.n_parts

    def __str__(self) -> str:
        share = f"{self.n_done} of {self.n_recordings} recordings done"
        parts = f"{self.n_finished} of {self.n_parts} parts"
        failed = f", {self.n_failed} could not be read" if self.n_failed else ""
        return f"{self.folder}: {share} ({parts}){failed}"


def make_manifest(
    estimator: Any,
    *,
    digest: str,
    kind: str,
    method: str,
    options: dict[str, Any],
    dtype: str,
    part_size: int,
    recordings: dict[str, Any],
) -> dict[str, Any]:
    """Return the facts of a folder as JSON objects."""
    text = " ".join(repr(estimator).split())
    return {
        "format": FORMAT,
        "kind": kind,
        "method": method,
        "options": options,
        "dtype": dtype,
        "part_size": part_size,
        "estimator": {"text": f"{text:.2000}", "digest": digest},
        "recordings": recordings,
        "versions": versions(),
    }


def settle_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a new folder, or compare it with the one that is there.

    Raises
    ------
    ValueError
        If the folder holds other results, or files of something else.
    """
    if not (folder / NAME).exists():
        known = {name for names in FOLDERS.values() for name in names} | {FAILURES}
        strange = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        if any(name not in known and not name.startswith(".") for name in strange):
            raise ValueError(
                f"folder={str(folder)!r} holds other files ({sorted(strange)[0]!r}...), expected "
                "the name of a new folder, or a folder that was made by the same call."
            )
        write_whole(folder / NAME, json.dumps(manifest, indent=1).encode())
    there = read_manifest(folder)  # that of another process, if that was quicker
    differing = [name for name in FIXED if _identity(there[name]) != _identity(manifest[name])]
    if differing:
        raise ValueError(
            f"folder={str(folder)!r} holds other results: "
            + "; ".join(_difference(name, there.get(name), manifest[name]) for name in differing)
            + ". Use another folder, or remove this one."
        )
    _compare_versions(folder, there["versions"], manifest["versions"])


def _identity(fact: Any) -> Any:
    """Return what has to be the same: of an estimator and of X, the hash."""
    return fact["digest"] if isinstance(fact, dict) and "digest" in fact else fact


def _difference(name: str, there: Any, here: Any) -> str:
    if name == "estimator" and isinstance(there, dict):
        if there.get("text") == here["text"]:
            return f"{FIXED[name]} {here['text']:.200} has learned something else, or other weights"
        return f"{FIXED[name]} is {there.get('text', '?')[:300]} there, {here['text']:.300} here"
    if name == "recordings" and isinstance(there, dict):
        if there.get("n") == here["n"]:
            return "X has as many recordings, but other ones, or in another order"
        return f"X has {there.get('n')} recordings there, {here['n']} here"
    return f"{FIXED[name]} is {there!r} there, {here!r} here"


def _compare_versions(folder: Path, there: dict[str, str], here: dict[str, str]) -> None:
    others = [f"{n} {v} -> {here[n]}" for n, v in there.items() if here.get(n, v) != v]
    if there.get("skaudio") != here["skaudio"]:
        raise ValueError(
            f"folder={str(folder)!r} was made by another version of skaudio ({others[0]}), which "
            "may compute something else. Install that version, or use another folder."
        )
    if others:
        warnings.warn(
            f"{folder} was made with other versions of libraries ({', '.join(others)}): results "
            "of the remaining parts may be rounded otherwise.",
            stacklevel=4,
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder.

    Raises
    ------
    ValueError
        If there is none, or it is damaged or of a newer format.
    """
    try:
        content: dict[str, Any] = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise ValueError(
            f"folder={os.fspath(folder)!r} has no {NAME}: expected a folder that "
            "skaudio.scale.embed, tag or detect has made."
        ) from None
    except ValueError as error:
        raise ValueError(f"{folder / NAME} is damaged: {error}.") from error
    known = isinstance(content, dict) and {*FIXED, "versions"} <= content.keys()
    if not known or content["format"] != FORMAT:
        raise ValueError(
            f"{folder / NAME} is not a manifest of format {FORMAT}, the one this version reads."
        )
    return content


def folder_state(folder: str | os.PathLike[str]) -> FolderState:
    """Return the progress of the results in a folder.

    Parameters
    ----------
    folder : str or path-like
        Folder of `embed`, `tag` or `detect`. Other processes may be writing to it.

    Returns
    -------
    state : FolderState
        ``is_complete``, numbers of recordings and parts, failures, and missing parts. It prints as
        one line.

    Raises
    ------
    ValueError
        If the folder has no such results.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio import MFCC, FramePooling, load_spoken_digits
    >>> from skaudio.scale import embed, folder_state
    >>> X = load_spoken_digits().data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = make_pipeline(MFCC(), FramePooling())
    ...     state = embed(model, X, folder, part_size=100, shard=(0, 2))  # parts 0 and 2
    ...     folder_state(folder).missing
    (1,)
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    n, size = manifest["recordings"]["n"], manifest["part_size"]
    n_parts = -(-n // size)
    finished = set(parts_in(folder, FOLDERS[manifest["kind"]][0]))
    n_done = len(finished) * size
    if n_parts - 1 in finished:
        n_done -= n_parts * size - n
    failed = [part for part in parts_in(folder, FAILURES) if part in finished]
    rows_in = parquet().parquet.read_metadata
    missing = (part for part in range(n_parts) if part not in finished)
    return FolderState(
        folder=str(folder),
        estimator=manifest["estimator"]["text"],
        n_recordings=n,
        n_parts=n_parts,
        n_finished=len(finished),
        n_done=n_done,
        n_failed=sum(rows_in(part_path(folder, FAILURES, part)).num_rows for part in failed),
        missing=tuple(islice(missing, 100)),
    )
