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

# Smallest shrinkage with "auto". It keeps the covariance from being singular.
LEAST = 0.001


class WCCN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Normalise embeddings by the covariance within classes.

    Within a class, rows vary more in some directions than in others, for example because of the
    spoken words or the microphone. These directions carry little information about the class. WCCN
    (within-class covariance normalisation) scales rows so that this covariance becomes the
    identity. It also applies to classes that were not in `fit`. It is fitted to the rows of an
    embedder, preferably of recordings and classes on which the embedder was not trained.

    Parameters
    ----------
    shrinkage : float or "auto", default="auto"
        Shrinkage of the covariance, from 0 (none) to 1 (a multiple of the identity, which changes
        only the length of the rows). If there are few rows compared to columns, a larger value is
        needed. "auto" is the estimate of Ledoit & Wolf 2004, but at least 0.001.
    unit_norm : bool, default=True
        Whether to scale each row (or frame) to length 1. Neighbours by euclidean distance are then
        the same as neighbours by cosine similarity.

    Attributes
    ----------
    whitening_ : ndarray of shape (n_features, n_features)
        Matrix W by which rows are multiplied. ``W @ W.T`` is the inverse of the covariance within
        classes.
    shrinkage_ : float
        The shrinkage that was used.
    n_features_in_ : int
        Number of columns of X.

    See Also
    --------
    skaudio.metrics.normalized_scores : Normalisation of the scores of pairs.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Also uses the
        differences between classes, and keeps one direction less than there are classes.

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
            Class labels. Classes with a single row are ignored.

        Returns
        -------
        self : estimator
        """
        check_parameters(self)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        codes, counts = np.unique(y, return_inverse=True, return_counts=True)[1:]
        if counts.max() == 1:
            raise ValueError(
                f"y holds {len(counts)} classes of one row each (n_samples={len(y)}): nothing "
                "varies within a class. Expected two rows or more of some class."
            )
        covariance, centred = covariance_within(X, codes)
        level = np.trace(covariance) / len(covariance)
        if not level > 0:
            raise ValueError("The rows of each class are equal: nothing varies within a class.")
        is_number = isinstance(self.shrinkage, numbers.Real)
        if is_number:
            self.shrinkage_ = float(self.shrinkage)
        else:
            estimate = ledoit_wolf_shrinkage(centred, assume_centered=True)
            self.shrinkage_ = max(float(estimate), LEAST)
        try:
            self.whitening_ = whitening(covariance, self.shrinkage_)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"shrinkage={self.shrinkage!r}: the covariance within classes is singular, since "
                f"{len(centred)} rows are few for {X.shape[1]} columns, or columns depend on each "
                'other. Pass a larger shrinkage, or "auto".'
            ) from None
        self._n_features_out = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return normalised rows.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Rows of any classes.

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_features)
            Normalised rows, float32 if X is float32, else float64.
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


def covariance_within(X: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of rows within classes, and rows minus the means of their classes.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    codes : ndarray of shape (n_rows,), int
        Class of each row, from 0. Classes with a single row are left out.
    """
    counts = np.bincount(codes)
    several = counts[codes] > 1
    means = np.zeros((len(counts), X.shape[1]))
    np.add.at(means, codes, X)
    centred = (X - means[codes] / counts[codes, None])[several]
    # A class with n rows has n - 1 degrees of freedom.
    return centred.T @ centred / (several.sum() - np.sum(counts > 1)), centred


def whitening(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return the matrix by which rows of this covariance are multiplied to make it the identity."""
    level = np.trace(covariance) / len(covariance)
    shrunk = (1 - shrinkage) * covariance
    shrunk[np.diag_indices_from(shrunk)] += shrinkage * level
    root = np.linalg.cholesky(shrunk)
    inverse: np.ndarray = solve_triangular(root, np.eye(len(root)), lower=True)
    return inverse.T
