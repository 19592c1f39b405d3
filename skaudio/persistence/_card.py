"""The card of a saved model: its facts, also as text."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skaudio._steps import last_step, parts_of
from skaudio._validation import printable
from skaudio.persistence._encode import OF_FILES

# Parameters in the card are shortened; the tree contains them in full.
LONGEST = 80
# Addresses in memory and paths of files are private, and removed from the card.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
MOST_CLASSES = 1000


class ModelCard(dict[str, Any]):
    """A dict of facts about a saved model, which prints as a page of text.

    Examples
    --------
    >>> from skaudio.persistence._card import ModelCard
    >>> print(ModelCard(estimator="MFCC", sample_rate=16000))
    # MFCC
    <BLANKLINE>
    - sample rate: 16000 Hz
    """

    def __repr__(self) -> str:
        return "\n".join(_lines(self))

    __str__ = __repr__

    def _repr_markdown_(self) -> str:
        return repr(self)


def make_card(
    estimator: Any,
    *,
    description: str | None,
    scores: Mapping[str, Any] | None,
    left_out: list[str],
    needs: Mapping[str, str],
    licences: Mapping[str, str],
) -> dict[str, Any]:
    """Return the facts of a card as JSON."""
    parts = [estimator, *(part for _, part in parts_of(estimator))]
    estimators = [p for p in parts if isinstance(p, BaseEstimator) and not isinstance(p, type)]
    last = last_step(estimator)
    classes = getattr(last, "labels_", getattr(last, "classes_", None))
    rates = [getattr(p, "sample_rate", None) for p in estimators]
    seen = [getattr(p, "n_samples_seen_", None) for p in estimators]
    counts = [int(n) for n in seen if isinstance(n, (int, np.number))]
    facts: dict[str, Any] = {
        "estimator": type(estimator).__name__,
        "steps": [type(p).__name__ for p in estimators] if len(estimators) > 1 else None,
        "description": description,
        "classes": _classes(classes),
        "sample_rate": next((int(rate) for rate in rates if rate), None),
        "n_recordings": counts[0] if counts else None,
        "scores": _scores(scores),
        "parameters": [
            {"estimator": type(p).__name__, **_parameters(p)} for p in estimators if _parameters(p)
        ],
        "weights_licences": dict(licences),
        "not_stored": left_out,
        "needs": dict(needs),
        "usage": _usage(estimator, needs),
    }
    return {name: value for name, value in facts.items() if value not in (None, [], {})}


def _classes(classes: Any) -> list[Any] | None:
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or len(classes) > MOST_CLASSES:
        return None
    return [item if isinstance(item, (bool, int, str)) else str(item) for item in classes.tolist()]


def _scores(scores: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return scores as lists of a mean and its standard error, or of a number alone."""
    found = {}
    for name, value in (scores or {}).items():
        numbers = [float(v) for v in np.atleast_1d(np.asarray(value, dtype=float))]
        if not isinstance(name, str) or len(numbers) not in (1, 2) or not _finite(numbers):
            raise ValueError(
                f"scores={{{name!r}: {value!r}}}: expected names with a number, or with a number "
                "and its standard error, such as {'accuracy': (0.97, 0.01)}."
            )
        found[name] = numbers
    return found


def _finite(numbers: list[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _parameters(estimator: Any) -> dict[str, str]:
    """Return the parameters that are not the defaults, as text."""
    if not hasattr(estimator, "_get_param_names"):
        return {}
    defaults = inspect.signature(type(estimator).__init__).parameters
    found = {}
    for name in estimator._get_param_names():
        value = getattr(estimator, name)
        plain = isinstance(value, (str, int, float, bool, type(None), tuple, list, np.generic))
        hidden = name in (*OF_FILES, "memory", "data_home", "steps")
        if plain and not hidden and repr(value) != repr(defaults[name].default):
            text = ADDRESS.sub("", repr(value))
            found[name] = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return found


def _usage(estimator: Any, needs: Mapping[str, str]) -> str:
    method = next(
        (m for m in ("predict", "tag", "predict_events", "transform") if hasattr(estimator, m)), ""
    )
    modules = ", modules={" + ", ".join(f'"{n}": {n}' for n in needs) + "}" if needs else ""
    lines = ["import skaudio", f'model = skaudio.load("FILE"{modules})']
    return "\n".join([*lines, *([f"model.{method}(X)"] if method else [])])


def _lines(card: Mapping[str, Any]) -> list[str]:
    """Return the lines of a card. Text from a file is escaped."""
    lines = [f"# {_text(card.get('estimator', 'model'))}", ""]
    if card.get("description"):
        lines += [_text(card["description"]), ""]
    named = (
        ("n_recordings", "rows seen in training", ""),
        ("sample_rate", "sample rate", " Hz"),
        ("size", "size", " bytes"),
        ("weights_size", "weights", " bytes"),
    )
    lines += [f"- {text}: {_text(card[key])}{unit}" for key, text, unit in named if key in card]
    for key, text in (("classes", "classes"), ("steps", "parts")):
        if isinstance(card.get(key), list):
            lines.append(f"- {text}: {', '.join(map(_text, card[key]))}")
    for name, numbers in _pairs(card, "scores"):
        mean, *error = numbers if isinstance(numbers, list) and numbers else [numbers]
        lines.append(f"- {_text(name)}: {_short(mean)}{f' ± {_short(error[0])}' if error else ''}")
    for params in card.get("parameters", ()):
        given = ", ".join(f"{_text(k)}={_text(v)}" for k, v in params.items() if k != "estimator")
        lines.append(f"- {_text(params.get('estimator'))}: {given}")
    lines += [f"- weights of {_text(n)}: {_text(v)}" for n, v in _pairs(card, "weights_licences")]
    lines += [f"- needs {_text(n)}, {_text(v)}" for n, v in _pairs(card, "needs")]
    lines += [f"- not stored: {_text(sentence)}" for sentence in card.get("not_stored", ())]
    made_by = ", ".join(f"{_text(n)} {_text(v)}" for n, v in _pairs(card, "versions"))
    lines += [f"- saved by {made_by}"] if made_by else []
    if usage := card.get("usage"):
        lines += ["", *(f"    {printable(line)}" for line in str(usage).split("\n"))]
    return lines


def _pairs(card: Mapping[str, Any], key: str) -> list[tuple[Any, Any]]:
    value = card.get(key, {})
    return list(value.items()) if isinstance(value, Mapping) else []


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
    return printable(str(value))
