"""Approximate neighbours: against exact search, in a Pipeline, in files, and their recall."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline

import skaudio
from skaudio.scale import ApproximateNeighborsTransformer

faiss = pytest.importorskip("faiss")
from skaudio.scale._inverted_lists import InvertedLists  # noqa: E402

K = 5


def clustered(n, n_features=16, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, n_features))
    rows = centres[rng.integers(40, size=n)] + rng.standard_normal((n, n_features))
    return rows.astype(np.float32)


ROWS, QUERIES = clustered(3000), clustered(3200)[3000:]


def exact(rows, queries, k=K, metric="euclidean"):
    return (
        NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute")
        .fit(rows)
        .kneighbors(queries)
    )


def recall(found, true):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true, strict=True)])


def search(**params):
    return ApproximateNeighborsTransformer(**{"n_lists": 32, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return search().fit(ROWS)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_one_list_is_exact(metric, kind):
    index = ApproximateNeighborsTransformer(metric=metric, random_state=0).fit(ROWS.astype(kind))
    assert (index.n_lists_, index.n_probes_, index.recall_) == (1, 1, 1.0)
    distances, positions = index.kneighbors(QUERIES.astype(kind))
    expected, true = exact(ROWS, QUERIES, metric=metric)
    np.testing.assert_array_equal(positions, true)
    np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(index.kneighbors()[1], exact_without_itself(metric))


def exact_without_itself(metric):
    return (
        NearestNeighbors(n_neighbors=K, metric=metric, algorithm="brute").fit(ROWS).kneighbors()[1]
    )


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_is_that_of_scikit_learn(mode):
    ours = ApproximateNeighborsTransformer(K, mode=mode)
    theirs = KNeighborsTransformer(n_neighbors=K, mode=mode, algorithm="brute")
    graph, expected = ours.fit_transform(ROWS[:500]), theirs.fit_transform(ROWS[:500])
    assert graph.shape == expected.shape
    np.testing.assert_array_equal(graph.indptr, expected.indptr)
    np.testing.assert_array_equal(graph.indices, expected.indices)
    np.testing.assert_allclose(graph.data, expected.data, rtol=1e-4, atol=1e-3)
    assert (graph.diagonal() == (mode == "connectivity")).all()
    names = ours.get_feature_names_out()
    assert names.tolist() == [f"approximateneighborstransformer{i}" for i in range(500)]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_before_a_classifier(metric):
    y = ROWS[:, 0] > 0
    model = make_pipeline(search(metric=metric), KNeighborsClassifier(K, metric="precomputed"))
    plain = KNeighborsClassifier(K, metric=metric)
    found = model.fit(ROWS, y).predict(QUERIES)
    assert np.mean(found == plain.fit(ROWS, y).predict(QUERIES)) > 0.95
    with pytest.warns(UserWarning, match="recall_="):
        model.set_params(approximateneighborstransformer__n_probes=1).fit(ROWS, y)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_recall_is_what_is_measured(metric):
    shares = []
    for least in (0.5, 0.95, 1.0):
        index = search(metric=metric, min_recall=least).fit(ROWS)
        found = recall(index.kneighbors(QUERIES)[1], exact(ROWS, QUERIES, metric=metric)[1])
        assert index.recall_ == pytest.approx(found, abs=0.04)
        assert index.recall_ >= least
        assert index.kneighbors()[1].shape == (len(ROWS), K)
        shares.append(index.n_probes_)
    assert shares[0] < shares[1] < shares[2] == index.n_lists_


def test_too_little_recall_is_said():
    with pytest.warns(
        UserWarning, match=r"recall_=0\.\d+: of the 5 nearest .*min_recall=0\.95.*1 of 32 l"
    ):
        index = search(n_probes=1).fit(np.random.default_rng(0).random((3000, 16)))
    assert index.recall_ < 0.6


def test_copies_of_a_row_count_as_found():
    rows = np.repeat(ROWS[:300], 20, axis=0)
    index = search(n_probes=1).fit(rows)
    assert index.recall_ == 1.0
    distances, positions = index.kneighbors()
    assert (distances == 0).all()
    assert (positions != np.arange(len(rows))[:, None]).all()


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.003])
def test_mask(fitted, share):
    mask = np.random.default_rng(1).random(len(ROWS)) < share
    assert mask.sum() >= K
    places = np.flatnonzero(mask)
    distances, positions = fitted.kneighbors(QUERIES, mask=mask)
    assert mask[positions].all()
    expected, true = exact(ROWS[mask], QUERIES)
    assert recall(positions, places[true]) > 0.95
    assert (distances >= expected - 1e-4).all()
    among = fitted.kneighbors(None, K - 1, return_distance=False, mask=mask)
    assert mask[among].all()
    assert (among != np.arange(len(ROWS))[:, None]).all()


def test_a_mask_without_the_lists_that_are_near(fitted):
    """As many rows as are asked for are found, however far they are."""
    far = np.argsort(((ROWS - QUERIES[0]) ** 2).sum(axis=1))[-300:]
    mask = np.isin(np.arange(len(ROWS)), far)
    positions = fitted.kneighbors(QUERIES[:1], 300, return_distance=False, mask=mask)
    assert sorted(positions[0]) == sorted(far)


@pytest.mark.parametrize("mask", [[True], np.ones(3000), np.arange(3000)])
def test_what_is_no_mask(fitted, mask):
    with pytest.raises(
        ValueError, match=r"mask has shape .*expected a boolean for each of the 3000"
    ):
        fitted.kneighbors(QUERIES, mask=mask)


def test_more_neighbors_than_rows(fitted):
    with pytest.raises(ValueError, match=r"n_neighbors <= n_samples_fit.* = 3001.* 3000 can be"):
        fitted.kneighbors(QUERIES, 3001)
    with pytest.raises(ValueError, match="beside the row itself"):
        fitted.kneighbors(None, 3000)
    with pytest.raises(ValueError, match="of which 4 that mask lets through"):
        fitted.kneighbors(QUERIES, mask=np.arange(3000) < 4)
    with pytest.raises(ValueError, match="n_neighbors=0: expected"):
        fitted.kneighbors(QUERIES, 0)
    with pytest.raises(ValueError, match="mode='x': expected"):
        fitted.kneighbors_graph(QUERIES, mode="x")
    with pytest.raises(NotFittedError):
        search().kneighbors(QUERIES)


def test_half_precision(tmp_path):
    """Half the bytes; a row is still at the distance 0 of itself; rows may be mapped."""
    np.save(tmp_path / "rows.npy", ROWS.astype(np.float16))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    index = search().fit(mapped)
    assert index._lists.dtype == "float16"
    same = search(dtype="float16").fit(ROWS)
    np.testing.assert_array_equal(index.kneighbors(QUERIES), same.kneighbors(QUERIES))
    assert (index.transform(ROWS).diagonal() == 0).all()
    assert recall(index.kneighbors(QUERIES)[1], exact(ROWS, QUERIES)[1]) > 0.95
    sizes = [i.save(tmp_path / "index").stat().st_size for i in (index, search().fit(ROWS))]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize(
    ("value", "params", "message"),
    [
        (np.nan, {}, "Row 70 of X contains NaN, inf"),
        (np.inf, {"metric": "cosine"}, "Row 70 of X contains NaN, inf"),
        (1e300, {}, "too large for float32"),
        (1e5, {"dtype": "float16"}, "too large for float16"),
        (0, {"metric": "cosine"}, "Row 70 of X has length 0, and so no cosine"),
    ],
)
def test_rows_that_are_refused(value, params, message):
    rows = ROWS[:100].astype(np.float64)
    index = ApproximateNeighborsTransformer(**params).fit(rows)
    rows[70] = value
    with pytest.raises(ValueError, match=message):
        ApproximateNeighborsTransformer(**params).fit(rows)
    with pytest.raises(ValueError, match=message):
        index.kneighbors(rows)


def test_a_folder(tmp_path):
    pytest.importorskip("pyarrow")
    X = skaudio.load_spoken_digits().data[:40]
    encoder = make_pipeline(skaudio.MFCC(), skaudio.FramePooling())
    skaudio.embed(encoder, X, tmp_path / "rows", part_size=15, dtype="float16")
    index = ApproximateNeighborsTransformer(random_state=0).fit(tmp_path / "rows")
    assert index._lists.dtype == "float16"
    rows = skaudio.load_rows(tmp_path / "rows").data
    same = ApproximateNeighborsTransformer(random_state=0).fit(rows)
    np.testing.assert_array_equal(index.kneighbors(), same.kneighbors())
    with pytest.raises(ValueError, match="no manifest"):
        index.fit(str(tmp_path))


def test_a_fit_that_fails_leaves_what_was_there():
    index = search().fit(ROWS)
    expected = index.kneighbors(QUERIES)
    with pytest.raises(ValueError, match="NaN"):
        index.fit(np.full((50, 16), np.nan))
    np.testing.assert_array_equal(index.kneighbors(QUERIES), expected)


def test_results_do_not_depend_on_what_is_searched_together(fitted):
    distances, positions = fitted.kneighbors(QUERIES)
    for step in (1, 7, 33):
        parts = [fitted.kneighbors(QUERIES[i : i + step]) for i in range(0, len(QUERIES), step)]
        np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), distances)
        np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), positions)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: fitted.kneighbors(QUERIES), range(8)):
            np.testing.assert_array_equal(found, (distances, positions))


def test_chance_is_random_state(fitted):
    before = faiss.omp_get_max_threads()
    again = search().fit(ROWS)
    np.testing.assert_array_equal(again.kneighbors(), fitted.kneighbors())
    assert again.recall_ == fitted.recall_
    assert faiss.omp_get_max_threads() == before


def test_saved_and_opened(fitted, tmp_path):
    path = fitted.save(tmp_path / "index")
    opened = ApproximateNeighborsTransformer.open(path)
    assert repr(opened) == repr(fitted)
    assert [p.name for p in tmp_path.iterdir()] == ["index"]
    for again in (opened, pickle.loads(pickle.dumps(opened)), pickle.loads(pickle.dumps(fitted))):
        assert (again.recall_, again.n_probes_) == (fitted.recall_, fitted.n_probes_)
        np.testing.assert_array_equal(again.kneighbors(), fitted.kneighbors())
        mask = np.arange(3000) % 3 == 0
        np.testing.assert_array_equal(
            again.kneighbors(QUERIES, mask=mask), fitted.kneighbors(QUERIES, mask=mask)
        )
    opened.save(path)  # in its own place
    np.testing.assert_array_equal(opened.kneighbors(), fitted.kneighbors())
    assert clone(opened).get_params() == fitted.get_params()


def test_names_and_generators_in_a_file(tmp_path):
    table = pd.DataFrame(ROWS, columns=[f"x{i}" for i in range(16)])
    index = search(random_state=np.random.RandomState(0), n_neighbors=np.int64(4)).fit(table)
    opened = ApproximateNeighborsTransformer.open(index.save(tmp_path / "index"))
    assert opened.feature_names_in_.tolist() == table.columns.tolist()
    assert opened.random_state is None
    with pytest.raises(ValueError, match="feature names"):
        opened.kneighbors(table.rename(columns={"x0": "y"}))


@pytest.mark.slow
def test_an_opened_index_is_not_read_as_a_whole(tmp_path):
    """In a process of its own: opening and one query take far less memory than the file has."""
    rows = np.random.default_rng(0).standard_normal((20_000, 256)).astype(np.float32)
    path = search(n_probes=1, min_recall=0).fit(rows).save(tmp_path / "index")
    program = (
        "import sys, numpy as np, pathlib\n"
        "from skaudio.scale import ApproximateNeighborsTransformer as A\n"
        "import faiss\n"
        "def used():\n"
        "    lines = pathlib.Path('/proc/self/status').read_text().splitlines()\n"
        "    return sum(int(l.split()[1]) for l in lines if l[:7] in ('RssAnon', 'RssFile'))\n"
        "before = used()\n"
        "index = A.open(sys.argv[1])\n"
        "index.kneighbors(np.zeros((1, 256)))\n"
        "print(used() - before)\n"
    )
    if sys.platform != "linux":
        pytest.skip("the memory of a process is read from /proc")
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 0.5 * path.stat().st_size


@pytest.mark.parametrize("damage", ["cut", "other", "empty", "short", "numbers"])
def test_damaged_files(fitted, tmp_path, damage):
    path = fitted.save(tmp_path / "index")
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "other": b"x" * 1000,
            "empty": b"",
            "short": b"skaudio index 01",
            "numbers": content.replace(b'"n_lists_": 32', b'"n_lists_": 31'),
        }[damage]
    )
    message = "is no file that" if damage != "numbers" else "is damaged: the index has 3000 rows"
    with pytest.raises(ValueError, match=message):
        ApproximateNeighborsTransformer.open(path)


def test_saved_whole_or_not_at_all(fitted, tmp_path, monkeypatch):
    path = fitted.save(tmp_path / "index")
    before = path.read_bytes()

    def full(*args):
        raise RuntimeError("Error: No space left on device")

    monkeypatch.setattr(faiss, "write_index", full)
    with pytest.raises(OSError, match=r"index.*No space left"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_in_a_model_file(dtype, tmp_path):
    """`skaudio.save` stores arrays alone, which are made into the same lists."""
    index = search(dtype=dtype).fit(ROWS)
    again = skaudio.load(skaudio.save(index, tmp_path / "model.skaudio"))
    np.testing.assert_array_equal(again.kneighbors(), index.kneighbors())
    assert again.recall_ == index.recall_
    unfitted = skaudio.load(skaudio.save(search(), tmp_path / "model.skaudio"))
    with pytest.raises(NotFittedError):
        unfitted.transform(ROWS)


CHANGES = {
    "a position twice": lambda n: n["order"].__setitem__(0, n["order"][1]),
    "a position that is not there": lambda n: n["order"].__setitem__(0, 3000),
    "sizes": lambda n: n["sizes"].__setitem__(0, n["sizes"][0] + 1),
    "negative sizes": lambda n: n["sizes"].__setitem__(slice(0, 2), [-1, n["sizes"][:2].sum() + 1]),
    "features": lambda n: n.update(centres=n["centres"][:, 1:]),
    "a list more": lambda n: n.update(centres=n["centres"][1:]),
    "type of rows": lambda n: n.update(rows=n["rows"].astype(np.float64)),
    "type of sizes": lambda n: n.update(sizes=n["sizes"].astype(np.int32)),
    "fewer rows": lambda n: n.update(rows=n["rows"][1:]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_numbers_that_do_not_fit(fitted, change):
    numbers = {name: array.copy() for name, array in fitted._lists.numbers().items()}
    CHANGES[change](numbers)
    with pytest.raises(ValueError, match="do not fit each other"):
        InvertedLists.from_numbers(**numbers)


def test_numbers_that_do_not_fit_the_state(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    copy.n_probes_ = 33
    with pytest.raises(ValueError, match="n_probes_=33"):
        copy._from_numbers(fitted._lists.numbers())
    copy.n_probes_, copy.n_samples_fit_ = 1, 10
    with pytest.raises(ValueError, match="3000 rows"):
        copy._from_numbers(fitted._lists.numbers())


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "skaudio\[search\]"'):
        search().fit(ROWS)


def test_many_rows_make_lists(monkeypatch):
    monkeypatch.setattr("skaudio.scale._neighbors.EXACT_UP_TO", 1000)
    index = ApproximateNeighborsTransformer(random_state=0).fit(ROWS)
    assert index.n_lists_ == round(2 * 3000**0.5)
    assert index.recall_ >= 0.95
    assert index.set_output(transform="pandas").transform(QUERIES).nnz == len(QUERIES) * (K + 1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    index = search(n_neighbors=1).fit(ROWS[:n])
    assert index.recall_ == 1.0
    assert index.kneighbors(ROWS[:n])[1].ravel().tolist() == list(range(n))
