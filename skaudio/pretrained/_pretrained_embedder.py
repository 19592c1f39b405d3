"""PretrainedEmbedder: recordings to the features of a net that was trained on AudioSet."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from skaudio._validation import TEXT, Checked, choice, count
from skaudio.audio import check_recordings
from skaudio.frames import pack, scale_to_unit
from skaudio.nets import recording_copy
from skaudio.pretrained._extraction import POOLS
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._pretrained_transformer import DTYPES, WEIGHTS, PretrainedTransformer
from skaudio.pretrained._registry import find_model


class PretrainedEmbedder(PretrainedTransformer):
    """Turn recordings into features with a network that was trained on AudioSet.

    Parameters
    ----------
    model : str, default="mn04_as"
        Name of the net: "mn01_as", "mn02_as", "mn04_as", "mn05_as" and "mn10_as" are EfficientAT,
        from the smallest to the largest; "yamnet"; "panns_mobilenetv2", "panns_cnn14" and
        "panns_cnn14_decision_level_max"; "vggish".
    weights : path, sequence of paths or "random", default=None
        None uses the official file in the folder ``pretrained`` of the data home, and downloads
        it if it is missing. A path is that of a state dict as .pt, .pth, .npz or .h5. "random"
        uses random weights, always the same ones, for tests and as a baseline.
    pooling : {"mean", "max", None}, default="mean"
        How to pool the chunks of a recording into one row. None returns one frame per chunk, an
        array ``(n_features, n_chunks)`` per recording.
    layer : str, default=None
        Name of the module of the network (``net_.named_modules()``) whose output is returned,
        averaged over time and frequency. None: the embedding that the authors of the network use.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is the length that the network was trained with; None
        uses the whole recording.
    chunk_hop : float or "auto", default="auto"
        Seconds between the starts of successive chunks. "auto" is the network's own hop or, if
        ``chunk_duration`` is a number, that number (no overlap).
    unit_norm : bool, default=False
        Scale each row, or frame, to length 1, so that the nearest neighbours by euclidean distance
        are those by cosine similarity.
    on_error : {"raise", "nan"}, default="raise"
        What to do with recordings that cannot be read: missing or damaged files, and samples that
        are not finite. "raise" raises one error that counts them and lists the first ten. "nan"
        returns one frame, or one row, of NaN for each of them, and warns once.
    batch_size : int, default=None
        Chunks per call of the net. None is 1 to 8 on the CPU, by their length, and 32 elsewhere.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the network; the front end is always in float32. "auto" is float32, so that
        embeddings agree between machines.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    model_params : dict, default=None
        Parameters of the network's class, such as ``{"n_classes": 10}`` for fine-tuned weights.
    data_home : path, default=None
        Where downloaded files are kept, see :func:`skaudio.datasets.get_data_home`.
    verbose : int, default=0
        Show a progress bar.

    Attributes
    ----------
    net_ : torch.nn.Module
        The network. It can be fine-tuned: `transform` uses its current weights. Its
        ``front_end`` turns waveforms into its input.
    n_features_in_ : int
        Only where `fit` was given a 2-D array.

    See Also
    --------
    AudioTagger : Scores of the classes of AudioSet.

    Notes
    -----
    Nothing is learned in `fit`, and `transform` works without it.

    A recording is cut into chunks that begin every ``chunk_hop`` seconds. For nets that take inputs
    of any length the last chunk ends with the recording, up to half a hop sooner or later than the
    others, and only what is shorter than the net's minimum is padded with zeros; for the others
    the last chunk ends in zeros.

    On the CPU a recording's result is the same, bit for bit, whatever is computed with it; with
    another ``batch_size`` or number of threads it differs by rounding.

    References
    ----------
    Schmid, Koutini & Widmer 2023, "Efficient large-scale audio tagging via transformer-to-CNN
    knowledge distillation" (EfficientAT). Plakal & Ellis 2020 (YAMNet). Kong et al. 2020,
    "PANNs: Large-scale pretrained audio neural networks for audio pattern recognition". Hershey et
    al. 2017, "CNN architectures for large-scale audio classification" (VGGish).

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import PretrainedEmbedder
    >>> digits = load_spoken_digits()
    >>> embedder = PretrainedEmbedder("mn01_as", weights="random")  # without: downloads them
    >>> embedder.fit_transform(digits.data[:3]).shape
    (3, 96)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "model": Checked("str", lambda name, value: find_model(value)),
        "weights": WEIGHTS,
        "batch_size": count() | choice(None),
        "pooling": choice("mean", "max", None),
        "layer": TEXT | choice(None),
    }

    def __init__(
        self,
        model: str = "mn04_as",
        *,
        weights: Any = None,
        pooling: str | None = "mean",
        layer: str | None = None,
        chunk_duration: Any = "auto",
        chunk_hop: Any = "auto",
        unit_norm: bool = False,
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
        self.layer = layer
        self.chunk_duration = chunk_duration
        self.chunk_hop = chunk_hop
        self.unit_norm = unit_norm
        self.on_error = on_error
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.model_params = model_params
        self.data_home = data_home
        self.verbose = verbose

    def transform(self, X: Any) -> Any:
        """Embed recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_features), float32
            With ``pooling=None``, frames: ``(n_recordings, n_features, n_chunks)``, or a 1-D
            object array of ``(n_features, n_chunks)`` if numbers of chunks differ.
        """
        self._check()
        recordings = check_recordings(self, X, reset=False, finite=False)
        missing = [np.full(self._n_features(), np.nan, np.float32)]
        sequences = (
            np.stack(chunks or missing, axis=1)
            for chunks, _ in self._extract(recordings, self._features, fold=self.layer is None)
        )
        if self.pooling is None:
            frames = pack(map(self._scaled, sequences), len(recordings))
            return self._wrap(frames, recordings.index, self.get_feature_names_out)
        pool = POOLS[self.pooling]
        rows = np.stack([self._scaled(pool(s, axis=1)) for s in sequences])
        return self._wrap(rows, recordings.index, self.get_feature_names_out, table=True)

    def frame_times(self, n_frames: Any) -> np.ndarray:
        """Return the times of the middles of chunks, in seconds; those of ``pooling=None``.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_chunks)
            Number of chunks, or chunks to count.

        Returns
        -------
        times : ndarray of shape (n_chunks,)
        """
        times: np.ndarray = self.chunk_times(n_frames).mean(axis=1)
        return times

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, of shape (n_features,)
        """
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._n_features())], dtype=object)

    def _n_features(self) -> int:
        net = self._net()
        if self.layer is None:
            return net.n_features
        with torch.inference_mode():
            fast = inference_net(net, self.device, DTYPES[self.precision], fold_batch_norm=False)
            silence = np.zeros((1, round(net.chunk_duration * self.sample_rate)), np.float32)
            spectrum = net.front_end(silence).to(self.device, DTYPES[self.precision])
            n_features: int = self._features(fast, spectrum).shape[1]
            return n_features

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return scale_to_unit(values, axis=0) if self.unit_norm else values

    def _check_net(self, net: PretrainedNet) -> None:
        super()._check_net(net)
        self._layer(net)

    def _layer(self, net: PretrainedNet) -> Any:
        modules = dict(net.named_modules())
        if self.layer is not None and self.layer not in modules:
            top = [name for name, _ in net.named_children()]
            raise ValueError(
                f"layer={self.layer!r}: {type(net).__name__} has no such module. Expected one of "
                f"net_.named_modules(), which begin with {', '.join(map(repr, top))}."
            )
        return modules[self.layer or ""]

    def _features(self, net: PretrainedNet, spectra: torch.Tensor) -> torch.Tensor:
        """Run a net, and return its embedding or what one of its layers puts out."""
        if self.layer is None:
            embedding: torch.Tensor = net(spectra).embedding
            return embedding
        outputs: list[Any] = []
        recording_copy(net, self._layer(net), outputs.append)(spectra)
        if not outputs or not isinstance(outputs[-1], torch.Tensor):
            raise ValueError(
                f"layer={self.layer!r} puts nothing out: expected a module through which the "
                "net's forward goes."
            )
        last: torch.Tensor = outputs[-1]
        return last.flatten(2).mean(dim=2) if last.ndim > 2 else last
