"""One run over a collection: what is there is compared, what is missing is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skaudio._parallel import progress_bar
from skaudio._validation import check_choice, check_count, is_number
from skaudio.scale._engines import run_all
from skaudio.scale._identity import model_digest
from skaudio.scale._manifest import FolderState, folder_state, make_manifest, settle_manifest
from skaudio.scale._parts import FAILURES, FOLDERS, MAPPED, parquet, parts_in, remove_leftovers
from skaudio.scale._sources import Collection
from skaudio.scale._tasks import Job, Task


def run_over_collection(
    estimator: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    kind: str,
    method: str,
    options: dict[str, Any],
    dtype: str,
    part_size: int,
    n_jobs: int | None,
    client: Any,
    shard: tuple[int, int] | None,
    retry_failures: bool,
    on_failed_part: str,
    verbose: int,
) -> FolderState:
    """Compute the parts that a folder lacks; see `skaudio.scale.embed`."""
    parquet()  # an error now, not after the first part
    check_count("part_size", part_size)
    check_choice("on_failed_part", on_failed_part, ("raise", "keep"))
    first, step = _check_shard(shard)
    _check_estimator(estimator, method)
    collection = Collection(X)
    folder = Path(folder).expanduser().absolute()
    digest = model_digest(estimator)
    manifest = make_manifest(
        estimator,
        digest=digest,
        kind=kind,
        method=method,
        options=options,
        dtype=dtype,
        part_size=part_size,
        recordings={"n": collection.n, "digest": collection.digest()},
    )
    settle_manifest(folder, manifest)
    remove_leftovers(folder)
    own = range(first, -(-collection.n // part_size), step)
    finished = set(parts_in(folder, FOLDERS[kind][0]))
    failed = set(parts_in(folder, FAILURES)) if retry_failures else set()
    todo = [part for part in own if part not in finished or part in failed]
    if not todo:
        return folder_state(folder)
    if (folder / MAPPED).exists():  # made of the parts that were there
        os.unlink(folder / MAPPED)

    def task(part: int) -> Task:
        start = part * part_size
        return Task(part, start, collection.part(start, start + part_size), part in finished)

    job = Job(str(folder), kind, method, options, dtype, digest, on_failed_part == "keep")
    n_own, n_todo = (collection.count(parts, part_size) for parts in (own, todo))
    with progress_bar(n_own, verbose) as progress:
        progress(n_own - n_todo)
        for receipt in run_all(estimator, job, map(task, todo), n_jobs=n_jobs, client=client):
            progress(receipt.n)
    remove_leftovers(folder)
    _check_written(folder, kind, todo)
    return folder_state(folder)


def _check_written(folder: Path, kind: str, parts: Iterable[int]) -> None:
    lost = set(parts) - set(parts_in(folder, FOLDERS[kind][0]))
    if lost:
        raise OSError(
            f"{len(lost)} parts were computed, but are not in {folder}, the first is {min(lost)}: "
            "do the workers write into another folder of that name?"
        )


def _check_shard(shard: Any) -> tuple[int, int]:
    if shard is None:
        return 0, 1
    pair = isinstance(shard, (tuple, list)) and len(shard) == 2
    if not pair or not all(is_number(value, int) for value in shard):
        raise TypeError(f"shard={shard!r}: expected a pair (i, n) of whole numbers.")
    i, n = shard
    if not 0 <= i < n:
        raise ValueError(
            f"shard={tuple(shard)}: expected (i, n) with 0 <= i < n. The first of {n} shards is "
            f"(0, {n})."
        )
    return i, n


def _check_estimator(estimator: Any, method: str) -> None:
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"{estimator!r:.100}: expected an estimator of recordings.")
    name = type(estimator).__name__
    if not hasattr(estimator, method):
        others = {"transform": "embed", "tag": "tag", "predict_events": "detect"}
        fits = [other for has, other in others.items() if hasattr(estimator, has)]
        hint = f": use skaudio.scale.{' or '.join(fits)}" if fits else ""
        raise TypeError(f"{name} has no method {method}{hint}.")
    if isinstance(estimator, BaseEstimator):
        check_is_fitted(estimator)
