"""PretrainedEmbedder: features of a network pretrained on AudioSet, or on voices."""

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
    """Compute features of recordings with a network pretrained on AudioSet, or on voices.

    Parameters
    ----------
    model : str, default="mn04_as"
        Name of the network: "mn01_as", "mn02_as", "mn04_as", "mn05_as" or "mn10_as" (EfficientAT,
        from the smallest to the largest), "yamnet", "panns_mobilenetv2", "panns_cnn14",
        "panns_cnn14_decision_level_max", "vggish", "ced_tiny", "ced_mini", "frame_mn06" or
        "frame_mn10"; "ge2e" or "redimnet_b2" for speakers.
    weights : path, sequence of paths or "random", default=None
        Weights of the network. None: the official file in the folder ``pretrained`` of the data
        home, which is downloaded if it is missing. A path: a file with a state dict (.pt, .pth,
        .npz, .h5, .safetensors). "random": random weights, always the same ones, for tests.
    pooling : {"mean", "max", None}, default="mean"
        How to pool the frames of a recording into one row. None returns the frames, an array
        ``(n_features, n_frames)`` per recording.
    layer : str or sequence of str, default=None
        Name of the module in ``net_.named_modules()`` whose output is returned. With several names,
        their outputs are averaged over time and frequency, and concatenated. None: the embedding
        that the authors of the network use.
    resolution : {"chunk", "layer"}, default="chunk"
        Time resolution of frames. "chunk": one frame per chunk, the output of ``layer`` averaged
        over time and frequency. "layer": one frame per time step of ``layer``, with its channels in
        each frequency band as features. In "mn04_as", "features.6" has steps of 0.08 s,
        "features.12" of 0.16 s.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is the length with which the network was trained. None:
        the whole recording is one chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is the default of the
        network or, if ``chunk_duration`` is a number, that number (no overlap).
    unit_norm : bool, default=False
        Whether to scale each row (or frame) to length 1. Neighbours by euclidean distance are then
        the same as neighbours by cosine similarity.
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
        The network. It can be fine-tuned: `transform` uses its current weights. Its ``front_end``
        computes its input from waveforms.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    AudioTagger : Scores of the classes of AudioSet.

    Notes
    -----
    Nothing is learned in `fit`; `transform` works without it.

    A recording is cut into chunks that begin every ``chunk_hop`` seconds. For networks with inputs
    of any length, the last chunk ends with the recording, so it is up to half a hop shorter or
    longer than the others; only chunks below the minimum length of the network are padded with
    zeros. For networks with inputs of fixed length, the last chunk is padded with zeros.

    On the CPU, the result of a recording does not depend on the other recordings, bit for bit. It
    differs by rounding with another ``batch_size`` or number of threads.

    References
    ----------
    Schmid, Koutini & Widmer 2023, "Efficient large-scale audio tagging via transformer-to-CNN
    knowledge distillation" (EfficientAT). Plakal & Ellis 2020 (YAMNet). Kong et al. 2020,
    "PANNs: Large-scale pretrained audio neural networks for audio pattern recognition". Hershey et
    al. 2017, "CNN architectures for large-scale audio classification" (VGGish). Wan et al. 2018,
    "Generalized end-to-end loss for speaker verification" (GE2E). Yakovlev et al. 2024, "Reshape
    dimensions network for speaker recognition" (ReDimNet).

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import PretrainedEmbedder
    >>> digits = load_spoken_digits()
    >>> embedder = PretrainedEmbedder("mn01_as", weights="random")  # default: official weights
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
        """Run a network, and return its embedding or the mean outputs of its layers."""
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
        """Run a network, and return the time steps of one of its layers as frames."""
        return as_frames(self._output_of_layer(net, inputs), self._layer_time().axis)

    def _output_of_layer(self, net: PretrainedNet, inputs: torch.Tensor) -> torch.Tensor:
        """Run a network, and return the output of ``layer``."""
        check_layers(net, self.layer, "net_")
        return outputs_of(net, layer_names(self.layer), inputs)[0]
