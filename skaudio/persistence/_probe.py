"""The probe: synthetic inputs, and the outputs of an estimator when it was saved."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from skaudio._steps import first_step, parts_of
from skaudio.audio import AudioBatch
from skaudio.persistence._archive import RefusedError

METHODS = ("predict_proba", "decision_function", "transform", "predict_frames", "predict")
DURATIONS = (0.1, 0.35, 0.6)  # seconds
N_FRAMES = (3, 20, 50)
N_ROWS = 4
# Number of stored values per output, evenly spaced.
KEPT = 256
# Largest difference of outputs, relative to the largest value.
TOLERANCE = 1e-4
DEFAULT_RATE = 16000
# What a probe may be made of, and what computing it may take: frames times window, features...
RATES, MOST_FEATURES = (100, 400_000), 1 << 16
MOST_WORK = 1 << 26


def make_probe(estimator: Any, encode: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return inputs and outputs of an estimator as JSON, or the reason why there are none.

    Parameters
    ----------
    estimator : estimator
    encode : callable
        `TreeWriter.encode`.
    """
    method = next((m for m in METHODS if hasattr(estimator, m)), "")
    reason = "" if method else "no method of it predicts or transforms"
    for facts in _candidates(estimator) if method else ():
        if reason := too_much(estimator):
            break
        try:
            outputs = _run(estimator, method, facts)
        except Exception as error:  # inputs of another kind raise errors of any kind
            reason = f"it takes no {facts['kind']} ({str(error).partition(chr(10))[0]:.200})"
        else:
            return {"inputs": facts, "method": method, "outputs": encode(outputs, "probe")}
    return {"reason": reason}


def check_probe(estimator: Any, probe: Mapping[str, Any], decode: Callable[[Any], Any]) -> str:
    """Compute a probe again, and return how the outputs differ, or "".

    Raises
    ------
    RefusedError
        If the estimator cannot compute it.
    """
    if "outputs" not in probe:
        return ""
    expected = decode(probe["outputs"])
    if probe["method"] not in METHODS or not hasattr(estimator, probe["method"]):
        raise RefusedError(f"its probe calls {probe['method']!r:.60}")
    facts = _checked(probe["inputs"])
    if reason := too_much(estimator):
        return f"they were not compared, because computing them would take long: {reason}"
    try:
        found = _run(estimator, probe["method"], facts)
    except Exception as error:  # a changed number raises errors of any kind
        raise RefusedError(
            f"its estimator cannot compute the probe: {str(error).partition(chr(10))[0]:.300}"
        ) from error
    return _difference(expected, found)


def _candidates(estimator: Any) -> list[dict[str, Any]]:
    """Return possible kinds of inputs of an estimator, the most likely first."""
    rates = [part.sample_rate for part in _all(estimator) if _is_rate(part)]
    rate = int(rates[0]) if rates else DEFAULT_RATE
    sounds = {"kind": "recordings", "sample_rate": rate}
    first = first_step(estimator)
    n_rows = getattr(estimator, "n_features_in_", getattr(first, "n_features_in_", None))
    n_frames = _n_features(estimator) or n_rows or 8
    rows = [{"kind": "rows", "n_features": int(n_rows)}] if n_rows else []
    table = _table(first, rate)
    frames = {"kind": "frames", "n_features": int(n_frames)}
    if rates and rows:  # clips of one length
        return [*rows, sounds]
    own = type(first).__module__.startswith("skaudio.")
    return [*table, *([sounds, frames] if rates else [frames, *rows] if own else rows), sounds]


def _table(first: Any, rate: int) -> list[dict[str, Any]]:
    if not isinstance(first, ColumnTransformer) or not hasattr(first, "feature_names_in_"):
        return []
    sounding: list[str] = []
    for _, part, columns in first.transformers_:
        if isinstance(part, BaseEstimator) and any(map(_is_rate, _all(part))):
            sounding += [columns] if isinstance(columns, str) else list(columns)
    names = [str(name) for name in first.feature_names_in_]
    sounds = [name in sounding for name in names]
    return [{"kind": "table", "sample_rate": rate, "columns": names, "sounds": sounds}]


def _all(estimator: Any) -> list[Any]:
    return [estimator, *(part for _, part in parts_of(estimator))]


def _is_rate(part: Any) -> bool:
    rate = getattr(part, "sample_rate", None)
    return isinstance(rate, (int, float)) and math.isfinite(rate) and rate >= 1


def _n_features(estimator: Any) -> int | None:
    for part in (estimator, getattr(estimator, "estimator_", None), first_step(estimator)):
        module = getattr(getattr(part, "net_", None), "module_", None)
        if module is not None:
            return len(module.standardize.mean)
    return None


def _checked(facts: Any) -> dict[str, Any]:
    """Return the facts of inputs, of bounded size."""
    kind, rate = facts["kind"], facts.get("sample_rate", DEFAULT_RATE)
    n_features, columns = facts.get("n_features", 1), facts.get("columns", [])
    sound = kind in _INPUTS and type(rate) is int and RATES[0] <= rate <= RATES[1]
    sound &= type(n_features) is int and 0 < n_features <= MOST_FEATURES
    sound &= isinstance(columns, list) and len(columns) <= MOST_FEATURES
    if not sound:
        raise RefusedError("its probe has inputs that no saved model has")
    return dict(facts)


def too_much(estimator: Any) -> str:
    """Return why computing a probe would take long or much memory, or ""."""
    for part in _all(estimator):
        if type(part).__name__ == "OnnxEmbedder":
            return "a network in an ONNX file may take any time"
        value = vars(part).get if hasattr(part, "__dict__") else {}.get
        rate = value("sample_rate") or DEFAULT_RATE
        if not isinstance(rate, (int, float)) or not RATES[0] <= rate <= RATES[1]:
            return f"sample_rate={rate!r:.40}"
        window = _largest(value("n_fft"), value("win_length"), 0.05 * rate)
        hop = max(1.0, min(_largest(value("hop_length"), 0.0) or 0.01 * rate, 1e9))
        bands = _largest(value("n_mels"), value("n_mfcc"), 1)
        frames = _largest(value("target_frames"), DURATIONS[-1] * rate / hop)
        work = {
            "n_fft, win_length and hop_length": frames * window,
            "n_mels, n_mfcc and n_fft": bands * max(window, frames),
            "n_segments": 64.0 * _largest(value("n_segments"), value("deltas")) * bands,
            "degree": 2.0 ** min(4 * _largest(value("degree"), value("_max_degree")), 100),
            "n_quantiles": _largest(value("n_quantiles"), value("n_output_features_")),
        }
        for names, amount in work.items():
            if amount > MOST_WORK:
                return f"{names} of {type(part).__name__}"
    return ""


def _largest(*values: Any) -> float:
    numbers = [abs(v) for v in values if isinstance(v, (int, float)) and v == v]
    return float(min(max(numbers, default=0), 1e18))


def _sounds(facts: Mapping[str, Any]) -> list[np.ndarray]:
    """Return chirps in noise, whose samples are whole multiples of 2**-15 on every machine."""
    rate, rng = facts["sample_rate"], np.random.RandomState(0)
    sounds = []
    for i, duration in enumerate(DURATIONS):
        t = np.arange(max(int(duration * rate), 16)) / rate
        chirp = np.sin(2 * np.pi * rate * (0.01 + 0.03 * i + 0.2 * t) * t)
        sound = 0.4 * chirp * np.hanning(len(t)) + 0.02 * rng.standard_normal(len(t))
        sounds.append((np.round(sound * 2**15) / 2**15).astype(np.float32))
    return sounds


def _frames(facts: Mapping[str, Any]) -> list[np.ndarray]:
    rng = np.random.RandomState(0)
    shapes = [(facts["n_features"], n) for n in N_FRAMES]
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def _rows(facts: Mapping[str, Any]) -> np.ndarray:
    rows = np.random.RandomState(0).standard_normal((N_ROWS, facts["n_features"]))
    return rows.astype(np.float32)


def _columns(facts: Mapping[str, Any]) -> pd.DataFrame:
    rng, sounds = np.random.RandomState(0), _sounds(facts)
    table = {}
    for name, sounding in zip(facts["columns"], facts["sounds"], strict=True):
        cells = pd.Series(sounds, dtype=object)
        table[name] = cells if sounding else rng.standard_normal(len(sounds))
    return pd.DataFrame(table)


_INPUTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "recordings": _sounds,
    "frames": _frames,
    "rows": _rows,
    "table": _columns,
}


def _run(estimator: Any, method: str, facts: Mapping[str, Any]) -> list[Any]:
    """Return the shape and some numbers of each item of an output."""
    X = _INPUTS[facts["kind"]](facts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = getattr(estimator, method)(X)
    return [_summary(item) for item in _items(output)]


def _items(output: Any) -> list[np.ndarray]:
    if isinstance(output, pd.DataFrame):
        cells = output.shape[1] == 1 and output.dtypes.iloc[0].kind == "O"
        output = output.iloc[:, 0].tolist() if cells else output.to_numpy()
    elif hasattr(output, "toarray"):
        output = output.toarray()
    elif isinstance(output, AudioBatch) or hasattr(output, "to_numpy"):
        output = list(output) if isinstance(output, AudioBatch) else output.to_numpy()
    items = [np.asarray(item["array"] if isinstance(item, dict) else item) for item in output]
    return [item.astype(str) if item.dtype.hasobject else item for item in items]


def _summary(item: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    flat = item.reshape(-1)
    return item.shape, flat[:: max(1, math.ceil(len(flat) / KEPT))].copy()


def _difference(expected: Any, found: list[Any]) -> str:
    """Return how outputs differ, or "" if they are equal up to rounding."""
    if len(expected) != len(found):
        return f"{len(found)} results, {len(expected)} when it was saved"
    largest = 0.0
    for i, ((shape, before), (shape_now, now)) in enumerate(zip(expected, found, strict=True)):
        if tuple(shape) != shape_now or np.shape(before) != now.shape:
            return f"result {i} has the shape {shape_now}, {tuple(shape)!r:.60} when it was saved"
        if now.dtype.kind in "US" or before.dtype.kind in "US":
            if not np.array_equal(before.astype(str), now.astype(str)):
                return f"result {i} is {now.tolist()!r:.60}, {before.tolist()!r:.60} when saved"
            continue
        wide = np.complex128 if now.dtype.kind == "c" else np.float64
        before, now = before.astype(wide), now.astype(wide)
        finite = np.isfinite(before) & np.isfinite(now)
        if not np.array_equal(before[~finite], now[~finite], equal_nan=True):
            return f"result {i} is not finite where it was, or the other way round"
        scale = max(1e-30, float(np.abs(before[finite]).max(initial=0.0)))
        gap = float(np.abs(before[finite] - now[finite]).max(initial=0.0))
        largest = max(largest, gap / scale)
    return f"a difference of {largest:.1e} of the largest value" if largest > TOLERANCE else ""
