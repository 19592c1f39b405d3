"""Measures that scikit-learn has no word for.

scores_by
    Accuracy per class, per speaker, per anything, with standard errors.
worst_classified
    The recordings a classifier is most wrong about.
"""

from skaudio.metrics._scores import scores_by, worst_classified

__all__ = ["scores_by", "worst_classified"]
