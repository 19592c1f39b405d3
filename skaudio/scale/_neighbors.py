"""Approximate nearest neighbours among millions of rows, as a transformer of scikit-learn."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted, validate_data

from skaudio._validation import check_parameters, choice, count, number
from skaudio.scale._index_file import check_state, facts_of, read_index_file, write_index_file
from skaudio.scale._inverted_lists import BLOCK, PER_CENTRE, InvertedLists
from skaudio.scale._load import load_rows
from skaudio.scale._neighbor_search import FLOATS, MODES, NeighborSearch, prepare_rows
from skaudio.scale._recall import ExactNeighbours, measure_recall

# Up to so many rows, a comparison with every row is as quick as a search in lists.
EXACT_UP_TO = 10_000
# Rows whose neighbours are searched exactly: half to choose n_probes, half to measure recall.
SAMPLE = 512


class ApproximateNeighborsTransformer(  # type: ignore[call-arg]
    NeighborSearch,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Graph of approximate nearest neighbours, for up to many millions of rows.

    k-means divides the rows into lists, one for each centre. A query is compared with the rows of
    the lists whose centres are nearest to it (an inverted file, searched by faiss). ``fit``
    measures the recall, which is the fraction of the true nearest neighbours that is found, and by
    default chooses the number of lists to search that is needed for ``min_recall``. Up to 10 000
    rows, there is one list, and results are exact.

    It can replace :class:`~sklearn.neighbors.KNeighborsTransformer`, and
    :class:`~sklearn.neighbors.NearestNeighbors` for ``kneighbors``.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours of each row.
    mode : {"distance", "connectivity"}, default="distance"
        Values of the graph: distances, or ones. With "distance", the graph has one neighbour more,
        because a row of the training data is its own nearest neighbour.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance. "cosine" is one minus the cosine of the angle; rows are then stored with length 1.
    dtype : {"auto", "float32", "float16"}, default="auto"
        Type of the stored rows. "auto" is float16 if X is float16, else float32. float16 needs half
        of the memory, and rounds rows and queries to three digits.
    min_recall : float, default=0.95
        Smallest mean recall: the fraction of true neighbours to find. There is a warning if fewer
        are found.
    n_lists : int or "auto", default="auto"
        Number of lists. "auto" is one up to 10 000 rows, and twice the square root of the
        number of rows otherwise.
    n_probes : int or "auto", default="auto"
        Number of lists that are searched for a query. More lists take longer and find more
        neighbours. "auto" is the number that is needed for ``min_recall``.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows on which k-means is trained, its initial centres, and the rows for
        measuring recall.

    Attributes
    ----------
    recall_ : float
        Fraction of the true ``n_neighbors`` nearest neighbours that are found: mean over up to 256
        rows that were not used to choose ``n_probes_``.
    n_lists_, n_probes_ : int
    n_samples_fit_ : int
        Number of rows.
    n_features_in_ : int

    See Also
    --------
    sklearn.neighbors.KNeighborsTransformer : Exact, in memory.

    Notes
    -----
    A row of d numbers needs 4 d bytes, or 2 d in float16, and 8 more for its position. Results do
    not depend on the other queries or on the number of threads. ``fit`` has one block of rows as
    float32 in memory at a time, besides X, the lists, and 64 rows per list for k-means.

    `skaudio.save` stores the rows, and the index is built again on loading. The methods ``save``
    and ``open`` of this class store the index itself, in a file that is mapped into memory.

    References
    ----------
    Sivic & Zisserman 2003, "Video Google: a text retrieval approach to object matching in videos".
    Douze et al. 2024, "The Faiss library".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.scale import ApproximateNeighborsTransformer
    >>> rng = np.random.default_rng(0)
    >>> classes = np.repeat([0, 1, 2], 100)
    >>> rows = rng.normal(size=(3, 8))[classes] + 0.5 * rng.normal(size=(300, 8))
    >>> search = ApproximateNeighborsTransformer(5, random_state=0)
    >>> model = make_pipeline(search, KNeighborsClassifier(5, metric="precomputed"))
    >>> bool(model.fit(rows, classes).score(rows, classes) > 0.9)
    True
    >>> distances, positions = search.fit(rows).kneighbors(rows[:2])
    >>> positions.shape
    (2, 5)
    >>> bool(search.recall_ >= 0.95)
    True
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "n_neighbors": count(),
        "mode": choice(*MODES),
        "metric": choice("euclidean", "cosine"),
        "dtype": choice("auto", "float32", "float16"),
        "min_recall": number(0, 1),
        "n_lists": count() | choice("auto"),
        "n_probes": count() | choice("auto"),
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        mode: str = "distance",
        metric: str = "euclidean",
        dtype: str = "auto",
        min_recall: float = 0.95,
        n_lists: Any = "auto",
        n_probes: Any = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.mode = mode
        self.metric = metric
        self.dtype = dtype
        self.min_recall = min_recall
        self.n_lists = n_lists
        self.n_probes = n_probes
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Build the index, and measure its recall.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), str or path-like
            Rows, or the folder to which `embed` has written them. A folder or a mapped array
            (``np.load(path, mmap_mode="r")``) is read in blocks.
        y : ignored

        Returns
        -------
        self : estimator

        Raises
        ------
        ImportError
            If faiss is not installed.
        ValueError
            If a row contains NaN or infinity, or has the length 0 with "cosine".

        Warns
        -----
        UserWarning
            If ``recall_`` is less than ``min_recall``.
        """
        check_parameters(self)
        if isinstance(X, str | os.PathLike):
            X = load_rows(X, mmap_mode="r").data
        # Rows are checked block by block: scikit-learn's check would make a copy of all.
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite=False, ensure_min_features=1)
        n, random = len(X), check_random_state(self.random_state)
        n_lists = self._choose_lists(n)
        dtype = self.dtype
        if dtype == "auto":
            dtype = "float16" if X.dtype == np.float16 else "float32"
        lists, centre = self._trained(X, n_lists, dtype, random)
        sample = sample_without_replacement(n, min(SAMPLE, n), random_state=random)
        queries = prepare_rows(X[sample], self.metric, dtype, sample)
        exact = ExactNeighbours(queries, min(self.n_neighbors + 1, n), centre)
        for start in range(0, n, BLOCK):
            block = prepare_rows(X[start : start + BLOCK], self.metric, dtype, range(start, n))
            lists.add(block)
            exact.add(block, start)
        measured = measure_recall(lists, queries, exact, self.n_probes, self.min_recall)
        self.n_probes_, self.recall_ = measured
        self._lists, self.n_lists_ = lists, n_lists
        self.n_samples_fit_ = self._n_features_out = n
        if self.recall_ < self.min_recall:
            warnings.warn(
                f"recall_={self.recall_:.3f}: of the {self.n_neighbors} nearest neighbours of a "
                f"row, fewer are found than min_recall={self.min_recall}. n_probes="
                f"{self.n_probes!r} of {n_lists} lists are searched: pass more, or 'auto'.",
                stacklevel=2,
            )
        return self

    def _choose_lists(self, n: int) -> int:
        if self.n_lists != "auto":
            return min(int(self.n_lists), n)
        return 1 if n <= EXACT_UP_TO else round(2 * math.sqrt(n))

    def _trained(
        self, X: np.ndarray, n_lists: int, dtype: str, random: np.random.RandomState
    ) -> tuple[InvertedLists, np.ndarray]:
        """Return empty lists for some of the rows, and the mean of these."""
        n = min(PER_CENTRE * n_lists, len(X))
        some = np.sort(sample_without_replacement(len(X), n, random_state=random))
        rows = prepare_rows(X[some], self.metric, dtype, some)
        lists = InvertedLists.trained(rows, n_lists, dtype, random.randint(1 << 31))
        return lists, rows.mean(axis=0)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the index in a file, which `open` maps into memory.

        Parameters
        ----------
        path : str or path-like
            The file. An existing file is replaced at the end.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is not changed.
        """
        check_is_fitted(self)
        return write_index_file(path, self._lists, facts_of(self))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a file of `save`; rows are read from the disk when a search needs them.

        Parameters
        ----------
        path : str or path-like
            The file. Only open files from a source that you trust, because faiss does not check
            their numbers. The file must not change while the estimator is used.

        Returns
        -------
        transformer : ApproximateNeighborsTransformer
            Fitted transformer.

        Raises
        ------
        ImportError
            If faiss is not installed.
        ValueError
            If the file is not an index or is damaged.
        """
        lists, facts = read_index_file(path)
        made = cls(**facts["params"])
        names = facts["state"].pop("feature_names_in_", None)
        vars(made).update(facts["state"], _lists=lists, _n_features_out=lists.shape[0])
        if names is not None:
            vars(made)["feature_names_in_"] = np.asarray(names, dtype=object)
        return made

    def _numbers(self) -> dict[str, np.ndarray]:
        """Return the lists as arrays, for `skaudio.save`: what faiss reads is not checked."""
        return self._lists.numbers()

    def _from_numbers(self, numbers: dict[str, np.ndarray]) -> None:
        """Make the lists again.

        Raises
        ------
        ValueError
            If the arrays do not fit each other, or the rest of the state.
        """
        lists = InvertedLists.from_numbers(**numbers)
        check_state(lists, vars(self))
        self._lists = lists

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_lists")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
