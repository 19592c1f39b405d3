"""AudioTagger: scores of the classes of AudioSet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from skaudio._validation import Checked, check_count, choice, count, flag, number
from skaudio.audio import check_recordings
from skaudio.frames import pack
from skaudio.pretrained._audioset_labels import RollUp, all_labels, labels_of, select
from skaudio.pretrained._chunk_stream import StreamParts
from skaudio.pretrained._extraction import POOLS, in_order
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._pretrained_transformer import LABELS, WEIGHTS, PretrainedTransformer
from skaudio.pretrained._registry import find_model
from skaudio.pretrained._tagged_events import TaggedEventsMixin


class AudioTagger(TaggedEventsMixin, PretrainedTransformer):
    """Score recordings for each class of AudioSet, with a pretrained network.

    Scores are between 0 and 1, one for each class. They are not calibrated probabilities: compare
    the scores of one class for different recordings, not the scores of different classes.

    Parameters
    ----------
    model : str, default="mn04_as"
        Network with classes, see the table in the user guide.
    weights : path, sequence of paths or "random", default=None
        Weights of the network, as for :class:`PretrainedEmbedder`.
    pooling : {"mean", "max", None}, default="mean"
        How to pool the scores of the chunks of a recording. None returns an array
        ``(n_labels, n_frames)`` per recording: one frame per chunk, or one every 40 ms for
        "frame_mn06" and "frame_mn10" and every 10 ms for "panns_cnn14_decision_level_max".
    classes : sequence of str, default=None
        The labels to score. None: all labels.
    threshold : float, default=None
        Lowest score of the labels that `tag` lists; None: no limit. Also that of events, where None
        is 0.5.
    rollup : bool, default=False
        Whether to use the maximum score over a class and its descendants in AudioSet's ontology:
        "Animal" includes "Dog". Categories above the classes, such as "Human sounds", are added.
        The ontology is read from the data home, or downloaded.
    labels : sequence of str, default=None
        Names of the outputs of fine-tuned weights. None: AudioSet's names.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is the length with which the network was trained. None:
        the whole recording is one chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is the default of the
        network or, if ``chunk_duration`` is a number, that number (no overlap).
    on_error : {"raise", "nan"}, default="raise"
        Action for unreadable recordings (missing or damaged files, NaN samples). "raise": raise one
        error that lists up to ten of them. "nan": return a frame, or a row, of NaN for each, and
        warn.
    batch_size : int, default=None
        Number of chunks per call of the network. None: 1 to 8 on the CPU, depending on the length
        of chunks, and 32 on other devices.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the network. The front end is always computed in float32. "auto" is float32, so
        that embeddings agree between machines.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    model_params : dict, default=None
        Parameters of the class of the network, such as ``{"n_classes": 10}`` for fine-tuned
        weights.
    data_home : path, default=None
        Folder of downloaded files. None: the folder that :func:`skaudio.datasets.get_data_home`
        returns.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    net_ : torch.nn.Module
        The network. It can be fine-tuned: `transform` uses its current weights.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    PretrainedEmbedder : The features from which the scores are computed.

    Notes
    -----
    Nothing is learned in `fit`; `transform` and `tag` work without it. ``rollup`` uses the maximum,
    a lower bound of the probability that any of the sounds is present.

    References
    ----------
    Gemmeke et al. 2017, "Audio Set: An ontology and human-labeled dataset for audio events".

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import AudioTagger
    >>> digits = load_spoken_digits()
    >>> tagger = AudioTagger("mn01_as", weights="random")  # default: official weights
    >>> tagger.transform(digits.data[:3]).shape
    (3, 527)
    >>> table = tagger.tag(digits.data[:3], top=2)
    >>> table.columns.tolist(), len(table)
    (['file', 'onset', 'offset', 'event_label', 'score'], 6)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "model": Checked("str", lambda name, value: find_model(value)),
        "weights": WEIGHTS,
        "batch_size": count() | choice(None),
        "pooling": choice("mean", "max", None),
        "classes": LABELS | choice(None),
        "labels": LABELS | choice(None),
        "threshold": number(0, 1) | choice(None),
        "rollup": flag(),
    }

    def __init__(
        self,
        model: str = "mn04_as",
        *,
        weights: Any = None,
        pooling: str | None = "mean",
        classes: Any = None,
        threshold: float | None = None,
        rollup: bool = False,
        labels: Any = None,
        chunk_duration: Any = "auto",
        chunk_hop: Any = "auto",
        on_error: str = "raise",
        batch_size: int | None = None,
        precision: str = "auto",
        device: Any = "cpu",
        model_params: dict[str, Any] | None = None,
        data_home: Any = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.weights = weights
        self.pooling = pooling
        self.classes = classes
        self.threshold = threshold
        self.rollup = rollup
        self.labels = labels
        self.chunk_duration = chunk_duration
        self.chunk_hop = chunk_hop
        self.on_error = on_error
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.model_params = model_params
        self.data_home = data_home
        self.verbose = verbose

    def transform(self, X: Any) -> Any:
        """Score recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        scores : ndarray of shape (n_recordings, n_labels), float32
            Scores. With ``pooling=None``, frames of shape ``(n_recordings, n_labels, n_frames)``,
            or a 1-D object array of arrays ``(n_labels, n_frames)`` if their lengths differ.
        """
        self._check()
        recordings = check_recordings(self, X, reset=False, finite=False)
        frames = self.pooling is None
        sequences = (scores for scores, _ in self._sequences(recordings, frames=frames))
        if self.pooling is None:
            packed = pack(sequences, len(recordings))
            return self._wrap(packed, recordings.index, self.get_feature_names_out)
        rows = np.stack([POOLS[self.pooling](scores, axis=1) for scores in sequences])
        return self._wrap(rows, recordings.index, self.get_feature_names_out, table=True)

    def tag(self, X: Any, *, top: int = 5, by_chunk: bool = False) -> Any:
        """List the labels with the highest scores, as a table of events.

        Parameters
        ----------
        X : sequence of recordings
        top : int, default=5
            Largest number of labels. Labels below ``threshold`` are left out.
        by_chunk : bool, default=False
            Whether to list the labels of each chunk instead of the whole recording.

        Returns
        -------
        table : DataFrame
            Columns: ``file`` (the path, or else the label in the index of X, or the position),
            ``onset`` and ``offset`` of the recording or chunk in seconds, ``event_label`` and
            ``score``, sorted by score within a recording or chunk. With ``on_error="nan"``, only
            ``file`` is set for a recording that cannot be read.
        """
        import pandas as pd

        self._check()
        check_count("top", top)
        recordings = check_recordings(self, X, reset=False, finite=False)
        index = range(len(recordings)) if recordings.index is None else recordings.index
        named = [(r.path or i, r.start) for r, i in zip(recordings, index, strict=True)]
        labels, least = self.get_feature_names_out(), self.threshold or 0.0
        rows = []
        chunking = self._chunking(self._net())
        sequences = self._sequences(recordings, frames=False)
        for (name, start), (scores, n_samples) in zip(named, sequences, strict=True):
            if n_samples == 0:  # it cannot be read
                rows.append((name, np.nan, np.nan, None, np.nan))
                continue
            bounds = chunking.bounds(n_samples) if by_chunk else [(0, n_samples)]
            times = start + np.minimum(bounds, n_samples) / self.sample_rate
            columns = scores.T if by_chunk else [POOLS[self.pooling or "mean"](scores, axis=1)]
            for span, column in zip(times.tolist(), columns, strict=True):
                best = [k for k in np.argsort(-column, kind="stable")[:top] if column[k] >= least]
                rows += [(name, *span, labels[k], float(column[k])) for k in best]
        return pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label", "score"])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the labels, in the order of the columns of scores.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        labels : ndarray of str, of shape (n_labels,)
        """
        labels = self._all_labels()[0]
        chosen = select(self.classes, labels, self.rollup)
        names: np.ndarray = np.array(labels, dtype=object)[chosen]
        return names

    def _all_labels(self) -> tuple[list[str], RollUp | None]:
        return all_labels(self.model, self.labels, self.rollup, self.data_home)

    def _sequences(self, recordings: Any, *, frames: bool) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the scores (n_labels, n_frames), or (n_labels, n_chunks), of each recording.

        The second value is its number of samples at the sample rate of the network.
        """
        self._check_net(self._net())
        call, hop = self._reading(frames)
        scores_of = self._scorer()
        for chunks, n_samples in self._extract(recordings, call):
            if chunks:
                yield scores_of(in_order(chunks, hop)), n_samples
            else:  # it cannot be read
                yield np.full((len(self.get_feature_names_out()), 1), np.nan, np.float32), 0

    def _reading(self, frames: bool) -> tuple[Any, float]:
        """Return the function to read the network, and the hop of chunks in frames (0: one)."""
        net = self._net()
        step = net.frame_duration if frames else None
        logits_of: Any = attrgetter("logits" if step is None else "frame_logits")
        hop = 0.0 if step is None else self._chunking(net).hop / (step * self.sample_rate)
        return lambda net, x: logits_of(net(x)), hop

    def _scorer(self) -> Callable[[np.ndarray], np.ndarray]:
        labels, rollup = self._all_labels()
        chosen = select(self.classes, labels, self.rollup)
        return lambda logits: (rollup or np.asarray)(expit(logits))[chosen]

    def _stream_parts(self) -> StreamParts:
        call, hop = self._reading(frames=True)
        return StreamParts(call, True, hop, len(self.get_feature_names_out()), self._scorer())

    def _check(self) -> None:
        super()._check()
        self.get_feature_names_out()

    def _check_net(self, net: PretrainedNet) -> None:
        super()._check_net(net)
        labels = self.labels  # may be an array
        n_labels = len(labels_of(find_model(self.model).labels or "") if labels is None else labels)
        if n_labels != net.n_classes:
            raise ValueError(
                f"the network has {net.n_classes} outputs, and there are {n_labels} labels: pass "
                "labels=, the names of its outputs."
            )
