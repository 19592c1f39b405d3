"""Events from the scores of a tagger over time, without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skaudio._validation import check_length
from skaudio.audio import check_recordings
from skaudio.events import file_spans, frames_to_events


class TaggedEventsMixin:
    """The times of frames, and the events in them, for taggers."""

    def frame_times(self: Any, n_frames: Any) -> np.ndarray:
        """Return the times of the centres of frames in seconds, for ``pooling=None``.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames)
            Number of frames, or an array of frames, whose last axis is counted.

        Returns
        -------
        times : ndarray of shape (n_frames,)
        """
        net = self._net()  # fine-tuned classes are those of chunks
        if net.frame_duration is None:
            return np.asarray(self.chunk_times(n_frames).mean(axis=1))
        n_frames = check_length("n_frames", n_frames)
        return np.asarray(net.frame_start + np.arange(n_frames) * net.frame_duration)

    def predict_events(
        self: Any,
        X: Any,
        *,
        threshold: Any = None,
        hysteresis: Any = 1.0,
        median_filter: Any = 0.36,
        min_duration: Any = 0.0,
        max_gap: Any = 0.0,
    ) -> pd.DataFrame:
        """Return the events in recordings.

        Events are as exact as the frames: 40 ms for "frame_mn06" and "frame_mn10", 10 ms for
        "panns_cnn14_decision_level_max", ``chunk_hop`` for the other networks, which score chunks.

        Parameters
        ----------
        X : sequence of recordings
        threshold : float, dict of label to float or array of shape (n_labels,), default=None
            Lowest score of a label at which an event begins, between 0 and 1. None: the
            ``threshold`` of the tagger, or 0.5.
        hysteresis : float, or array of shape (n_labels,), default=1.0
            Share of the threshold at which an event ends.
        median_filter : float, or array of shape (n_labels,), default=0.36
            Length of the running median over scores in seconds. The default, 9 frames of 40 ms, is
            that of the authors of "frame_mn06" and "frame_mn10".
        min_duration, max_gap : float, or array of shape (n_labels,), default=0.0
            Shorter events are dropped and shorter gaps are filled, in seconds.

        Returns
        -------
        events : DataFrame
            ``file`` (the path, or the position in X, see `skaudio.events.file_names`), ``onset``
            and ``offset`` in seconds, ``event_label``, and ``score``, the mean score. Recordings
            that cannot be read have no events with ``on_error="nan"``.

        See Also
        --------
        skaudio.events.frames_to_events : How scores become events.

        Examples
        --------
        >>> from skaudio.datasets import load_spoken_digits
        >>> from skaudio.pretrained import AudioTagger
        >>> digits = load_spoken_digits()
        >>> tagger = AudioTagger("yamnet", weights="random", classes=["Speech", "Dog"])
        >>> tagger.predict_events(digits.data[:2], threshold=0.1).columns.tolist()
        ['file', 'onset', 'offset', 'event_label', 'score']
        """
        self._check()
        if threshold is None:
            threshold = 0.5 if self.threshold is None else self.threshold
        spans = file_spans(X)
        recordings = check_recordings(self, X, reset=False, finite=False)
        labels = self.get_feature_names_out().tolist()
        step = self._net().frame_duration
        if step is None:
            step = float(self.chunk_times(2)[1, 0])
        tables = []
        sequences = self._sequences(recordings, frames=True)
        for span, (scores, n_samples) in zip(spans, sequences, strict=True):
            readable = scores if n_samples else scores[:, :0]
            table = frames_to_events(
                readable,
                self.frame_times(readable),
                labels,
                threshold=threshold,
                hysteresis=hysteresis,
                median_filter=median_filter,
                min_duration=min_duration,
                max_gap=max_gap,
                frame_duration=step,
                file=span.name,
            )
            table["offset"] = table["offset"].clip(upper=n_samples / self.sample_rate)
            table[["onset", "offset"]] += span.start
            tables.append(table[table["offset"] > table["onset"]])
        found = [table for table in tables if len(table)]
        return pd.concat(found, ignore_index=True) if found else tables[0]
