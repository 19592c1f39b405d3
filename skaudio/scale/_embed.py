"""Results of collections into folders: `embed`, `tag`, `detect`."""

from __future__ import annotations

import os
from typing import Any

from skaudio._validation import check_choice, check_count
from skaudio.scale._manifest import FolderState
from skaudio.scale._run import run_over_collection


def embed(
    transformer: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    part_size: int = 1000,
    n_jobs: int | None = None,
    client: Any = None,
    shard: tuple[int, int] | None = None,
    retry_failures: bool = False,
    on_failed_part: str = "raise",
    verbose: int = 0,
) -> FolderState:
    """Compute a row for each recording, and write the rows into a folder of Parquet files.

    Recordings are divided into parts. A part is written when it is finished, as a whole. If the
    call ends early, for whatever reason, the same call goes on: finished parts are not computed
    again. Recordings that cannot be read are listed with reasons; they stop nothing. The memory
    that is needed depends on ``part_size``, not on the number of recordings.

    Parameters
    ----------
    transformer : transformer
        From recordings to rows: a Pipeline that ends in a pooling, a pretrained embedder, any
        fitted embedder, an `AudioTagger` (scores of labels). Fitted, if it learns.
    X : sequence of recordings, or path of a folder or of a Parquet file
        Paths, a table of clips (``file``, ``onset``, ``offset``)...; of a folder, all recordings
        in it at any depth; of a Parquet file, those in its column ``file``, which are clips if
        there are ``onset`` and ``offset``. The workers of dask need files.
    folder : str or path-like
        Where to write: a new folder, or one that the same call has made. All workers have to see
        it by this path.
    dtype : {"float32", "float16"}, default="float32"
        Type of the stored numbers. "float16" takes half of the space, and keeps three digits.
    part_size : int, default=1000
        Recordings in a part. Ending a run early loses at most a part per worker.
    n_jobs : int, default=None
        Worker processes of joblib, each with its own copy of the transformer. None: the threads of
        this process, or those workers that an active joblib backend or dask client has.
    client : distributed.Client, default=None
        Let the workers of a dask cluster compute. They receive the transformer once, and paths;
        they write the parts, and return their numbers. None: the active client, where there is
        one and ``n_jobs`` is None.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i, 0 <= i < n. With n calls on n
        machines that share the folder, no scheduler is needed.
    retry_failures : bool, default=False
        Also compute the recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        What to do if all recordings of a part fail, 50 or more. "raise": raise an error and write
        nothing for this part, since a missing disk or an unsuitable transformer is the usual
        cause. "keep": list them as failures.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    state : FolderState
        Numbers of recordings and parts that are done, and of recordings that could not be read.

    Raises
    ------
    ValueError
        If the folder holds results of another transformer or another X, naming the difference; if
        all recordings of a part fail.
    TypeError
        If the transformer returns no rows.
    OSError
        If the folder cannot be written to, or the disk is full. What was written before is kept.

    See Also
    --------
    load_rows : The rows, for scikit-learn.
    folder_state : How far a folder is.
    CachedTransformer : Results of some thousand recordings, kept for folds and grid points.

    Notes
    -----
    ``rows/part-*.parquet`` has the columns ``recording`` (position in X), ``file``, ``onset`` and
    ``offset`` in seconds, ``content`` (SHA-256 of the file) and ``row``;
    ``failures/part-*.parquet`` has ``reason`` in place of ``row``. ``manifest.json`` describes
    the transformer, X and the versions of libraries. Rows are the same for any number of
    workers.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio import MFCC, FramePooling, load_spoken_digits
    >>> from skaudio.scale import embed, load_rows
    >>> X = load_spoken_digits().data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = embed(make_pipeline(MFCC(), FramePooling()), X, folder, part_size=100)
    ...     rows = load_rows(folder)
    >>> state.is_complete, state.n_failed, rows.data.shape
    (True, 0, (300, 40))
    """
    check_choice("dtype", dtype, ("float32", "float16"))
    return run_over_collection(
        transformer,
        X,
        folder,
        kind="rows",
        method="transform",
        options={},
        dtype=dtype,
        part_size=part_size,
        n_jobs=n_jobs,
        client=client,
        shard=shard,
        retry_failures=retry_failures,
        on_failed_part=on_failed_part,
        verbose=verbose,
    )


def tag(
    tagger: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    top: int = 5,
    by_chunk: bool = False,
    part_size: int = 1000,
    n_jobs: int | None = None,
    client: Any = None,
    shard: tuple[int, int] | None = None,
    retry_failures: bool = False,
    on_failed_part: str = "raise",
    verbose: int = 0,
) -> FolderState:
    """List the labels of each recording with the highest scores, in a folder of Parquet files.

    As `embed` in all but what is written: the rows of ``tagger.tag``.

    Parameters
    ----------
    tagger : AudioTagger
        `embed` writes its scores of all labels.
    X : sequence of recordings, or path of a folder or of a Parquet file
    folder : str or path-like
    top : int, default=5
        How many labels of a recording at most.
    by_chunk : bool, default=False
        List them for each chunk of a recording.
    part_size : int, default=1000
        Recordings in a part.
    n_jobs : int, default=None
        Worker processes of joblib.
    client : distributed.Client, default=None
        Let the workers of a dask cluster compute.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i.
    retry_failures : bool, default=False
        Also compute the recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        What to do if all recordings of a part fail.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    state : FolderState

    See Also
    --------
    load_events : The table.

    Notes
    -----
    ``events/part-*.parquet`` has the columns ``recording``, ``file``, ``onset``, ``offset``,
    ``event_label`` and ``score``. ``recordings/part-*.parquet`` lists the recordings that were
    read, ``failures/part-*.parquet`` the others.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio import AudioTagger, load_spoken_digits
    >>> from skaudio.scale import load_events, tag
    >>> X = load_spoken_digits().data[:4]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = tag(AudioTagger("mn01_as", weights="random"), X, folder, top=2)
    ...     load_events(folder).events.shape
    (8, 6)
    """
    check_count("top", top)
    return run_over_collection(
        tagger,
        X,
        folder,
        kind="events",
        method="tag",
        options={"top": int(top), "by_chunk": bool(by_chunk)},
        dtype="",
        part_size=part_size,
        n_jobs=n_jobs,
        client=client,
        shard=shard,
        retry_failures=retry_failures,
        on_failed_part=on_failed_part,
        verbose=verbose,
    )


def detect(
    detector: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    part_size: int = 1000,
    n_jobs: int | None = None,
    client: Any = None,
    shard: tuple[int, int] | None = None,
    retry_failures: bool = False,
    on_failed_part: str = "raise",
    verbose: int = 0,
) -> FolderState:
    """Find the events in each recording, and write them into a folder of Parquet files.

    As `embed` in all but what is written: the rows of ``detector.predict_events``.

    Parameters
    ----------
    detector : EventDetector
        A fitted one.
    X : sequence of recordings, or path of a folder or of a Parquet file
    folder : str or path-like
    part_size : int, default=1000
        Recordings in a part.
    n_jobs : int, default=None
        Worker processes of joblib.
    client : distributed.Client, default=None
        Let the workers of a dask cluster compute.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i.
    retry_failures : bool, default=False
        Also compute the recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        What to do if all recordings of a part fail.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    state : FolderState

    See Also
    --------
    load_events : The table.

    Notes
    -----
    The files are those of `tag`.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio import EventDetector, MelSpectrogram, load_spoken_digits
    >>> from skaudio.scale import detect, load_events
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> encoder = MelSpectrogram(n_mels=16, hop_length=320)
    >>> detector = EventDetector(encoder, channels=(4, 4), max_epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = detect(detector.fit(X[:60], y[:60]), X[:60], folder)
    ...     load_events(folder).events.columns.tolist()
    ['recording', 'file', 'onset', 'offset', 'event_label', 'score']
    """
    return run_over_collection(
        detector,
        X,
        folder,
        kind="events",
        method="predict_events",
        options={},
        dtype="",
        part_size=part_size,
        n_jobs=n_jobs,
        client=client,
        shard=shard,
        retry_failures=retry_failures,
        on_failed_part=on_failed_part,
        verbose=verbose,
    )
