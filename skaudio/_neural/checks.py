"""Checks for problems that would raise no error: NaN, rows instead of frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from skaudio._steps import is_augmentation, parts_of, steps_of
from skaudio._validation import Constraint

# A recording is named as the cause if one of its standardised features is this many times as large
# as the largest one of the median recording.
OUTLYING = 1e3
# Parameters of encoders that change frames at most by rounding.
HOW = ("n_jobs", "device", "verbose", "batch_size", "memory", "precision")

# Of the parameter ``module``.
MODULE_CLASS = Constraint(
    ("class",),
    (),
    ("the class of a torch module",),
    lambda value: callable(value) and not isinstance(value, nn.Module),
    cause=lambda value: (
        f"Pass the class, {type(value).__name__}." if isinstance(value, nn.Module) else ""
    ),
)


def is_warm(estimator: Any) -> bool:
    """Whether `fit` continues from the weights of the previous `fit`."""
    return bool(estimator.warm_start and hasattr(estimator, "net_"))


def refuse_rows(encoded: Any) -> None:
    """Raise an error if the encoder of a network returned one row per recording."""
    if hasattr(encoded, "iloc"):
        is_table = encoded.ndim == 2 and any(kind.kind != "O" for kind in encoded.dtypes)
    else:
        is_table = isinstance(encoded, np.ndarray) and encoded.ndim == 2
    if is_table or sparse.issparse(encoded):
        raise ValueError(
            "The encoder inside the network returned one row per recording, an array of shape "
            f"{encoded.shape}. Expected frames over time, an array (n_features, n_frames) for each "
            "recording. Remove the step of encoder= that pools over time (FramePooling; or pass "
            "pooling=None to PretrainedEmbedder), or use a classifier that takes rows: "
            "make_pipeline(encoder, StandardScaler(), SVC())."
        )


def refuse_single_frames(standardize: str) -> None:
    """Raise the error for recordings with a single frame, whose mean would be subtracted."""
    raise ValueError(
        f"standardize={standardize!r} subtracts each recording's mean over time. Every recording "
        "has a single frame, which becomes zero. Pass standardize='global', or recordings of "
        "several frames (a shorter hop_length makes more)."
    )


class ClassLoss(nn.CrossEntropyLoss):
    """Cross-entropy with class weights; 0 for a batch whose recordings all have the weight 0.

    torch's loss is NaN or infinite for such a batch.
    """

    def forward(self, logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        if self.weight is None:
            return super().forward(logits, codes)
        total = nn.functional.cross_entropy(
            logits, codes, self.weight, reduction="sum", label_smoothing=self.label_smoothing
        )
        mass = self.weight[codes].sum()
        return total * (mass > 0) / (mass + (mass == 0))


def check_class_weights(estimator: Any, weights: np.ndarray) -> None:
    """Raise an error if no class of the training data has a weight above 0."""
    if not np.any(weights):
        raise ValueError(
            f"class_weight={estimator.class_weight!r:.200} gives every class of y the weight 0, so "
            "there is nothing to learn: expected a weight above 0 for one class at least."
        )


def check_same_net(estimator: Any) -> None:
    """With ``warm_start``, raise an error if a parameter of the network has changed."""
    for name, first in estimator._built_with.items():
        value = _frozen(getattr(estimator, name))
        if value != first:
            raise ValueError(
                f"warm_start: {name}={getattr(estimator, name)!r:.200}, expected {first!r:.200}"
                " as in the first fit, because its network is trained further. Pass that, or "
                "warm_start=False for a new network."
            )


def built_with(estimator: Any) -> dict[str, Any]:
    """Return the parameters with which the network of an estimator was built."""
    names = (*estimator._module_parameters, "standardize")
    return {name: _frozen(getattr(estimator, name)) for name in names if hasattr(estimator, name)}


def _frozen(value: Any) -> Any:
    """Return a comparable copy, which does not change with the original."""
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(map(_frozen, value))
    return value


def check_same_frames(before: Any, now: Any) -> None:
    """With ``warm_start``, raise an error if an encoder returns other frames than the previous one.

    Augmentations may differ, and parameters that do not change results.
    """
    if before is None or now is None:  # only the number of features is known
        return
    first, second = _frame_facts(before), _frame_facts(now)
    for place in (*second, *first):
        if first.get(place) != second.get(place):
            raise ValueError(
                f"warm_start: encoder {place}={second.get(place)!r:.200}, expected "
                f"{first.get(place)!r:.200} as in the first fit, because its network is trained "
                "further. Pass that encoder, or warm_start=False for a new network."
            )


def _frame_facts(encoder: Any) -> dict[str, Any]:
    """Return the classes and simple parameters on which the frames of an encoder depend."""
    steps = [step for step in steps_of(encoder) if not is_augmentation(step)]
    facts: dict[str, Any] = {"steps": tuple(type(step).__name__ for step in steps)}
    for step in steps:
        for place, value in parts_of(step, type(step).__name__, ignored=HOW):
            frozen = _frozen(value)
            if isinstance(frozen, (bool, int, float, str, tuple, type(None), type)):
                facts[place] = frozen
    return facts


def check_n_features(module: Any, n_features: int, *, warm_start: bool = False) -> None:
    """Raise an error if the number of features differs from that of fit."""
    expected = len(module.standardize.mean)
    if n_features == expected:
        return
    if warm_start:
        raise ValueError(
            f"warm_start: X has {n_features} features per frame, expected {expected} as in the "
            "first fit, because its network is trained further. Pass frames of the same encoder, "
            "or warm_start=False for a new network."
        )
    raise ValueError(
        f"X has {n_features} features per frame, expected the {expected} of fit. Were the "
        "recordings encoded differently?"
    )


def check_finite(rows: Iterable[np.ndarray], module: Any, frames: Sequence[Any]) -> None:
    """Raise an error if the network returned NaN or infinity for a recording.

    Parameters
    ----------
    rows : iterable of ndarray
        Output of the network for each recording.
    module : StandardizedNet
    frames : sequence
        Output of `prediction_frames`, for messages. A plain list of arrays has no names.
    """
    # The sum of float32 values in float64 is finite unless a value is not finite.
    if isinstance(rows, np.ndarray) and np.isfinite(rows.sum(dtype=np.float64)):
        return
    for i, row in enumerate(rows):
        if not np.isfinite(row.sum(dtype=np.float64)):
            names = getattr(frames, "names", None)
            name = names[i] if names else f"recording {i}"
            raise ValueError(
                f"{name}: the network returned NaN or infinity. {_cause(module, frames[i])}"
            )


def _cause(module: Any, frames: Any) -> str:
    lost = not_finite(module)
    if lost:
        return f"Its weights are not finite ({lost[0]}): fit again, or load other weights."
    if not isinstance(frames, np.ndarray):
        opened = frames.open()
        frames = opened.read(0, opened.n_frames).T
    x = torch.from_numpy(np.ascontiguousarray(frames))[None].to(module.standardize.mean.device)
    largest = sizes(module, x, torch.tensor([frames.shape[1]], device=x.device))[0]
    return (
        f"Its largest standardised feature is {largest:.3g}, expected a few units. Was it "
        "encoded or scaled differently from the recordings of fit?"
    )


def not_finite(module: Any) -> list[str]:
    """Return the names of tensors in the state of a module that are not finite."""
    state = module.state_dict().items()
    return [name for name, values in state if not torch.isfinite(values).all()]


@torch.no_grad()
def sizes(module: Any, x: torch.Tensor, lengths: torch.Tensor) -> np.ndarray:
    """Return the largest absolute feature of each sequence, standardised."""
    standardized = getattr(module, "standardized", module.standardize)
    largest: np.ndarray = standardized(x, lengths).abs().amax((1, 2)).cpu().numpy()
    return largest


def divergence(error: Any, module: Any, names: Sequence[str], estimator: Any, epoch: int) -> str:
    """Return the message for a batch whose loss is NaN or infinite.

    Parameters
    ----------
    error : NotFiniteError
    module : StandardizedNet
    names : sequence of str
        Names of the recordings of the batch.
    estimator : estimator
    epoch : int
        Epoch of this training, from 1.
    """
    part = "" if error.training else " on the part held out"
    begin = f"Training diverged: the loss{part} is {error.loss:g} in epoch {epoch}"
    device = next(module.parameters()).device
    largest = sizes(module, error.x.to(device), error.lengths.to(device))
    usual = float(np.median(largest))
    causes = [i for i, size in enumerate(largest) if not size <= OUTLYING * max(usual, 1.0)]
    if causes:
        listed = ", ".join(names[i] for i in causes[:5]) + (", ..." if len(causes) > 5 else "")
        worst = max((float(largest[i]) for i in causes), key=lambda s: (np.isnan(s), s))
        return (
            f"{begin}, in a batch with {listed}. The largest standardised feature there is "
            f"{worst:.3g}, expected about {usual:.3g} (the median of the batch). Check these "
            "recordings: remove them, or scale them as the others."
        )
    return (
        f"{begin}. The recordings are not the cause: their largest standardised feature is "
        f"{largest.max():.3g}. {advice(estimator)}"
    )


def advice(estimator: Any) -> str:
    """Return advice after a training that diverged."""
    lower = f"Lower lr, which is {estimator.lr:g}, by a factor of 10"
    reduced = estimator.precision != "float32"
    return lower + (", or try precision='float32'." if reduced else ".")
