"""transform_batches: encode more recordings than fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skaudio._parallel import progress_bar
from skaudio._validation import check_count
from skaudio.audio import check_recordings


class TransformBatchesMixin:
    """Add `transform_batches` to encoders."""

    def transform_batches(self: Any, X: Any, *, batch_size: int = 1000) -> Iterator[Any]:
        """Encode recordings in batches, for more recordings than fit into memory.

        Parameters
        ----------
        X : sequence of recordings
            Recordings. Paths and memory-mapped arrays take no memory until they are read.
        batch_size : int, default=1000
            Number of recordings per batch. Only the output of one batch is held in memory.

        Yields
        ------
        frames : ndarray
            Output of `transform` for the next ``batch_size`` recordings. All batches together are
            equal to the output for the whole X. With ``verbose=1``, one progress bar counts all
            recordings.

        Examples
        --------
        Write the frames into an array on disk, which `numpy.load` opens with ``mmap_mode="r"``:

        >>> import os, tempfile
        >>> import numpy as np
        >>> from skaudio.encoders import MelSpectrogram
        >>> clips = [np.zeros(8000)] * 5  # usually paths
        >>> encoder = MelSpectrogram(target_frames=50)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = os.path.join(folder, "features.npy")
        ...     out = np.lib.format.open_memmap(file, "w+", np.float32, shape=(5, 64, 50))
        ...     done = 0
        ...     for frames in encoder.transform_batches(clips, batch_size=2):
        ...         out[done : done + len(frames)] = frames
        ...         done += len(frames)
        ...     np.load(file, mmap_mode="r").shape
        (5, 64, 50)
        """
        check_count("batch_size", batch_size)
        analysis = self._prepare()
        recordings = check_recordings(self, X, reset=False, finite=False)

        def batches() -> Iterator[Any]:
            with progress_bar(len(recordings), self.verbose) as progress:
                for start in range(0, len(recordings), batch_size):
                    batch = recordings[start : start + batch_size]
                    yield self._encode(batch, analysis, progress)

        return batches()  # wrong parameters and a wrong X raise an error here, before iteration
