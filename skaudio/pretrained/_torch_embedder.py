"""TorchEmbedder: features of any torch module."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from skaudio._validation import SECONDS, choice, count, flag
from skaudio.pretrained._bridge_embedder import BridgeEmbedder, checked_output
from skaudio.pretrained._bridge_net import front_end_of
from skaudio.pretrained._layer_outputs import LAYER, check_layers, layer_names, outputs_of
from skaudio.pretrained._torch_net import (
    MODULE,
    TorchNet,
    build_module,
    ready_module,
    shared_module,
)


class TorchEmbedder(BridgeEmbedder):
    """Compute features of recordings with any torch module.

    Parameters
    ----------
    module : torch.nn.Module or class
        Module that takes float32 waveforms ``(n, n_samples)`` at ``sample_rate``, or with
        ``encoder`` its frames ``(n, n_features, n_frames)``, and returns vectors
        ``(n, n_features)`` or frames. If the second parameter of its ``forward`` is called
        ``lengths``, it gets the number of samples, or frames, of each. A class is called as
        ``module(**module_params)``, and has random weights, always the same ones.
    sample_rate : float, default=16000
        Sample rate in Hz of the waveforms that the module, or the encoder, takes. Recordings are
        resampled to it; bare arrays must have it already.
    encoder : transformer or Pipeline, default=None
        Transformer from a chunk to the frames that the module takes, such as MelSpectrogram. None:
        the module takes waveforms.
    module_params : dict, default=None
        Further parameters of the module.
    layer : str or sequence of str, default=None
        Name of a module inside the module (``module.named_modules()``) whose output is returned, or
        several names: their outputs, each averaged over time, are concatenated. None: the output of
        the module.
    time_axis : {-1, 1}, default=-1
        Time axis of an output with frames. -1: ``(n, n_features, n_frames)``, as in networks of
        skaudio. 1: ``(n, n_frames, n_features)``, as in transformers.
    pooling : {"mean", "max", None}, default="mean"
        How to pool the frames of a recording into one row. None returns the frames, an array
        ``(n_features, n_frames)`` per recording.
    resolution : {"chunk", "layer"}, default="chunk"
        Time resolution of frames. "chunk": one frame per chunk, the output averaged over time.
        "layer": one frame per frame of the output.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is 10 s. None: the whole recording is one chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is ``chunk_duration`` (no
        overlap).
    fixed : bool, default=False
        Whether the network takes chunks of ``chunk_duration`` only: the last chunk of a recording
        is padded with zeros. Otherwise, the last chunk ends with the recording.
    min_duration : float, default=0.0
        Length of the shortest input of the network in seconds. Shorter recordings are padded with
        zeros.
    unit_norm : bool, default=False
        Whether to scale each row (or frame) to length 1. Neighbours by euclidean distance are then
        the same as neighbours by cosine similarity.
    on_error : {"raise", "nan"}, default="raise"
        Action for unreadable recordings (missing or damaged files, NaN samples). "raise": raise one
        error that lists up to ten of them. "nan": return a frame, or a row, of NaN for each, and
        warn.
    batch_size : int, default=None
        Number of chunks per call of the network. None: 1 on the CPU, so that no result depends on
        another recording, and 32 on other devices.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of matrix products and convolutions. "bfloat16" uses torch's autocast. "auto" is
        float32.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    net_ : torch.nn.Module
        ``net_.core`` is the module: the instance that was passed, or the one that the class made.
        It can be trained further: `transform` uses its current weights, in evaluation mode.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    PretrainedEmbedder : Networks by name.
    TransformersEmbedder : Audio models of Hugging Face.
    OnnxEmbedder : Networks in ONNX files.

    Notes
    -----
    Nothing is learned in `fit`; `transform` works without it.

    Recordings are cut as by `PretrainedEmbedder`. With ``resolution="layer"``, the frames of a
    chunk are assumed to be evenly spaced; the error is up to one frame for a module that loses
    samples at the edges.

    `skaudio.save` stores the weights, not the code. `skaudio.load` needs ``modules`` with the class
    or, if ``module`` is an instance, with another instance with any weights.

    Examples
    --------
    >>> import torch
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import TorchEmbedder
    >>> class Envelope(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.filters = torch.nn.Conv1d(1, 8, kernel_size=400, stride=160)
    ...
    ...     def forward(self, x):
    ...         return self.filters(x.unsqueeze(1)).abs()
    >>> digits = load_spoken_digits()
    >>> embedder = TorchEmbedder(Envelope(), sample_rate=16000, min_duration=0.1)
    >>> embedder.transform(digits.data[:3]).shape
    (3, 8)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "module": MODULE,
        "layer": LAYER,
        "time_axis": choice(-1, 1),
        "pooling": choice("mean", "max", None),
        "resolution": choice("chunk", "layer"),
        "fixed": flag(),
        "min_duration": SECONDS,
        "batch_size": count() | choice(None),
    }

    def __init__(
        self,
        module: Any,
        *,
        sample_rate: float = 16000,
        encoder: Any = None,
        module_params: dict[str, Any] | None = None,
        layer: Any = None,
        time_axis: int = -1,
        pooling: str | None = "mean",
        resolution: str = "chunk",
        chunk_duration: Any = "auto",
        chunk_hop: Any = "auto",
        fixed: bool = False,
        min_duration: float = 0.0,
        unit_norm: bool = False,
        on_error: str = "raise",
        batch_size: int | None = None,
        precision: str = "auto",
        device: Any = "cpu",
        verbose: int = 0,
    ) -> None:
        self.module = module
        self.sample_rate = sample_rate
        self.encoder = encoder
        self.module_params = module_params
        self.layer = layer
        self.time_axis = time_axis
        self.pooling = pooling
        self.resolution = resolution
        self.chunk_duration = chunk_duration
        self.chunk_hop = chunk_hop
        self.fixed = fixed
        self.min_duration = min_duration
        self.unit_norm = unit_norm
        self.on_error = on_error
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.verbose = verbose

    def _source(self) -> tuple[Any, ...]:
        return self.module, repr(self.module_params)

    def _stored_source(self) -> tuple[Any, ...]:
        return "stored", self.module, repr(self.module_params)

    def _new_core(self) -> nn.Module:
        return build_module(self.module, self.module_params)

    def _shared_core(self, source: tuple[Any, ...]) -> nn.Module:
        if isinstance(self.module, nn.Module):
            return self._new_core()
        try:
            return shared_module(self.module, tuple(sorted((self.module_params or {}).items())))
        except TypeError:  # a parameter that cannot be hashed
            return self._new_core()

    def _bridge(self, core: nn.Module) -> TorchNet:
        net = TorchNet(core, front_end_of(self.encoder, self.sample_rate))
        net.cut(self.chunk_duration, self.fixed, self.min_duration)
        return net

    def _ready(self, net: TorchNet, fold: bool) -> TorchNet:
        core = ready_module(net.core, str(self.device))
        return TorchNet(core, net.front_end, str(self.device), self.precision == "bfloat16")

    def _cache_facts(self) -> dict[str, Any]:
        # An instance is a parameter, whose content a cache looks at.
        return {} if isinstance(self.module, nn.Module) else super()._cache_facts()

    def _check_net(self, net: Any) -> None:
        check_layers(net.core, self.layer, "module")
        super()._check_net(net)

    def _what_is_read(self) -> tuple[Any, ...]:
        return self.resolution, self.layer, self.time_axis

    def _outputs(self, net: TorchNet, inputs: torch.Tensor) -> list[torch.Tensor]:
        check_layers(net.core, self.layer, "module")
        names = [f"core.{name}" if name else "core" for name in layer_names(self.layer)]
        outputs = outputs_of(net, names, inputs) if names else [net(inputs)]
        return [checked_output(o, self.time_axis, len(inputs), net.called) for o in outputs]
