"""Measures that scikit-learn has no word for.

scores_by
    Accuracy per class, per speaker, per anything, with standard errors.
worst_classified
    The recordings a classifier is most wrong about.
equal_error_rate, equal_error_threshold
    Verification: are two recordings of one class?
precision_at_k, r_precision, map_at_r
    Retrieval: are the neighbours of a recording of its class?
"""

from skaudio.metrics._retrieval import map_at_r, precision_at_k, r_precision
from skaudio.metrics._scores import scores_by, worst_classified
from skaudio.metrics._verification import equal_error_rate, equal_error_threshold

__all__ = [
    "equal_error_rate",
    "equal_error_threshold",
    "map_at_r",
    "precision_at_k",
    "r_precision",
    "scores_by",
    "worst_classified",
]
