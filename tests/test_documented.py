"""Every public name is documented: parameters, results, errors, source, example.

``python -m tests.test_documented`` prints how many names have each of these, and what is missing.
"""

from __future__ import annotations

import inspect
import re
from functools import cache

import pytest

import skaudio

docscrape = pytest.importorskip("numpydoc.docscrape")
NAMES = sorted(name for name in skaudio.__all__ if callable(getattr(skaudio, name)))

# A year, or a tool whose numbers, names or formats are followed.
SOURCE = re.compile(
    r"References|\b(19|20)\d\d\b|librosa|numpy\.pad|scipy|scikit-learn|sklearn|sed_eval|DCASE|pandas|"
    r"Audacity|Raven|AudioSet|ONNX|torchcodec|Hugging Face|torch\.nn|licence|Bokeh|skorch"
)
# What has no source outside this project, by the reason.
NO_SOURCE = {
    "a container, a table or a file of this project": (
        "CacheInfo FolderState FrameStack Recording RecordingsAudit as_object_array check_frames "
        "pack validate_frames download load detect tag load_events epoch_seeds file_names "
        "events_to_frames frames_to_events merge_events make_event_scorer Waveform"
    ),
    "a picture of results; their sources are with what computes them": (
        "AudioPlayers AuditDisplay AugmentationDisplay EventsDisplay SpectrogramDisplay"
    ),
    "sums, products and means, for which there is no source to name": (
        "DynamicRange FunctionAugmentation Noise TimeShift Volume Standardize WeakLabelLoss "
        "recording_mean scores_by worst_classified check_invertible Analysis"
    ),
    "that of `ContrastiveLoss`, over more pairs": "AllPairsLoss",
    "those of `TDNN` and `StatisticsPooling`, of which it consists": "StatisticsTDNN",
    "that of `event_based_scores` and `segment_based_scores`": "event_based_f1 segment_based_f1",
    "that of `equal_error_rate`, at the same point": "equal_error_threshold",
}
# Functions without a Raises section, by the reason. Classes are not counted: errors of estimators
# are declared in `_constraints` and raised by `fit` (tests/test_parameters.py), those of the others
# by their methods.
NO_ERRORS = {
    "numbers in, numbers out: what numpy and torch refuse": (
        "as_object_array dct_matrix epoch_seeds griffin_lim hz_to_mel istft mel_domain_filterbank "
        "mel_filterbank mel_frequencies mel_to_hz pack recording_mean unmix"
    ),
    "nothing can be wrong with the input": (
        "file_names get_data_home load_spoken_digits show_versions"
    ),
    "as `embed`, to which the docstring refers": "detect tag",
    "those of `check_events`, to which tables of events go": (
        "event_based_f1 event_based_scores segment_based_f1 segment_based_scores events_to_frames "
        "frames_to_events"
    ),
}
# What has no example that runs, by the reason.
NO_EXAMPLE = {"returned by `embed`, `detect` and `tag`, whose examples show it": "FolderState"}


@cache
def documentation(name):
    """Return a public object, its parsed docstring, and the text of it."""
    found = getattr(skaudio, name)
    parse = docscrape.ClassDoc if inspect.isclass(found) else docscrape.FunctionDoc
    return found, parse(found), inspect.getdoc(found) or ""


def parameters(found):
    """Return the names of the parameters of a function, or of the constructor of a class."""
    if inspect.isclass(found) and "__init__" not in vars(found) and issubclass(found, tuple):
        return list(found._fields)
    function = found.__init__ if inspect.isclass(found) else found
    kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    named = inspect.signature(function).parameters.values()
    return [p.name for p in named if p.name != "self" and p.kind not in kinds]


def undescribed(name):
    """List the parameters of which the docstring says nothing."""
    found, doc, _ = documentation(name)
    described = set()
    for section in ("Parameters", "Other Parameters", "Attributes"):
        for item in doc[section]:
            names = [part.strip() for part in item.name.split(",")]
            described |= set(names) if item.type or item.desc else set()
    if inspect.isclass(found) and issubclass(found, tuple):
        described |= {f for f in found._fields if vars(found)[f].__doc__}
    return [p for p in parameters(found) if p not in described]


def shapeless(name):
    """List the arrays among parameters and results of which no shape is stated."""
    _, doc, _ = documentation(name)
    items = [item for part in ("Parameters", "Returns") for item in doc[part]]
    arrays = [i for i in items if re.match(r"(nd)?array\b|tensor", i.type)]
    stated = r"shape|\(n|\d-D|like|of str|or None|window|\bor\b"
    return [i.name for i in arrays if not re.search(stated, i.type + " ".join(i.desc))]


def returns_something(found):
    annotation = inspect.signature(found).return_annotation
    return annotation not in (None, "None", inspect.Signature.empty)


def has_result(name):
    found, doc, _ = documentation(name)
    if inspect.isclass(found):
        return True
    return bool(doc["Returns"] or doc["Yields"]) or not returns_something(found)


def has_errors(name):
    found, doc, _ = documentation(name)
    return inspect.isclass(found) or bool(doc["Raises"])


def has_source(name):
    return bool(SOURCE.search(documentation(name)[2]))


def has_example(name):
    return ">>> " in documentation(name)[2]


CHECKS = {
    "summary": lambda name: bool(documentation(name)[1]["Summary"]),
    "parameters": lambda name: not undescribed(name),
    "shapes": lambda name: not shapeless(name),
    "results": has_result,
    "errors": has_errors,
    "source": has_source,
    "example": has_example,
}


def missing(check):
    return {name for name in NAMES if not CHECKS[check](name)}


EXCUSED = {"errors": NO_ERRORS, "source": NO_SOURCE, "example": NO_EXAMPLE}


@pytest.mark.parametrize("check", CHECKS)
def test_every_name_is_documented(check):
    """A new name has each of these, or a reason above; a reason that is not needed goes."""
    assert missing(check) == set(" ".join(EXCUSED.get(check, {}).values()).split())


if __name__ == "__main__":
    for check in CHECKS:
        gaps = sorted(missing(check))
        print(f"{check:11} {len(NAMES) - len(gaps)} of {len(NAMES)}", *gaps)
