"""export_onnx: write a fitted estimator as a graph of standard operators."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

import skaudio
from skaudio._files import write_whole
from skaudio._steps import last_step
from skaudio.persistence._onnx_steps import Export, Flow, result_of, unwrapped
from skaudio.persistence._onnx_values import Frames, Rows, Waves

MISSING = 'export_onnx needs onnx, skl2onnx and onnxscript: pip install "skaudio[onnx]"'


def export_onnx(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to an ONNX file, which takes waveforms and returns scores.

    One graph of standard operators contains all steps: frames, Fourier transform, mel filters,
    logarithm, standardisation, network, pooling. It uses opset 18, and ai.onnx.ml 3 for estimators
    of scikit-learn; onnxruntime 1.14 or later can run it. The graph does not resample: waveforms
    must have the sample rate in the metadata.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator: an encoder, a classifier, detector or embedder with ``encoder=``, or a
        Pipeline that begins with an encoder, such as
        ``make_pipeline(MFCC(), FramePooling(), StandardScaler(), LogisticRegression())``.
        Augmentations are left out, because they do nothing in prediction. For a search, the best
        estimator is exported.
    path : path
        File to write. An existing file is replaced when the new one is complete.

    Raises
    ------
    ImportError
        If the extra ``skaudio[onnx]`` is not installed.
    NotFittedError
        If a part of the estimator is not fitted.
    TypeError, ValueError
        If a part or a value of a parameter cannot be exported; the message names it.

    Notes
    -----
    Inputs are ``waveform``, float32 ``(n, n_samples)``, and ``lengths``, int64 ``(n,)``, the number
    of samples of each recording. Samples after this length have no influence. Outputs:

    ``scores``
        The output of `predict_proba`, or else of `decision_function`, or else of `transform`; the
        metadata ``method`` contains the name. Frames are ``(n, n_features, n_frames)``, with zeros
        after the frames of a recording. The result is NaN for a recording that is too short for the
        estimator.
    ``frame_lengths``
        The number of frames of each recording, int64 ``(n,)``, if scores are frames.
    ``frame_scores``
        The output of `predict_frames` of an `EventDetector`, ``(n, n_labels, n_frames)``.

    The metadata contain ``sample_rate`` in Hz, ``classes`` (JSON, the columns of classifiers),
    ``feature_names`` (JSON, the columns of transformers), ``estimator``, ``method``, and
    ``skaudio_version``.

    Values differ from those of skaudio by rounding, because sums have another order.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> from skaudio import MFCC, export_onnx
    >>> clips = [np.ones(8000, np.float32), np.ones(12000, np.float32)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "mfcc.onnx")
    ...     export_onnx(MFCC(), path)
    ...     session = onnxruntime.InferenceSession(path)
    >>> waveform = np.zeros((2, 12000), np.float32)
    >>> for row, clip in zip(waveform, clips):
    ...     row[: len(clip)] = clip
    >>> lengths = np.array([len(clip) for clip in clips])
    >>> inputs = {"waveform": waveform, "lengths": lengths}
    >>> frames, frame_lengths = session.run(["scores", "frame_lengths"], inputs)
    >>> frames.shape, frame_lengths.tolist()
    ((2, 20, 76), [51, 76])
    """
    target = Path(os.fspath(path))
    try:
        import onnx  # noqa: F401
        import skl2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(MISSING) from error
    model = make_model(estimator)
    write_whole(target, model.SerializeToString())


def make_model(estimator: Any) -> Any:
    """Return the ModelProto of a fitted estimator."""
    export = Export()
    graph = export.graph
    waveform = graph.input("waveform", np.float32, ["n", "n_samples"])
    lengths = graph.input("lengths", np.int64, ["n"])
    n_samples = graph.op("Min", waveform.size(1), graph.op("Max", lengths, 0).max(0, keep=True))
    within = waveform.slice(1, 0, n_samples)
    known = graph.op("Max", graph.op("Min", lengths, n_samples), 0)
    waves = Waves(graph.where(graph.mask(known, n_samples), within, 0.0), known)
    flow = export.add(estimator, waves, final=True)
    if export.sample_rate is None:
        raise TypeError(
            f"{type(estimator).__name__} has no encoder: expected an encoder, a neural estimator "
            "with encoder=, or a Pipeline that begins with an encoder."
        )
    valid = (lengths >= export.min_samples) & (lengths <= waveform.size(1))
    _put_out(export, "scores", flow, valid)
    for name, frames in export.extra.items():
        _put_out(export, name, frames, valid)
    if isinstance(flow, (Waves, Frames)) or export.extra:
        counts = flow.lengths if isinstance(flow, (Waves, Frames)) else frames.lengths
        graph.output("frame_lengths", graph.where(valid, counts, 0), ["n"])
    return graph.model(_metadata(export, estimator))


def _put_out(export: Export, name: str, flow: Flow, valid: Any) -> None:
    graph = export.graph
    if isinstance(flow, Rows):
        scores = graph.where(valid.unsqueeze(1), flow.values, np.nan)
        graph.output(name, scores, ["n", flow.n_columns])
    elif isinstance(flow, Waves):
        scores = graph.where(valid.unsqueeze(1), flow.values, np.nan)
        graph.output(name, scores, ["n", "n_times"])
    else:
        scores = graph.where(valid.unsqueeze(1, 2), flow.fill(0.0), np.nan)
        graph.output(name, scores, ["n", flow.n_features, f"{name}_frames"])


def _metadata(export: Export, estimator: Any) -> dict[str, str]:
    step = unwrapped(last_step(unwrapped(estimator)))
    method = result_of(step)
    facts = {
        "sample_rate": f"{export.sample_rate:g}",
        "estimator": type(step).__name__,
        "method": method,
        "skaudio_version": skaudio.__version__,
    }
    classes = getattr(step, "labels_", getattr(step, "classes_", None))
    if classes is not None and method != "transform":
        facts["classes"] = json.dumps(np.asarray(classes).tolist(), ensure_ascii=False)
    elif method == "transform":
        names = unwrapped(estimator).get_feature_names_out()
        facts["feature_names"] = json.dumps(list(map(str, names)), ensure_ascii=False)
    return facts
