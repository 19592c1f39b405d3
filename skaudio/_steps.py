"""Inspection of estimators: steps of Pipelines, nested parts, output as arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags


def steps_of(estimator: Any, *, frozen: bool = True) -> Iterator[Any]:
    """Yield the steps of a Pipeline and of the Pipelines in it, in order.

    Any other estimator is a single step. With ``frozen``, the steps in a FrozenEstimator are also
    yielded.
    """
    if isinstance(estimator, FrozenEstimator):
        if frozen:
            yield from steps_of(estimator.estimator)
    elif isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step is not None and step != "passthrough":
                yield from steps_of(step, frozen=frozen)
    else:
        yield estimator


def first_step(estimator: Any) -> Any:
    """Return the first step; a Pipeline without steps is returned itself."""
    return next(steps_of(estimator), estimator)


def last_step(estimator: Any) -> Any:
    """Return the last step; a Pipeline without steps is returned itself."""
    return next(reversed(list(steps_of(estimator))), estimator)


def frame_maker(estimator: Any) -> Any:
    """Return the last step with ``frame_times``, which makes the frames, or None."""
    makers = (step for step in reversed(list(steps_of(estimator))) if hasattr(step, "frame_times"))
    return next(makers, None)


def is_augmentation(value: Any) -> bool:
    """Whether an estimator augments: it has a method ``augment``."""
    return callable(getattr(value, "augment", None)) and not isinstance(value, type)


def parts_of(
    value: Any, place: str = "", *, ignored: Collection[str] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield all parts of an estimator, at any depth, with their names.

    Names are those of ``set_params``: ``step__parameter``. The names of parameters with named
    estimators (``steps``, ``transformers``) are left out, as in ``set_params``.
    """
    inside: Any = ()
    if hasattr(value, "get_params") and not isinstance(value, type):
        parameters = value.get_params(deep=False).items()
        inside = [(key, item) for key, item in parameters if key not in ignored]
    elif isinstance(value, Mapping):
        inside = value.items()
    elif isinstance(value, (list, tuple)):
        inside = enumerate(value)
    elif isinstance(value, partial):
        inside = [("func", value.func), ("args", value.args), ("keywords", value.keywords)]
    elif hasattr(value, "__self__"):  # a bound method, such as Noise().fit_transform
        inside = [("method", value.__self__)]
    for key, item in inside:
        if _is_named(item):
            for name, named, *_ in item:
                where = _join(place, name)
                yield where, named
                yield from parts_of(named, where, ignored=ignored)
        else:
            where = _join(place, key)
            yield where, item
            yield from parts_of(item, where, ignored=ignored)


def _is_named(value: Any) -> bool:
    """Whether a value is a list of tuples (name, estimator, ...), as in Pipelines and unions."""
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(v, tuple) and len(v) > 1 and isinstance(v[0], str) for v in value)
    )


def _join(place: str, key: Any) -> str:
    return f"{place}__{key}" if place else str(key)


def check_next_step(transformer: Any, fit: Mapping[str, Any]) -> None:
    """Raise an error if a Pipeline passes frames to a step that needs a table.

    Otherwise, this step would raise an error of scikit-learn or numpy ("Found array with dim 3",
    "setting an array element with a sequence"), which does not explain the problem.

    Parameters
    ----------
    transformer : transformer
        Transformer that returns frames.
    fit : mapping
        Local variables of the running ``Pipeline._fit``. If another version of scikit-learn has
        other names, nothing is checked.
    """
    pipeline, position, running = map(fit.get, ("self", "step_idx", "cloned_transformer"))
    if pipeline is None or position is None or running is None:
        return
    if last_step(running) is not transformer:
        return  # its output goes to the step of which it is a part
    following = pipeline.steps[position + 1 :]
    step = first_step(Pipeline(following)) if following else None
    if step is None or not _takes_tables_only(step):
        return
    frames, table = type(transformer).__name__, type(step).__name__
    raise TypeError(
        f"{table} takes a table, one row per recording; {frames} returns frames, an array "
        f"(n_features, n_frames) per recording. Put a FramePooling between them: "
        f"make_pipeline({frames}(...), FramePooling(), {table}(...)), with "
        "`from skaudio.pooling import FramePooling`. Neural classifiers, such as GRUClassifier, "
        "take frames as they are."
    )


def _takes_tables_only(step: Any) -> bool:
    """Whether a step certainly does not accept frames: a single estimator of scikit-learn."""
    if not type(step).__module__.startswith("sklearn.") or isinstance(step, Pipeline):
        return False
    if any(hasattr(part, "fit") for _, part in parts_of(step)):
        return False  # its parts may accept frames
    tags = get_tags(step)
    return not (tags.no_validation or tags.input_tags.three_d_array)


def pin_output(estimator: Any) -> Any:
    """Let the steps of an estimator return arrays, independent of `sklearn.set_config`.

    It is for clones that are used inside another estimator. Frozen estimators belong to the user
    and are not changed.
    """
    for step in steps_of(estimator, frozen=False):
        if hasattr(step, "set_output"):
            step.set_output(transform="default")
    return estimator


def transform_plainly(transformer: Any, X: Any) -> Any:
    """Return ``transformer.transform(X)`` as arrays, independent of `set_output`.

    It is for a transformer of the user, whose settings must not be changed.
    """
    with config_context(transform_output="default"):
        return unwrapped(transformer.transform(X))


def unwrapped(output: Any) -> Any:
    """Convert a DataFrame made by `set_output` back to an array of frames, rows or waveforms."""
    if not hasattr(output, "columns"):
        return output
    if not hasattr(output, "iloc") or output.shape[1] != 1 or output.dtypes.iloc[0].kind != "O":
        return output.to_numpy()
    cells = output.iloc[:, 0].tolist()
    return [cell["array"] if isinstance(cell, Mapping) else cell for cell in cells]
