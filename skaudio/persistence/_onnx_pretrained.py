"""Pretrained networks: a recording is cut into chunks, which are processed one by one."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from skaudio.persistence._onnx_front_end import Tables, analyse
from skaudio.persistence._onnx_graft import graft
from skaudio.persistence._onnx_graph import Graph, Value
from skaudio.persistence._onnx_layers import max_over_time, mean_over_time, unit_norm
from skaudio.persistence._onnx_torch import torch_model
from skaudio.persistence._onnx_values import Frames, Rows, Waves


class Reading(nn.Module):
    """A pretrained network that returns one tensor."""

    def __init__(self, net: nn.Module, read: Any) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        self.read = read

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.read(self.net, x)
        return values


def embed(graph: Graph, embedder: Any, waves: Waves) -> Frames | Rows:
    """Return what a `PretrainedEmbedder` returns."""
    if embedder.resolution != "chunk":
        raise ValueError(
            f"resolution={embedder.resolution!r} of PretrainedEmbedder cannot be exported to ONNX: "
            "expected 'chunk'."
        )
    chunks = chunk_outputs(graph, embedder, embedder._vectors, waves)
    if embedder.pooling is None:
        return unit_norm(chunks) if embedder.unit_norm else chunks
    rows = _pooled(chunks, embedder.pooling)
    return unit_norm(rows) if embedder.unit_norm else rows


def tag(graph: Graph, tagger: Any, waves: Waves) -> Frames | Rows:
    """Return what an `AudioTagger` returns."""
    if tagger.rollup:
        raise ValueError("rollup=True of AudioTagger cannot be exported to ONNX: expected False.")
    if tagger.pooling is None and tagger._net().frame_duration is not None:
        raise ValueError(
            f"pooling=None of AudioTagger with model={tagger.model!r}, which scores frames, cannot "
            "be exported to ONNX: expected 'mean' or 'max'."
        )
    labels = tagger._all_labels()[0]
    chosen = [labels.index(name) for name in tagger.get_feature_names_out()]
    chunks = chunk_outputs(graph, tagger, lambda net, x: net(x).logits, waves)
    logits = graph.op("Gather", chunks.values, chosen, axis=1)
    scores = Frames(graph.op("Sigmoid", logits), chunks.lengths, len(chosen))
    return scores if tagger.pooling is None else _pooled(scores, tagger.pooling)


def _pooled(frames: Frames, pooling: str) -> Rows:
    pool = mean_over_time if pooling == "mean" else max_over_time
    return Rows(pool(frames), frames.n_features)


def chunk_outputs(graph: Graph, transformer: Any, read: Any, waves: Waves) -> Frames:
    """Return what a function of the network and a chunk returns: a frame for each chunk."""
    if transformer.precision == "bfloat16":
        raise ValueError(
            f"precision='bfloat16' of {type(transformer).__name__} cannot be exported to ONNX: "
            "expected 'float32'."
        )
    net, chunking = transformer._net(), transformer._chunking(transformer._net())
    if net.level is not None or chunking.margin:
        raise ValueError(
            f"model={transformer.model!r} of {type(transformer).__name__} cannot be exported to "
            "ONNX: its chunks depend on the level of the recording or on what is around them. "
            "Expected another model, or the rows that skaudio computes."
        )
    front_end = net.front_end
    n_mels = front_end.analysis.n_features
    module = Reading(net, read).cpu().eval()
    spectrum = torch.zeros(1, n_mels, 101)
    with torch.inference_mode():
        n_features = module(spectrum).shape[1]
    model = torch_model(module, [spectrum], f"model={transformer.model!r}")
    tables = Tables(graph, front_end.analysis)
    counts = _counts(graph, chunking, waves.lengths)
    ends = graph.op("CumSum", counts, graph.constant(0, "int64"))

    def body(index: Value) -> list[Value]:
        recording = (ends <= index).cast("int64").sum(0, keep=True)
        end, count = (graph.op("Gather", v, recording) for v in (ends, counts))
        place = index - (end - count)
        length = graph.op("Gather", waves.lengths, recording)
        samples = graph.op("Gather", waves.values, recording, axis=0)
        chunk = _chunk(graph, chunking, samples, length, place, count)
        log_mel = _log_mel(graph, front_end, tables, chunk)
        return [graft(graph, model, [log_mel])[0].reshape(n_features)]

    total = counts.sum(0, keep=True)
    rows = graph.loop(total.squeeze(0), body, [[n_features]])[0].reshape(-1, n_features)
    first = (ends - counts).unsqueeze(1)
    places = first + graph.arange(counts.max(0, keep=True)).unsqueeze(0)
    frames = graph.op("Gather", rows, graph.op("Min", places, total - 1), axis=0)
    return Frames(frames.transpose(0, 2, 1), counts, n_features)


def _counts(graph: Graph, chunking: Any, lengths: Value) -> Value:
    """Return the number of chunks of each recording, as `Chunking.count` does."""
    length, hop = chunking.length, chunking.hop
    if length is None:
        return lengths * 0 + 1
    beyond = graph.op("Max", lengths - length, 0)
    if chunking.fixed:
        whole = (graph.op("Max", lengths, 1) + (hop - 1)) // hop
        return graph.op("Min", (beyond + (hop - 1)) // hop + 1, whole)
    more = (beyond * 2 + min(hop, length)) // (2 * hop) + 1
    return graph.where(lengths > length, more, 1)


def _chunk(
    graph: Graph, chunking: Any, samples: Value, length: Value, place: Value, count: Value
) -> Value:
    """Return one chunk (1, n_samples) of the samples (1, n) of a recording."""
    stop = length
    if chunking.length is not None:
        start = place * chunking.hop
        stop = graph.op("Min", start + chunking.length, length)
        if not chunking.fixed and chunking.hop <= chunking.length:
            stop = graph.where(place >= count - 1, length, stop)
        samples = samples.slice(1, start, stop)
    else:
        samples = samples.slice(1, 0, stop)
    needed = chunking.length if chunking.fixed else chunking.minimum
    missing = graph.op("Max", needed - samples.size(1), 0)
    return graph.op("Pad", samples, graph.concat([graph.constant([0, 0, 0]), missing], 0))


def _log_mel(graph: Graph, front_end: Any, tables: Tables, chunk: Value) -> Value:
    """Return what `FrontEnd.encode` returns, (1, n_mels, n_frames)."""
    if front_end.keeps_first:
        chunk = graph.concat([chunk.slice(1, 1, 2), chunk], 1)
    if front_end.preemphasis:
        end = chunk.size(1)
        chunk = chunk.slice(1, 1, end) - chunk.slice(1, 0, end - 1) * front_end.preemphasis
    if front_end.pad:
        chunk = graph.op("Pad", chunk, [0, front_end.pad, 0, front_end.pad])
    frames = analyse(graph, front_end.analysis, Waves(chunk, chunk.size(1)), tables)
    values = frames.values
    if front_end.floor is not None:
        values = graph.op("Max", values, float(front_end.floor))
    log_mel = (values + float(front_end.shift)) / float(front_end.scale)
    if front_end.subtract_mean:
        log_mel = log_mel - log_mel.mean(2, keep=True)
    return log_mel
