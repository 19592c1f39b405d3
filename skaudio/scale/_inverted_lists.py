"""faiss behind a few methods: rows in lists around centres, of which a search reads the nearest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skaudio._parallel import map_in_threads, n_threads

# Rows of training per centre: more make building longer, and recall hardly better.
PER_CENTRE = 64
ITERATIONS = 10
# Queries of one call. Below 20, faiss compares each query on its own with the centres, so that its
# result does not depend on what is searched together; from 20 on, it uses a matrix product.
QUERIES = 16
# Rows that are decoded together.
BLOCK = 1 << 14


def faiss() -> Any:
    """Return the module faiss."""
    try:
        import faiss as module
    except ImportError as error:
        raise ImportError(
            'Approximate neighbours need faiss: install it with pip install "skaudio[search]".'
        ) from error
    return module


@contextmanager
def _threads(n: int) -> Iterator[Any]:
    """Give faiss, with a number of threads for calls from this thread."""
    module = faiss()
    before = module.omp_get_max_threads()
    module.omp_set_num_threads(n)
    try:
        yield module
    finally:
        module.omp_set_num_threads(before)


class InvertedLists:
    """Rows in lists, one per centre; distances are squared euclidean ones.

    Parameters
    ----------
    index : faiss.IndexIVF
    """

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def around(cls, centres: np.ndarray, dtype: str) -> InvertedLists:
        """Return empty lists around centres (n_lists, n_features), for rows of a type."""
        module = faiss()
        n_lists, width = centres.shape
        quantizer = module.IndexFlatL2(width)
        quantizer.add(np.ascontiguousarray(centres, np.float32))
        if dtype == "float16":
            half = module.ScalarQuantizer.QT_fp16
            index = module.IndexIVFScalarQuantizer(
                quantizer, width, n_lists, half, module.METRIC_L2, False
            )
        else:
            index = module.IndexIVFFlat(quantizer, width, n_lists, module.METRIC_L2)
        index.is_trained = True  # a centre for each list, and types that learn nothing
        return cls(index)

    @classmethod
    def trained(cls, rows: np.ndarray, n_lists: int, dtype: str, seed: int) -> InvertedLists:
        """Return empty lists around centres that k-means finds among rows."""
        if n_lists == 1:
            return cls.around(rows.mean(axis=0, keepdims=True), dtype)
        with _threads(n_threads()) as module:
            kmeans = module.Kmeans(
                rows.shape[1],
                n_lists,
                niter=ITERATIONS,
                seed=seed,
                min_points_per_centroid=1,
                max_points_per_centroid=len(rows),
            )
            kmeans.train(rows)
        return cls.around(kmeans.centroids, dtype)

    @property
    def n_lists(self) -> int:
        return int(self.index.nlist)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return int(self.index.ntotal), int(self.index.d)

    @property
    def dtype(self) -> str:
        """The type of rows: "float32" or "float16"."""
        return "float32" if self.index.code_size == 4 * self.index.d else "float16"

    @property
    def is_mapped(self) -> bool:
        """Whether the rows are in a file."""
        module = faiss()
        kind = type(module.downcast_InvertedLists(self.index.invlists))
        return issubclass(kind, module.OnDiskInvertedLists)

    def add(self, rows: np.ndarray) -> None:
        """Add rows (n, n_features) of float32, at the positions after those that are there."""
        with _threads(n_threads()):
            self.index.add(rows)

    def search(
        self, queries: np.ndarray, k: int, n_probes: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest rows that are found in the lists whose centres are nearest.

        Parameters
        ----------
        queries : ndarray of shape (n, n_features)
            float32.
        k : int
            At most as many as there are rows that are allowed.
        n_probes : int
            Lists per query; all lists, for queries for which these hold fewer than k rows.
        allowed : ndarray of shape (n_rows,), or None
            Booleans: which rows may be found.

        Returns
        -------
        distances : ndarray of shape (n, k)
            Squared, the smallest first.
        positions : ndarray of shape (n, k)
        """
        distances = np.empty((len(queries), k), np.float32)
        positions = np.empty((len(queries), k), np.int64)
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")

        def look(block: int) -> None:
            part = slice(block * QUERIES, (block + 1) * QUERIES)
            with _threads(1):
                found = self.index.search(queries[part], k, params=self._params(n_probes, bits))
                distances[part], positions[part] = found
                few = positions[part, -1] < 0
                if few.any():
                    params = self._params(self.n_lists, bits)
                    found = self.index.search(queries[part][few], k, params=params)
                    distances[part][few], positions[part][few] = found

        n_blocks = -(-len(queries) // QUERIES)
        map_in_threads(look, n_blocks, threaded=n_blocks > 1)
        return distances, positions

    def _params(self, n_probes: int, bits: np.ndarray | None) -> Any:
        module = faiss()
        selector = None
        if bits is not None:
            selector = module.IDSelectorBitmap(len(bits), module.swig_ptr(bits))
        return module.SearchParametersIVF(nprobe=n_probes, sel=selector)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions and rows as they are stored, list by list."""
        module, lists = faiss(), self.index.invlists
        kind = np.dtype(self.dtype)
        for number in range(self.n_lists):
            n = lists.list_size(number)
            if not n:
                continue
            ids = module.rev_swig_ptr(lists.get_ids(number), n)
            codes = module.rev_swig_ptr(lists.get_codes(number), n * self.index.code_size)
            rows = codes.view(kind).reshape(n, -1)
            for start in range(0, n, BLOCK):
                part = slice(start, start + BLOCK)
                yield ids[part].copy(), rows[part].copy()

    def numbers(self) -> dict[str, np.ndarray]:
        """Return what `from_numbers` makes the same lists of."""
        n, width = self.shape
        rows, order = np.empty((n, width), self.dtype), np.empty(n, np.int64)
        sizes = [self.index.invlists.list_size(i) for i in range(self.n_lists)]
        start = 0
        for ids, block in self.blocks():
            rows[start : start + len(ids)], order[start : start + len(ids)] = block, ids
            start += len(ids)
        centres = faiss().downcast_index(self.index.quantizer).reconstruct_n(0, self.n_lists)
        return {"centres": centres, "sizes": np.array(sizes), "order": order, "rows": rows}

    @classmethod
    def from_numbers(
        cls, centres: np.ndarray, sizes: np.ndarray, order: np.ndarray, rows: np.ndarray
    ) -> InvertedLists:
        """Return lists made of plain arrays, each of which is compared with the others.

        Parameters
        ----------
        centres : ndarray of shape (n_lists, n_features)
        sizes : ndarray of shape (n_lists,)
            How many rows each list has.
        order : ndarray of shape (n_rows,)
            Positions of the rows, list by list.
        rows : ndarray of shape (n_rows, n_features)

        Raises
        ------
        ValueError
            If they do not fit each other.
        """
        fits = (
            rows.ndim == centres.ndim == 2
            and str(rows.dtype) in ("float32", "float16")
            and centres.dtype == np.float32
            and sizes.dtype == order.dtype == np.int64
            and sizes.shape == centres.shape[:1]
            and order.shape == rows.shape[:1]
            and rows.shape[1] == centres.shape[1] > 0
            and (sizes >= 0).all()
            and np.array_equal(np.sort(order), np.arange(len(rows)))
            and sizes.max(initial=0) <= len(rows) == sizes.sum()
        )
        if not fits:
            raise ValueError("the lists of neighbours do not fit each other")
        made = cls.around(centres, str(rows.dtype))
        number = np.repeat(np.arange(len(centres)), sizes)
        codes = np.ascontiguousarray(rows).view(np.uint8)
        swig = faiss().swig_ptr
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            block = np.ascontiguousarray(codes[part]), np.ascontiguousarray(order[part])
            lists = number[part]
            for one in np.unique(lists):
                here = np.flatnonzero(lists == one)
                first, n = here[0], len(here)
                made.index.invlists.add_entries(
                    int(one),
                    n,
                    swig(block[1][first : first + n]),
                    swig(block[0][first : first + n]),
                )
        made.index.ntotal = len(rows)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_tuple, tuple(self.numbers().values())

    def write(self, path: Path) -> None:
        """Write to a file that `read` can map."""
        module, index = faiss(), self.index
        if self.is_mapped:
            # faiss would write the name of the file in which the rows are.
            index = InvertedLists.from_numbers(**self.numbers()).index
        with _as_os_error(path):
            module.write_index(index, str(path))

    @classmethod
    def read(cls, path: Path) -> InvertedLists:
        """Map a file into memory: rows are read from the disk when a search needs them."""
        module = faiss()
        flags = module.IO_FLAG_MMAP | module.IO_FLAG_READ_ONLY
        with _as_os_error(path):
            return cls(module.read_index(str(path), flags))


def _from_tuple(*numbers: np.ndarray) -> InvertedLists:
    return InvertedLists.from_numbers(*numbers)


@contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """Turn the errors of faiss, all of one kind, into one that names the file."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(f"{path}: {error}") from error
