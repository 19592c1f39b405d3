"""The table of what each public estimator can do, read from its tags and signatures.

``.. capability-table::`` puts it into a page. tests/test_capabilities.py tries every cell.
"""

import importlib
import inspect
import pkgutil

from docutils import nodes
from docutils.statemachine import StringList
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sphinx.util.docutils import SphinxDirective

import skaudio

# Estimators that take a table, one row per recording; nothing in their tags tells.
TAKES_ROWS = ("ApproximateNeighborsTransformer", "WCCN")
# Packages in the order of the table, with the title of their part. Others follow by name.
TITLES = {
    "encoders": "Encoders: recordings to frames",
    "augmentation": "Augmentations: act in fit only",
    "pooling": "Pooling: frames to rows",
    "classifiers": "Classifiers: recordings to classes",
    "detectors": "Detectors: recordings to events",
    "embedders": "Embedders: recordings to rows",
    "pretrained": "Pretrained networks: recordings to rows, frames or tags",
    "caching": "Caching: as the transformer inside",
    "scale": "Large collections: rows to neighbours",
}
# Parts of the estimators that have no default instance.
PARTS = {
    "estimator": lambda: skaudio.GRUClassifier(),
    "module": lambda: skaudio.LeNet,
    "transformer": lambda: skaudio.MFCC(),
    "transformers": lambda: [("mfcc", skaudio.MFCC())],
    "memory": lambda: "cached",
}
COLUMNS = {
    "takes": "what ``X`` holds: recordings or frames of any length, or rows of a table",
    "learns": "``fit`` learns from the data; the others can be used without ``fit``",
    "groups": "``fit`` takes ``groups``, which are held out together for early stopping",
    "multi-label": "``y`` may hold several labels per recording",
    "streams": "takes a signal that is still arriving; augmentations are skipped",
    "saves": "``skaudio.save`` stores it",
    "ONNX": "``export_onnx`` writes it; augmentations are skipped",
    "device": "has the parameter ``device``, for a GPU",
}


def estimators():
    """Return the public estimator classes of each package."""
    found = {}
    for module in pkgutil.iter_modules(skaudio.__path__):
        if module.name.startswith("_"):
            continue
        package = importlib.import_module(f"skaudio.{module.name}")
        kinds = [getattr(package, name) for name in getattr(package, "__all__", ())]
        kinds = [k for k in kinds if inspect.isclass(k) and issubclass(k, BaseEstimator)]
        if kinds:
            found[module.name] = sorted(kinds, key=lambda kind: kind.__name__.lower())
    first = [name for name in TITLES if name in found]
    return {name: found[name] for name in [*first, *sorted(set(found) - set(first))]}


def capabilities(estimator):
    """Return a row of the table: for each column, a text or whether there is a tick."""
    from skaudio.persistence._classes import estimator_name

    kind, tags = type(estimator), get_tags(estimator)
    rows, augments = kind.__name__ in TAKES_ROWS, hasattr(kind, "augment")
    frames, classifier = tags.input_tags.three_d_array, tags.classifier_tags
    return {
        "takes": "rows" if rows else "frames" if frames else "recordings",
        "learns": bool(tags.requires_fit),
        "groups": "groups" in inspect.signature(kind.fit).parameters,
        "multi-label": bool(classifier and classifier.multi_label),
        "streams": augments or hasattr(kind, "stream"),
        "saves": estimator_name(kind) is not None,
        "ONNX": augments or exports(kind),
        "device": any(name.split("__")[-1] == "device" for name in estimator.get_params()),
    }


def build(kind):
    """Return an instance, with small parts in the parameters that have no default."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    needed.remove("self")
    return kind(**{name: PARTS.get(name, lambda: None)() for name in needed})


def exports(kind):
    """Whether a kind of estimator has a translation to ONNX; that of STFT only says why not."""
    from skaudio.persistence._onnx_steps import STEPS

    if kind is skaudio.STFT:
        return False
    return any(issubclass(kind, known) for known in STEPS) or kind is skaudio.CachedTransformer


def lines():
    """Return the table as reStructuredText."""
    head = ["estimator", *COLUMNS]
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :class: capabilities"
    yield ""
    yield from row(head)
    for package, kinds in estimators().items():
        title = TITLES.get(package, package)
        yield from row([f"**{title}**", *[""] * len(COLUMNS)])
        for kind in kinds:
            link = f":class:`~skaudio.{package}.{kind.__name__}`"
            cells = capabilities(build(kind)).values()
            yield from row([link, *[{True: "✓", False: "–"}.get(cell, cell) for cell in cells]])


def row(cells):
    for i, cell in enumerate(cells):
        yield f"   {'*' if i == 0 else ' '} - {cell}".rstrip()


class CapabilityTable(SphinxDirective):
    """``.. capability-table::``, without arguments."""

    def run(self):
        node = nodes.container()
        content = StringList([*lines(), "", *legend()], source="capability_table")
        self.state.nested_parse(content, 0, node)
        return node.children


def legend():
    yield ".. rubric:: Columns"
    yield ""
    for column, meaning in COLUMNS.items():
        yield f"- **{column}**: {meaning}."


def setup(app):
    app.add_directive("capability-table", CapabilityTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
