"""PretrainedEmbedder: recordings to the features of a net that was trained on AudioSet."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from skaudio._validation import Checked, choice, count
from skaudio.pretrained._chunked_transformer import ChunkEmbedder
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._layer_frames import LayerTime, as_frames, time_of_layer
from skaudio.pretrained._layer_outputs import LAYER, check_layers, layer_names, outputs_of
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._pretrained_transformer import DTYPES, WEIGHTS, PretrainedTransformer
from skaudio.pretrained._registry import find_model


class PretrainedEmbedder(ChunkEmbedder, PretrainedTransformer):
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
        How to pool the frames of a recording into one row. None returns them, an array
        ``(n_features, n_frames)`` per recording.
    layer : str or sequence of str, default=None
        Name of the module of the network (``net_.named_modules()``) whose output is returned, or
        several names: their outputs, each averaged over time and frequency, are concatenated.
        None: the embedding that the authors of the network use.
    resolution : {"chunk", "layer"}, default="chunk"
        "chunk": one frame per chunk, the output of ``layer`` averaged over time and frequency.
        "layer": one frame per time step of ``layer``, with its channels in each frequency band as
        features. In "mn04_as", "features.6" has steps of 0.08 s, "features.12" of 0.16 s.
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
        "raise": raise one error that lists up to ten recordings that cannot be read (missing or
        damaged files, NaN samples). "nan": return a frame, or a row, of NaN for each, and warn.
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
        "layer": LAYER,
        "resolution": choice("chunk", "layer"),
    }

    def __init__(
        self,
        model: str = "mn04_as",
        *,
        weights: Any = None,
        pooling: str | None = "mean",
        layer: Any = None,
        resolution: str = "chunk",
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
        self.resolution = resolution
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

    def _n_features(self) -> int:
        net = self._net()
        if self.layer is None:
            return net.n_features
        with torch.inference_mode():
            fast = inference_net(net, self.device, DTYPES[self.precision], fold_batch_norm=False)
            silence = np.zeros((1, round(net.chunk_duration * self.sample_rate)), np.float32)
            spectrum = net.front_end(silence).to(self.device, DTYPES[self.precision])
            call = self._steps if self.resolution == "layer" else self._vectors
            n_features: int = call(fast, spectrum).shape[1]
            return n_features

    def _stride(self, net: PretrainedNet) -> float:
        return self._layer_time().stride * net.front_end.hop_length

    def _check_net(self, net: PretrainedNet) -> None:
        super()._check_net(net)
        if self.layer is not None:
            check_layers(net, self.layer, "net_")
        if self.resolution == "layer":
            self._layer_time()

    def _vectors(self, net: PretrainedNet, inputs: torch.Tensor) -> torch.Tensor:
        """Run a net, and return its embedding or the means of what its layers put out."""
        if self.layer is None:
            embedding: torch.Tensor = net(inputs).embedding
            return embedding
        check_layers(net, self.layer, "net_")
        outputs = outputs_of(net, layer_names(self.layer), inputs)
        return torch.cat([o.flatten(2).mean(dim=2) if o.ndim > 2 else o for o in outputs], dim=1)

    def _layer_time(self) -> LayerTime:
        net = self._net()
        if len(layer_names(self.layer)) > 1:
            raise ValueError(
                f"resolution='layer' with layer={self.layer!r}: time steps of layers differ, "
                "expected the name of one layer. resolution='chunk' takes several."
            )
        fast = inference_net(net, "cpu", torch.float32, fold_batch_norm=False)
        return time_of_layer(net, self.layer, lambda x: self._output_of_layer(fast, x))

    def _steps(self, net: PretrainedNet, inputs: torch.Tensor) -> torch.Tensor:
        """Run a net, and return the steps of one of its layers as frames."""
        return as_frames(self._output_of_layer(net, inputs), self._layer_time().axis)

    def _output_of_layer(self, net: PretrainedNet, inputs: torch.Tensor) -> torch.Tensor:
        """Run a net, and return what ``layer`` puts out."""
        check_layers(net, self.layer, "net_")
        return outputs_of(net, layer_names(self.layer), inputs)[0]
