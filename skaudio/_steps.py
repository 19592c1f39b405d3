"""Looking into estimators: the steps of Pipelines, every part at any depth, plain output."""

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

    Any other estimator is its own only step. With ``frozen``, the steps inside a FrozenEstimator
    are yielded as well.
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
    """Return the step that sees X first; a Pipeline without steps is its own."""
    return next(steps_of(estimator), estimator)


def last_step(estimator: Any) -> Any:
    """Return the step that makes the output; a Pipeline without steps is its own."""
    return next(reversed(list(steps_of(estimator))), estimator)


def frame_maker(estimator: Any) -> Any:
    """Return what makes the frames: the last step that knows their times, or None."""
    makers = (step for step in reversed(list(steps_of(estimator))) if hasattr(step, "frame_times"))
    return next(makers, None)


def is_augmentation(value: Any) -> bool:
    """Whether an estimator augments: it has a method ``augment``."""
    return callable(getattr(value, "augment", None)) and not isinstance(value, type)


def parts_of(
    value: Any, place: str = "", *, ignored: Collection[str] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield whatever is inside an estimator, at any depth, with the name of the place.

    Places are called as ``set_params`` calls them: ``step__parameter``. The names of parameters
    that hold named estimators (``steps``, ``transformers``) are left out, as there.
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
    """Whether a value is what Pipelines and unions hold: tuples (name, estimator, ...)."""
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(v, tuple) and len(v) > 1 and isinstance(v[0], str) for v in value)
    )


def _join(place: str, key: Any) -> str:
    return f"{place}__{key}" if place else str(key)


def check_next_step(transformer: Any, fit: Mapping[str, Any]) -> None:
    """Raise an error if a Pipeline that is being fitted hands frames to a step of tables.

    That step would raise scikit-learn's or numpy's error ("Found array with dim 3", "setting an
    array element with a sequence"), which names neither the frames nor what to do.

    Parameters
    ----------
    transformer : transformer
        The one that returns frames.
    fit : mapping
        The variables of ``Pipeline._fit``, which is running. Where another version of scikit-learn
        calls them otherwise, its own error is all there is.
    """
    pipeline, position, running = map(fit.get, ("self", "step_idx", "cloned_transformer"))
    if pipeline is None or position is None or running is None:
        return
    if last_step(running) is not transformer:
        return  # its output goes to the step that it is a part of
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
    """Whether it is certain that a step refuses frames: one of scikit-learn's, by itself."""
    if not type(step).__module__.startswith("sklearn.") or isinstance(step, Pipeline):
        return False
    if any(hasattr(part, "fit") for _, part in parts_of(step)):
        return False  # what is inside may take frames
    tags = get_tags(step)
    return not (tags.no_validation or tags.input_tags.three_d_array)


def pin_output(estimator: Any) -> Any:
    """Let the steps of an estimator return arrays, whatever `sklearn.set_config` asks for.

    For clones that work inside another estimator; what is frozen belongs to the user and stays as
    it is.
    """
    for step in steps_of(estimator, frozen=False):
        if hasattr(step, "set_output"):
            step.set_output(transform="default")
    return estimator


def transform_plainly(transformer: Any, X: Any) -> Any:
    """Return ``transformer.transform(X)`` as arrays, whatever `set_output` asks for.

    For a transformer of the user's, whose settings are not ours to change.
    """
    with config_context(transform_output="default"):
        return unwrapped(transformer.transform(X))


def unwrapped(output: Any) -> Any:
    """Return the array that `set_output` has made a DataFrame of: frames, rows or waveforms."""
    if not hasattr(output, "columns"):
        return output
    if not hasattr(output, "iloc") or output.shape[1] != 1 or output.dtypes.iloc[0].kind != "O":
        return output.to_numpy()
    cells = output.iloc[:, 0].tolist()
    return [cell["array"] if isinstance(cell, Mapping) else cell for cell in cells]
