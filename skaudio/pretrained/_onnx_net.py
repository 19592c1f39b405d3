"""A network in an ONNX file over chunks of recordings, run by ONNX Runtime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio._files import FileState
from skaudio.pretrained._bridge_net import BridgeNet, Encoded

# Types of inputs that numbers are given in.
FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxGraph(nn.Module):
    """The content of an ONNX file, which is its only tensor, and sessions that run it.

    Parameters
    ----------
    content : bytes
    called : str
        The name of the file, for messages.
    """

    content: torch.Tensor

    def __init__(self, content: bytes, called: str) -> None:
        super().__init__()
        self.called = called
        self.register_buffer("content", torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        left = ("_sessions", "_lock")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._sessions, self._lock = {}, threading.Lock()

    def session(self, device: str) -> Any:
        """Return the session on a device, started at its first use."""
        with self._lock:
            if device not in self._sessions:
                self._sessions[device] = start_session(self.bytes(), self.called, device)
            return self._sessions[device]

    def bytes(self) -> bytes:
        """Return the content of the file."""
        return self.content.cpu().numpy().tobytes()


def start_session(content: bytes, called: str, device: str) -> Any:
    """Return a session of ONNX Runtime with one thread: several batches are run at once."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'OnnxEmbedder needs ONNX Runtime: pip install "skaudio[onnxruntime]"'
        ) from error
    provider = PROVIDERS.get(torch.device(device).type, "")
    if provider not in onnxruntime.get_available_providers():
        raise ValueError(
            f"device={device!r}: this ONNX Runtime computes by "
            f"{', '.join(onnxruntime.get_available_providers())} only. GPUs need onnxruntime-gpu."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors are raised
    try:
        return onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # ONNX Runtime raises errors of several kinds
        raise ValueError(
            f"{called} cannot be loaded as an ONNX network: "
            f"{str(error).partition(chr(10))[0]:.300} Expected one file that holds the weights as "
            "well, with standard operators."
        ) from error


class OnnxNet(BridgeNet):
    """A network in an ONNX file over chunks.

    Parameters
    ----------
    core : OnnxGraph
    front_end : Waveforms or Encoded
    names : pair of str or None, and sequence of str
        Of the input, None for the first; of the outputs, none for the first.
    device : str
    """

    core: OnnxGraph

    def __init__(
        self,
        core: OnnxGraph,
        front_end: Any,
        names: tuple[str | None, Sequence[str]] = (None, ()),
        device: str = "cpu",
    ) -> None:
        super().__init__(core, front_end)
        self.device = device
        self.names = names

    @property
    def called(self) -> str:
        """The name of the file, for messages."""
        return self.core.called

    @property
    def place(self) -> tuple[torch.device, torch.dtype]:
        """ONNX Runtime takes its input from the CPU, and copies it."""
        return torch.device("cpu"), torch.float32

    def check(self) -> None:
        """Raise an error if there is no such input or output, or the input is of a wrong kind."""
        session = self.core.session(self.device)
        known = [item.name for item in session.get_outputs()]
        for name in self.names[1]:
            if name not in known:
                raise ValueError(
                    f"output={name!r}: {self.called} has no such output, expected one of "
                    f"{', '.join(map(repr, known))}."
                )
        found = self._input()
        least = 2 if isinstance(self.front_end, Encoded) else 1
        n_axes = len(found.shape)
        channels = found.shape[1] if n_axes == least + 2 else 1
        fits = least <= n_axes <= least + 2 and (isinstance(channels, str) or channels == 1)
        if found.type not in FLOATS or not fits:
            takes = "frames of the encoder, (n, n_features, n_frames)" if least == 2 else ""
            raise ValueError(
                f"{self.called} takes {found.name!r} as {found.type} of shape {found.shape}, "
                f"expected numbers for {takes or 'waveforms, (n, n_samples)'}. Does it take the "
                f"{'waveforms' if least == 2 else 'frames of an encoder='}?"
            )

    def fixed_length(self) -> int | None:
        """Return the only number of samples, or frames, that the network takes, or None."""
        length = self._input().shape[-1]
        return length if isinstance(length, int) else None

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs for a batch of waveforms, or frames, of one length."""
        data = x.numpy()
        shape = self._input().shape
        n_axes = data.ndim
        if len(shape) == n_axes - 1:  # no axis for the batch
            rows = [[part[np.newaxis] for part in self._run(row)] for row in data]
            return [torch.from_numpy(np.concatenate(parts)) for parts in zip(*rows, strict=True)]
        if len(shape) == n_axes + 1:  # one for the channel
            data = data[:, np.newaxis]
        size = shape[0] if isinstance(shape[0], int) else len(data)
        pieces = []
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            filled = np.zeros((size, *piece.shape[1:]), piece.dtype)
            filled[: len(piece)] = piece
            outputs = self._run(filled)
            pieces.append([out[: len(piece)] if out.ndim else out for out in outputs])
        return [torch.from_numpy(np.concatenate(parts)) for parts in zip(*pieces, strict=True)]

    def _input(self) -> Any:
        inputs = {item.name: item for item in self.core.session(self.device).get_inputs()}
        name = next(iter(inputs)) if self.names[0] is None else self.names[0]
        if name not in inputs:
            raise ValueError(
                f"input={name!r}: {self.called} has no such input, expected one of "
                f"{', '.join(map(repr, inputs))}."
            )
        return inputs[name]

    def _run(self, data: np.ndarray) -> list[np.ndarray]:
        session = self.core.session(self.device)
        found = self._input()
        feeds = {found.name: data.astype(FLOATS[found.type])}
        for item in session.get_inputs():
            if item.name != found.name:
                feeds[item.name] = self._lengths(item, data)
        names = list(self.names[1]) or [session.get_outputs()[0].name]
        try:
            outputs = session.run(names, feeds)
        except Exception as error:  # ONNX Runtime raises errors of several kinds
            raise ValueError(
                f"{self.called} raised an error for an input of shape {data.shape}: "
                f"{str(error).partition(chr(10))[0]:.300} Does it take inputs of one length "
                "(fixed=True), or none as short as this (min_duration=)?"
            ) from error
        return [np.asarray(out, np.float32) for out in outputs]

    def _lengths(self, item: Any, data: np.ndarray) -> np.ndarray:
        """Return what a second input gets: the numbers of samples or frames."""
        if item.type not in INTEGERS or len(item.shape) != 1:
            raise ValueError(
                f"{self.called} also takes {item.name!r}, {item.type} of shape {item.shape}: "
                "expected one input, or a second one for lengths, integers of shape (n,)."
            )
        return np.full(len(data), data.shape[-1], INTEGERS[item.type])


def read_graph(path: Path) -> OnnxGraph:
    """Return the graph in a file; nothing is run yet."""
    if not path.is_file():
        raise FileNotFoundError(
            f"path={str(path)!r}: no such file. Expected the path of an ONNX file."
        )
    return OnnxGraph(path.read_bytes(), path.name)


@lru_cache(maxsize=2)
def shared_graph(path: str, state: FileState) -> OnnxGraph:
    """Return a graph that was read once per process and version of its file."""
    return read_graph(Path(path))
