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

    Recordings are divided into parts. Each part is written when it is complete. If a call is
    interrupted, the same call continues it: finished parts are not computed again. Recordings that
    cannot be read are listed with reasons; the run continues. Memory use depends on ``part_size``,
    and not on the number of recordings.

    Parameters
    ----------
    transformer : transformer
        Transformer from recordings to rows: a Pipeline that ends in a pooling, a pretrained
        embedder, a fitted embedder, or an `AudioTagger` (scores of labels). It must be fitted,
        unless it learns nothing.
    X : sequence of recordings, or path of a folder or of a Parquet file
        Recordings, such as paths or a table of clips (``file``, ``onset``, ``offset``). For a
        folder, all recordings in it at any depth. For a Parquet file, those in its column
        ``file``, which are clips if there are ``onset`` and ``offset``. With dask, recordings must
        be files.
    folder : str or path-like
        Folder for the results: a new one, or one of the same call. All workers need access to it by
        this path.
    dtype : {"float32", "float16"}, default="float32"
        Type of the stored numbers. "float16" needs half of the space, and has a precision of three
        digits.
    part_size : int, default=1000
        Number of recordings per part. An interruption loses at most one part per worker.
    n_jobs : int, default=None
        Number of worker processes of joblib, each with its own copy of the transformer. None: the
        threads of this process, or the workers of an active joblib backend or dask client.
    client : distributed.Client, default=None
        Client of a dask cluster whose workers compute the parts. The workers receive the
        transformer once, and paths; they write the parts. None: the active client, if there is one
        and ``n_jobs`` is None.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i, 0 <= i < n. n calls on n machines with
        a shared folder then need no scheduler.
    retry_failures : bool, default=False
        Whether to compute recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        Action if all recordings of a part (50 or more) fail. "raise": raise an error and write
        nothing for this part, because the usual cause is a missing disk or a wrong transformer.
        "keep": list them as failures.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    state : FolderState
        Numbers of finished recordings and parts, and of recordings that could not be read.

    Raises
    ------
    ValueError
        If the folder contains results of another transformer or another X (the message names the
        difference), or if all recordings of a part fail.
    TypeError
        If the transformer does not return rows.
    OSError
        If the folder is not writable, or the disk is full. Finished parts are kept.

    See Also
    --------
    load_rows : Read the rows, for scikit-learn.
    folder_state : Return the progress of a folder.
    CachedTransformer : Cache of the results of some thousand recordings, for cross-validation.

    Notes
    -----
    ``rows/part-*.parquet`` has the columns ``recording`` (position in X), ``file``, ``onset`` and
    ``offset`` in seconds, ``content`` (SHA-256 of the file) and ``row``;
    ``failures/part-*.parquet`` has ``reason`` instead of ``row``. ``manifest.json`` describes the
    transformer, X and the versions of libraries. Rows are the same for any number of workers.

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
    """Write the labels with the highest scores of each recording into a folder of Parquet files.

    It works like `embed`, but writes the rows of ``tagger.tag``.

    Parameters
    ----------
    tagger : AudioTagger
        `embed` writes its scores of all labels.
    X : sequence of recordings, or path of a folder or of a Parquet file
    folder : str or path-like
    top : int, default=5
        Largest number of labels per recording.
    by_chunk : bool, default=False
        Whether to list the labels of each chunk of a recording.
    part_size : int, default=1000
        Number of recordings per part.
    n_jobs : int, default=None
        Worker processes of joblib.
    client : distributed.Client, default=None
        Client of a dask cluster whose workers compute the parts.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i.
    retry_failures : bool, default=False
        Whether to compute recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        Action if all recordings of a part fail, as in `embed`.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    state : FolderState

    See Also
    --------
    load_events : Read the table.

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

    It works like `embed`, but writes the rows of ``detector.predict_events``.

    Parameters
    ----------
    detector : EventDetector
        Fitted detector.
    X : sequence of recordings, or path of a folder or of a Parquet file
    folder : str or path-like
    part_size : int, default=1000
        Number of recordings per part.
    n_jobs : int, default=None
        Worker processes of joblib.
    client : distributed.Client, default=None
        Client of a dask cluster whose workers compute the parts.
    shard : tuple (i, n), default=None
        Compute only every n-th part, beginning with part i.
    retry_failures : bool, default=False
        Whether to compute recordings again that could not be read before.
    on_failed_part : {"raise", "keep"}, default="raise"
        Action if all recordings of a part fail, as in `embed`.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    state : FolderState

    See Also
    --------
    load_events : Read the table.

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
