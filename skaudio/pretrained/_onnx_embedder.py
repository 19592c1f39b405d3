"""OnnxEmbedder: features of a network in an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from skaudio._files import file_state
from skaudio._validation import PATH, SECONDS, TEXT, choice, count, flag, sequence
from skaudio.pretrained._bridge_embedder import BridgeEmbedder, checked_output
from skaudio.pretrained._bridge_net import Waveforms, front_end_of
from skaudio.pretrained._onnx_net import OnnxGraph, OnnxNet, read_graph, shared_graph

_NAMES = TEXT | sequence("sequence of str", "a list of such names", TEXT, 1) | choice(None)


class OnnxEmbedder(BridgeEmbedder):
    """Compute features of recordings with a network in an ONNX file.

    Parameters
    ----------
    path : path
        ONNX file, which must contain the weights. Its input is float32 waveforms
        ``(n, n_samples)``, or with ``encoder`` frames ``(n, n_features, n_frames)``; also with an
        axis of length 1 for the channel, or without the axis of recordings. A second input of
        integers ``(n,)`` gets the number of samples, or frames, of each.
    sample_rate : float, default=16000
        Sample rate in Hz of the waveforms that the network, or the encoder, takes. Recordings are
        resampled to it; bare arrays must have it already.
    encoder : transformer or Pipeline, default=None
        Transformer from a chunk to the frames that the network takes, such as MelSpectrogram. None:
        the network takes waveforms.
    input : str, default=None
        Name of the input. None: the first one of the file.
    output : str or sequence of str, default=None
        Name of the output that is returned, or several names: outputs, each averaged over time,
        are concatenated. None: the first one of the file.
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
        Length of a chunk in seconds. "auto" is 10 s, or the length in the file if its input has a
        fixed length. None: the whole recording is one chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is ``chunk_duration`` (no
        overlap).
    fixed : bool, default=False
        Whether the network takes chunks of ``chunk_duration`` only: the last chunk of a recording
        is padded with zeros. Otherwise, the last chunk ends with the recording. A file with a fixed
        length of waveforms is always fixed.
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
        Number of chunks per call of the network. None: 1, so that no result depends on another
        recording.
    device : str, default="cpu"
        Device of ONNX Runtime: "cpu", or "cuda" with the package onnxruntime-gpu.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    net_ : torch.nn.Module
        ``net_.core.bytes()`` is the content of the file.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    TorchEmbedder : Any torch module.
    skaudio.export_onnx : Estimators of skaudio as ONNX files.

    Notes
    -----
    Nothing is learned in `fit`; `transform` works without it. Each chunk, or batch of chunks, is
    computed by one thread, several at once.

    Files with weights in other files raise an error, because caches and `skaudio.save` identify the
    network by the content of one file. `skaudio.save` stores this content.

    Examples
    --------
    An estimator of skaudio, exported as a network, and run by ONNX Runtime:

    >>> import tempfile
    >>> import skaudio
    >>> from skaudio.pretrained import OnnxEmbedder
    >>> digits = skaudio.load_spoken_digits()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/mfcc.onnx"
    ...     skaudio.export_onnx(skaudio.MFCC(n_mfcc=13), path)
    ...     OnnxEmbedder(path, sample_rate=16000).fit_transform(digits.data[:3]).shape
    (3, 13)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "path": PATH,
        "input": TEXT | choice(None),
        "output": _NAMES,
        "time_axis": choice(-1, 1),
        "pooling": choice("mean", "max", None),
        "resolution": choice("chunk", "layer"),
        "fixed": flag(),
        "min_duration": SECONDS,
        "batch_size": count() | choice(None),
    }

    def __init__(
        self,
        path: Any,
        *,
        sample_rate: float = 16000,
        encoder: Any = None,
        input: str | None = None,
        output: Any = None,
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
        device: Any = "cpu",
        verbose: int = 0,
    ) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.encoder = encoder
        self.input = input
        self.output = output
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
        self.device = device
        self.verbose = verbose

    def _source(self) -> tuple[Any, ...]:
        path = Path(self.path).expanduser()
        if not path.is_file():
            read_graph(path)  # says that there is no such file
        return str(path), file_state(path)

    def _stored_source(self) -> tuple[Any, ...]:
        return "stored", self.path

    def _new_core(self) -> nn.Module:
        return read_graph(Path(self.path).expanduser())

    def _shared_core(self, source: tuple[Any, ...]) -> nn.Module:
        return shared_graph(*source)

    def _net_of(self, tensors: Mapping[str, torch.Tensor]) -> OnnxNet:
        """Return the net of a saved model."""
        content = tensors["core.content"]
        if len(tensors) != 1 or content.dtype != torch.uint8 or content.ndim != 1:
            raise ValueError("the weights are not the content of an ONNX file")
        # Nothing of it is parsed or run before `transform`.
        return OnnxNet(OnnxGraph(content.numpy().tobytes(), "the stored ONNX file"), None)

    def _bridge(self, core: Any) -> OnnxNet:
        names = (self.output,) if isinstance(self.output, str) else tuple(self.output or ())
        front_end = front_end_of(self.encoder, self.sample_rate)
        net = OnnxNet(core, front_end, (self.input, names), str(self.device))
        net.check()
        net.cut(self.chunk_duration, self.fixed, self.min_duration)
        length = net.fixed_length()
        if length is not None and isinstance(front_end, Waveforms):
            net.fixed = True
            net.chunk_duration = net.chunk_hop = length / self.sample_rate
        return net

    def _ready(self, net: OnnxNet, fold: bool) -> OnnxNet:
        return net

    def _what_is_read(self) -> tuple[Any, ...]:
        return self.resolution, self.output, self.time_axis, self.input

    def _outputs(self, net: OnnxNet, inputs: torch.Tensor) -> list[torch.Tensor]:
        outputs = net(inputs)
        return [checked_output(o, self.time_axis, len(inputs), net.called) for o in outputs]
