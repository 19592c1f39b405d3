"""Metrics that scikit-learn does not have.

scores_by
    Accuracy per class, per speaker or per any other group, with standard errors.
worst_classified
    Recordings with the lowest probability of the true class.
equal_error_rate, equal_error_threshold
    Verification of pairs of recordings: the error rate, and its threshold.
normalized_scores
    Similarities of embeddings, normalised by the similarities to a cohort.
precision_at_k, r_precision, map_at_r
    Retrieval: how many neighbours of a recording are of its class.
event_based_f1, segment_based_f1
    F1 score of events: of whole events, or of segments of a second.
event_based_scores, segment_based_scores
    F1, precision, recall and counts per label.
make_event_scorer
    Makes a scorer for searches and cross-validation with strong labels.
"""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.metrics._accuracy import scores_by, worst_classified
from skaudio.metrics._event_scorer import make_event_scorer
from skaudio.metrics._event_scores import (
    count_events as count_events,
)
from skaudio.metrics._event_scores import (
    count_segments as count_segments,
)
from skaudio.metrics._event_scores import (
    event_based_f1,
    event_based_scores,
    segment_based_f1,
    segment_based_scores,
)
from skaudio.metrics._event_scores import (
    f1_of as f1_of,
)
from skaudio.metrics._retrieval import map_at_r, precision_at_k, r_precision
from skaudio.metrics._verification import equal_error_rate, equal_error_threshold, normalized_scores

__all__ = [
    "equal_error_rate",
    "equal_error_threshold",
    "event_based_f1",
    "event_based_scores",
    "make_event_scorer",
    "map_at_r",
    "normalized_scores",
    "precision_at_k",
    "r_precision",
    "scores_by",
    "segment_based_f1",
    "segment_based_scores",
    "worst_classified",
]
