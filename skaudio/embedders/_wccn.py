"""Within-class covariance normalisation of embeddings."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, Self

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skaudio._validation import check_parameters, choice, number
from skaudio.frames import scale_to_unit

# Of "auto": the covariance is not singular then.
LEAST = 0.001


class WCCN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Scale embeddings so that recordings of one class vary equally in all directions.

    The rows of one class differ more in some directions than in others: by what is said, by the
    microphone. Such directions tell little about the class. They are scaled down, and the others
    up, until the covariance within classes is the identity (within-class covariance normalisation).
    It applies to other classes as well. It is learned from the rows of an embedder, best of
    recordings and classes that the embedder was not trained on; the training recordings do.

    Parameters
    ----------
    shrinkage : float or "auto", default="auto"
        Between 0, the covariance as it is, and 1, a multiple of the identity, with which nothing
        but the length of rows changes. "auto" is the estimate of Ledoit & Wolf 2004, or 0.001 if
        that is more. Rows that are few, compared to their columns, need more.
    unit_norm : bool, default=True
        Scale each row, or frame, to length 1, so that the nearest neighbours by euclidean distance
        are those by cosine similarity.

    Attributes
    ----------
    whitening_ : ndarray of shape (n_features, n_features)
        Rows are multiplied by it. The product with its transpose is the inverse of the covariance.
    shrinkage_ : float
    n_features_in_ : int

    See Also
    --------
    skaudio.metrics.normalized_scores : Normalisation of the scores of pairs.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Also looks at what differs between
        classes, and keeps one direction less than there are classes.

    References
    ----------
    Hatch, Kajarekar & Stolcke 2006, "Within-class covariance normalization for SVM-based speaker
    recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.embedders import WCCN
    >>> rng = np.random.default_rng(0)
    >>> classes = np.repeat(np.arange(20), 10)
    >>> rows = rng.normal(size=(20, 2))[classes] + rng.normal(size=(200, 2)) * [10.0, 0.1]
    >>> white = WCCN(0.0, unit_norm=False).fit_transform(rows, classes)
    >>> within = white - [white[classes == c].mean(axis=0) for c in classes]
    >>> within.std(axis=0).round(0)
    array([1., 1.])
    """

    _constraints: ClassVar[dict[str, Any]] = {"shrinkage": number(0, 1) | choice("auto")}

    def __init__(self, shrinkage: Any = "auto", *, unit_norm: bool = True) -> None:
        self.shrinkage = shrinkage
        self.unit_norm = unit_norm

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the covariance within classes.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
        y : array-like of shape (n_recordings,)
            Class labels. Classes with a single row do not count.

        Returns
        -------
        self : estimator
        """
        check_parameters(self)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        codes, counts = np.unique(y, return_inverse=True, return_counts=True)[1:]
        several = counts[codes] > 1
        if not several.any():
            raise ValueError(
                f"y holds {len(counts)} classes of one row each (n_samples={len(y)}): nothing "
                "varies within a class. Expected two rows or more of some class."
            )
        means = np.zeros((len(counts), X.shape[1]))
        np.add.at(means, codes, X)
        centred = (X - (means / counts[:, None])[codes])[several]
        # A class of n rows varies freely in n - 1 ways.
        covariance = centred.T @ centred / (several.sum() - np.sum(counts > 1))
        level = np.trace(covariance) / len(covariance)
        if not level > 0:
            raise ValueError("The rows of each class are equal: nothing varies within a class.")
        is_number = isinstance(self.shrinkage, numbers.Real)
        if is_number:
            self.shrinkage_ = float(self.shrinkage)
        else:
            estimate = ledoit_wolf_shrinkage(centred, assume_centered=True)
            self.shrinkage_ = max(float(estimate), LEAST)
        shrunk = (1 - self.shrinkage_) * covariance
        shrunk[np.diag_indices_from(shrunk)] += self.shrinkage_ * level
        try:
            root = np.linalg.cholesky(shrunk)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"shrinkage={self.shrinkage!r}: the covariance within classes is singular, since "
                f"{several.sum()} rows are few for {X.shape[1]} columns, or columns depend on each "
                'other. Pass a larger shrinkage, or "auto".'
            ) from None
        self.whitening_ = solve_triangular(root, np.eye(len(root)), lower=True).T
        self._n_features_out = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return normalised rows.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Of any classes.

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_features)
            float32 where X is, else float64.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        rows = (X @ self.whitening_).astype(X.dtype)
        return scale_to_unit(rows, axis=1) if self.unit_norm else rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
