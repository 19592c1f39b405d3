"""Measures that scikit-learn has no word for.

scores_by
    Accuracy per class, per speaker, per anything, with standard errors.
worst_classified
    The recordings a classifier is most wrong about.
event_based_f1, segment_based_f1
    How well events were found, one by one or by the second.
event_based_scores, segment_based_scores
    The same per label, with precision, recall and counts.
make_event_scorer
    Score by strong labels inside a search.
"""

from skaudio.metrics._event_scorer import make_event_scorer
from skaudio.metrics._events import (
    event_based_f1,
    event_based_scores,
    segment_based_f1,
    segment_based_scores,
)
from skaudio.metrics._scores import scores_by, worst_classified

__all__ = [
    "event_based_f1",
    "event_based_scores",
    "make_event_scorer",
    "scores_by",
    "segment_based_f1",
    "segment_based_scores",
    "worst_classified",
]
