"""Each kind of step of a pipeline, as operators of ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted

from skaudio._steps import is_augmentation, steps_of
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.detectors import EventDetector
from skaudio.embedders import WCCN, NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.persistence import _onnx_nets as layers
from skaudio.persistence._onnx_front_end import analyse, fit_samples, read_waves
from skaudio.persistence._onnx_graph import Graph
from skaudio.persistence._onnx_layers import unit_norm
from skaudio.persistence._onnx_pooling import add_deltas, pool
from skaudio.persistence._onnx_pretrained import embed, tag
from skaudio.persistence._onnx_tails import add_table_step
from skaudio.persistence._onnx_torch import run_module
from skaudio.persistence._onnx_values import Frames, Rows, Waves
from skaudio.pooling import FramePooling, FrameUnion
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

Step = Any
Flow = Waves | Frames | Rows
Kind = TypeVar("Kind", Waves, Frames, Rows)

CALLED = {Waves: "recordings", Frames: "frames", Rows: "rows, one per recording"}


class Export:
    """A graph that is being made of an estimator.

    Attributes
    ----------
    graph : Graph
    sample_rate : float or None
        In Hz; None before the first encoder.
    min_samples : int
        Shorter recordings give NaN.
    extra : dict of str to Frames
        Outputs beside the main one.
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.sample_rate: float | None = None
        self.min_samples = 1
        self.extra: dict[str, Frames] = {}

    def add(self, estimator: Any, flow: Flow, *, final: bool = False) -> Flow:
        """Append an estimator.

        Where it is ``final``, the result is that of `result_of`, else that of ``transform``.
        """
        steps = [unwrapped(step) for step in steps_of(unwrapped(estimator))]
        for step in steps:
            flow = self._add_step(step, flow, final and step is steps[-1])
        return flow

    def _add_step(self, step: Any, flow: Flow, final: bool) -> Flow:
        if is_augmentation(step):
            return flow  # at work in training only
        for kind, function in STEPS.items():
            if isinstance(step, kind):
                return function(self, step, flow)
        if type(step).__module__.startswith("sklearn."):
            method = result_of(step) if final else "transform"
            return add_table_step(self.graph, step, method, _need(step, flow, Rows))
        known = ", ".join(sorted(kind.__name__ for kind in STEPS))
        raise TypeError(
            f"{type(step).__name__} cannot be exported to ONNX: expected {known}, a transformer or "
            "classifier of scikit-learn behind them, or a Pipeline of these."
        )

    def state_rate(self, rate: float, step: Any) -> None:
        """Store the sample rate of the input; a graph cannot resample."""
        if self.sample_rate is None:
            self.sample_rate = rate
        elif self.sample_rate != rate:
            raise ValueError(
                f"sample_rate={rate:g} of {type(step).__name__} after sample_rate="
                f"{self.sample_rate:g}: resampling cannot be exported to ONNX. Give all steps the "
                "same sample_rate, and train again."
            )


def unwrapped(estimator: Any) -> Any:
    """Return the inner estimator: the best one of a search, the transformer of a cache."""
    while True:
        if isinstance(estimator, CachedTransformer):
            estimator = estimator.transformer
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def result_of(step: Any) -> str:
    """Return the method whose result is the output of the graph."""
    known = ("predict_proba", "decision_function", "transform", "predict")
    return next((name for name in known if hasattr(step, name)), "transform")


def _need(step: Any, flow: Flow, kind: type[Kind]) -> Kind:
    if isinstance(flow, kind):
        return flow
    advice = ""
    if isinstance(flow, Waves) and kind is Frames:
        advice = (
            " Export begins with recordings: a Pipeline that begins with the encoder, "
            "make_pipeline(MFCC(...), fitted), can be exported."
        )
    raise TypeError(
        f"{type(step).__name__} gets {CALLED[type(flow)]} here, expected {CALLED[kind]}.{advice}"
    )


def _encoder(export: Export, encoder: Any, flow: Flow) -> Flow:
    waves = _need(encoder, flow, Waves)
    analysis = encoder._make_analysis()  # checks the parameters
    export.state_rate(float(encoder.sample_rate), encoder)
    _note_shortest(export, encoder, analysis)
    waves = read_waves(export.graph, encoder, waves, float(encoder.sample_rate))
    if analysis is not None:
        return analyse(export.graph, analysis, waves)
    if encoder.target_frames is not None:
        return fit_samples(export.graph, waves, encoder.target_frames)
    return waves


def _note_shortest(export: Export, encoder: Any, analysis: Any) -> None:
    """Store the smallest number of samples that the encoder accepts."""
    whole = analysis is not None and not analysis.framing.center
    shortest = analysis.framing.n_fft if whole else 1
    start = round(encoder.offset * encoder.sample_rate)
    export.min_samples = max(export.min_samples, start + shortest)


def _stft(export: Export, encoder: Any, flow: Flow) -> Flow:
    raise TypeError(
        "STFT returns complex numbers, which cannot be exported to ONNX: expected Spectrogram, "
        "MelSpectrogram or MFCC."
    )


def _pooling(export: Export, pooling: Any, flow: Flow) -> Flow:
    return pool(pooling, _need(pooling, flow, Frames))


def _frame_union(export: Export, union: Any, flow: Flow) -> Flow:
    named = getattr(union, "transformers_", union.transformers)
    parts = [_need(step, export.add(step, flow), Frames) for _, step in named if step != "drop"]
    values = export.graph.concat([part.values for part in parts], 1)
    stacked = Frames(values, parts[0].lengths, sum(part.n_features for part in parts))
    return add_deltas(stacked, union.deltas) if union.deltas else stacked


def _feature_union(export: Export, union: Any, flow: Flow) -> Flow:
    if union.transformer_weights:
        raise ValueError(
            "transformer_weights of a FeatureUnion cannot be exported to ONNX: expected None."
        )
    parts = [
        flow if step == "passthrough" else export.add(step, flow)
        for _, step in union.transformer_list
        if step != "drop"
    ]
    rows = [_need(union, part, Rows) for part in parts]
    values = export.graph.concat([part.values for part in rows], 1)
    return Rows(values, sum(part.n_columns for part in rows))


def _standardized(export: Export, estimator: Any, flow: Flow) -> tuple[Any, Frames]:
    """Return a fitted neural estimator's network, and the frames that it takes."""
    check_is_fitted(estimator)
    if estimator.encoder is not None:
        flow = export.add(estimator.encoder_, flow)
    frames = _need(estimator, flow, Frames)
    module = estimator.net_.module_
    return module.net, layers.standardize(module.standardize, frames)


def _classifier(export: Export, classifier: Any, flow: Flow) -> Flow:
    if classifier.n_draws:
        warnings.warn(
            f"n_draws={classifier.n_draws!r} of {type(classifier).__name__} is not exported: the "
            "graph computes what the classifier predicts with n_draws=0.",
            stacklevel=2,
        )
    net, frames = _standardized(export, classifier, flow)
    rows = _outputs(export, classifier, net, frames)
    return Rows(export.graph.op("Softmax", rows.values, axis=-1), rows.n_columns)


def _outputs(export: Export, estimator: Any, net: Any, frames: Frames) -> Rows:
    if layers.knows(net):
        return layers.outputs_of(net, frames)
    called = f"{type(estimator).__name__} with the module {type(net).__name__}"
    return run_module(export.graph, net, frames, called)


def _detector(export: Export, detector: Any, flow: Flow) -> Flow:
    net, frames = _standardized(export, detector, flow)
    rows, frames = layers.pool_weakly(net.pooling, layers.frame_scores(net, frames))
    export.extra["frame_scores"] = frames
    if np.ndim(detector.classes_) == 1:  # one label per recording
        return Rows(rows.values / rows.values.sum(1, keep=True), rows.n_columns)
    return rows


def _siamese(export: Export, embedder: Any, flow: Flow) -> Flow:
    net, frames = _standardized(export, embedder, flow)
    rows = _outputs(export, embedder, net, frames)
    return unit_norm(rows) if embedder.unit_norm else rows


def _net_embedder(export: Export, embedder: Any, flow: Flow) -> Flow:
    check_is_fitted(embedder)
    fitted = getattr(embedder, "estimator_", None) or embedder.estimator.estimator
    if embedder.layer != "embedding" or embedder.frames:
        raise ValueError(
            f"layer={embedder.layer!r}, frames={embedder.frames!r} of NetEmbedder cannot be "
            "exported to ONNX: expected layer='embedding', frames=False."
        )
    *before, estimator = steps_of(unwrapped(fitted))
    for step in before:
        flow = export.add(step, flow)
    net, frames = _standardized(export, estimator, flow)
    if not layers.knows(net):
        raise TypeError(
            f"NetEmbedder of the module {type(net).__name__} cannot be exported to ONNX: expected "
            "an estimator with a LeNet or GRU."
        )
    rows = layers.features_of(net, frames)
    return unit_norm(rows) if embedder.unit_norm else rows


def _wccn(export: Export, wccn: Any, flow: Flow) -> Flow:
    check_is_fitted(wccn)
    rows = _need(wccn, flow, Rows)
    rows = Rows(rows.values @ wccn.whitening_.astype(np.float32), rows.n_columns)
    return unit_norm(rows) if wccn.unit_norm else rows


def _pretrained(export: Export, transformer: Any, flow: Flow) -> Flow:
    export.state_rate(float(transformer.sample_rate), transformer)
    apply = tag if isinstance(transformer, AudioTagger) else embed
    return apply(export.graph, transformer, _need(transformer, flow, Waves))


STEPS: dict[type, Callable[[Export, Step, Flow], Flow]] = {
    STFT: _stft,
    Waveform: _encoder,
    Spectrogram: _encoder,
    MelSpectrogram: _encoder,
    MFCC: _encoder,
    FramePooling: _pooling,
    FrameUnion: _frame_union,
    FeatureUnion: _feature_union,
    LeNetClassifier: _classifier,
    GRUClassifier: _classifier,
    NetClassifier: _classifier,
    EventDetector: _detector,
    SiameseEmbedder: _siamese,
    NetEmbedder: _net_embedder,
    WCCN: _wccn,
    PretrainedEmbedder: _pretrained,
    AudioTagger: _pretrained,
}
