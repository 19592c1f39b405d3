"""Eight threads at once: results are those of one thread, and the process is left as it was."""

from __future__ import annotations

import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from threadpoolctl import ThreadpoolController

from skaudio import _parallel
from skaudio._parallel import WORTH_THREADS, one_blas_thread, torch_threads, working_threads
from skaudio._state import building, muted, seeded, seeded_globals
from skaudio.augmentation import FunctionAugmentation, Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.nets import GRU, LeNet
from skaudio.pooling import FramePooling
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

from .walk import ESTIMATORS, build

N_THREADS = 8
METHODS = ("transform", "predict", "predict_proba", "decision_function", "predict_events")
# What takes frames; of the others, those that train take them where no encoder is given.
OF_FRAMES = {"FramePooling", "DynamicRange", "TimeMask", "FrequencyMask"}
OF_ROWS = {"ApproximateNeighborsTransformer", "WCCN"}


def recordings(n=16):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(m, np.float32) * 0.1 for m in rng.integers(8000, 17000, n)]


def frames(n=16):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((8, m), np.float32) for m in rng.integers(20, 60, n)]


def outputs(estimator, X):
    return [getattr(estimator, m)(X) for m in METHODS if hasattr(estimator, m)]


def same(a, b):
    """Whether outputs are equal, bit for bit: arrays, sequences of arrays, tables."""
    if hasattr(a, "equals"):
        return a.equals(b)
    if scipy.sparse.issparse(a):
        return (a != b).nnz == 0
    if isinstance(a, np.ndarray) and a.dtype.kind != "O":
        return np.array_equal(a, b)
    return len(a) == len(b) and all(map(same, a, b))


def process_state():
    """Return what belongs to the process and should stay."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the global state is meant)
    pools = [(lib["filepath"], lib["num_threads"]) for lib in ThreadpoolController().info()]
    return {
        "filters": list(warnings.filters),
        "types": set(torch.serialization.get_safe_globals()),
        "torch": torch.get_rng_state().tolist(),
        "numpy": (kind, keys.tobytes(), *rest),
        "python": random.getstate(),
        "threads": sorted(set(pools)),
        "n_threads": torch.get_num_threads(),
    }


@contextmanager
def process_unchanged():
    before = process_state()
    yield
    after = process_state()
    assert {k: v for k, v in after.items() if v != before[k]} == {}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def fitted(name, folder):
    estimator = build(name)
    params = estimator.get_params()
    small = {"max_epochs": 1, "hidden_size": 4, "channels": (4,), "random_state": 0, "n_layers": 1}
    small |= {"frame_stride": 2, "embedding_size": 4, "memory": str(folder), "weights": "random"}
    small |= {"model": "mn01_as"}
    given = {key: small[key.split("__")[-1]] for key in params if key.split("__")[-1] in small}
    estimator.set_params(**given)
    trains = any(key.split("__")[-1] == "net_params" for key in params)
    X = frames() if trains or name in OF_FRAMES else recordings()
    if name in OF_ROWS:
        X = np.array([f.mean(axis=1) for f in frames()])
    return estimator.fit(X, np.arange(len(X)) % 2), X


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_in_eight_threads(name, tmp_path):
    estimator, X = fitted(name, tmp_path / "cached")
    parts = [X[i::N_THREADS] for i in range(N_THREADS)]
    with process_unchanged():
        expected = [outputs(estimator, part) for part in parts]
        assert expected[0]
        with ThreadPoolExecutor(N_THREADS) as pool:
            found = pool.map(lambda part: outputs(estimator, part), parts * 2)
            for a, b in zip(found, expected * 2, strict=True):
                assert all(map(same, a, b))


LAYERS = {
    "NetEmbedder": lambda: NetEmbedder(
        FrozenEstimator(
            LeNetClassifier(
                MelSpectrogram(n_mels=16), channels=(4, 8), max_epochs=1, random_state=0
            ).fit(recordings(), np.arange(16) % 2)
        ),
        layer="convolutions.0",
    ),
    "PretrainedEmbedder": lambda: PretrainedEmbedder(
        "mn01_as", weights="random", layer="features.3", batch_size=2
    ).fit(recordings()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_read_in_eight_threads_and_in_inference_mode(name):
    embedder, X = LAYERS[name](), recordings()
    parts = [X[i::N_THREADS] for i in range(N_THREADS)]
    expected = [embedder.transform(part) for part in parts]
    with ThreadPoolExecutor(N_THREADS) as pool:
        for a, b in zip(pool.map(embedder.transform, parts * 3), expected * 3, strict=True):
            np.testing.assert_array_equal(a, b)
    with torch.inference_mode():
        np.testing.assert_array_equal(embedder.transform(parts[0]), expected[0])
        if name == "PretrainedEmbedder":  # its net may be made there, too
            np.testing.assert_array_equal(LAYERS[name]().transform(parts[0]), expected[0])


def work(folder):
    """Return functions whose results depend on nothing but themselves."""
    X, y = recordings(), np.arange(16) % 2
    state = AudioTagger("mn01_as", weights="random").fit(X[:1]).net_.state_dict()
    path = folder / "net.pth"
    # As PANNs have it: a state dict beside numbers of numpy.
    torch.save({"model": state, "statistics": {"mAP": np.float64(0.4)}}, path)
    net = GRUClassifier(make_pipeline(Noise(), MFCC()), hidden_size=4, max_epochs=1, random_state=0)
    done = net.fit(X, y)
    cached = CachedTransformer(make_pipeline(MFCC(), FramePooling()), folder / "cache")
    shaken = FunctionAugmentation(
        lambda w, rate: w + np.random.normal(size=len(w)),  # noqa: NPY002
        sample_rate=16000,
        random_state=0,
    )

    def random_net():
        tagger = AudioTagger("mn01_as", weights="random").fit(X[:1])
        return torch.cat([p.detach().flatten() for p in tagger.net_.parameters()]).numpy()

    return {
        "load": lambda: AudioTagger("mn01_as", weights=path).fit(X[:1]).transform(X[:1]),
        "random": random_net,
        "train": lambda: GRUClassifier(**net.get_params(deep=False)).fit(X, y).predict_proba(X),
        "predict": lambda: done.predict_proba(X),
        "cache": lambda: cached.transform(X),
        "encode": lambda: MFCC().transform(X),
        "augment": lambda: shaken.fit_transform(X),
        "layer": lambda: NetEmbedder(FrozenEstimator(done), layer="forwards.0").transform(X),
    }


def all_at_once(folder, n_times):
    """Call each function again and again until the slowest has been called so often."""
    functions = work(folder)
    with process_unchanged():
        expected = {name: function() for name, function in functions.items()}
        counts = dict.fromkeys(functions, 0)

        def run(name):
            try:
                while min(counts.values()) < n_times:
                    assert same(functions[name](), expected[name]), name
                    counts[name] += 1
            finally:  # the others wait for no thread that has failed
                counts[name] = max(counts[name], n_times)

        assert len(functions) == N_THREADS
        with ThreadPoolExecutor(N_THREADS) as pool:
            list(pool.map(run, functions))


@pytest.mark.slow
def test_everything_at_once(tmp_path):
    all_at_once(tmp_path, 2)


@pytest.mark.exhaustive
def test_everything_at_once_for_long(tmp_path):
    all_at_once(tmp_path, 100)


def test_two_threads_share_the_limit_of_blas():
    """The one who came first leaves first: nobody puts back the other's limit."""

    def counts():
        return [p["num_threads"] for p in ThreadpoolController().select(user_api="blas").info()]

    _parallel._thread_pools.cache_clear()  # other tests may have loaded a library with its own BLAS
    before = counts()
    first_in, second_in = threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            first_in.set()
            assert second_in.wait(60)

    def second():
        assert first_in.wait(60)
        with one_blas_thread():
            second_in.set()
            one.result(60)
            assert set(counts()) == {1}

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        pool.submit(second).result()
    assert counts() == before


def test_types_that_the_user_allowed_stay():
    allow = torch.serialization.safe_globals
    with allow([np.ndarray]), process_unchanged(), building([np.ndarray, np.dtype]):
        assert {np.ndarray, np.dtype} <= set(torch.serialization.get_safe_globals())


def draw_from_torch():
    torch.rand(1)
    raise KeyError


def draw_from_nothing():
    warnings.warn("not to be seen", stacklevel=1)
    raise KeyError


def draw_from_globals():
    random.random()
    np.random.rand()  # noqa: NPY002
    raise KeyError


@pytest.mark.parametrize(
    "guard, change",
    [(seeded, draw_from_torch), (seeded_globals, draw_from_globals), (muted, draw_from_nothing)],
)
def test_guards_put_back_what_they_change_after_an_error_too(guard, change):
    with process_unchanged(), pytest.raises(KeyError), guard(*([] if guard is muted else [3])):
        change()


def test_a_thread_that_holds_a_lock_waits_for_no_worker(monkeypatch):
    import joblib

    monkeypatch.setattr(_parallel.joblib, "Parallel", lambda **_: pytest.fail("asked for workers"))
    X = recordings(4)
    with joblib.parallel_config("threading", n_jobs=2), seeded(0):
        assert len(MFCC().transform(X)) == 4


def test_seeding_one_device_leaves_the_others_alone(monkeypatch):
    seeded_devices = []
    for kind in (torch.cuda, torch.mps, torch.xpu):
        for name in {"manual_seed", "manual_seed_all"} & set(dir(kind)):
            monkeypatch.setattr(kind, name, lambda *_, kind=kind: seeded_devices.append(kind))
    with process_unchanged(), seeded(3):
        drawn = torch.rand(2)
    assert not seeded_devices
    assert torch.equal(drawn, torch.rand(2, generator=torch.Generator().manual_seed(3)))
    with process_unchanged(), seeded(3, "mps"):
        assert torch.equal(drawn, torch.rand(2))
    assert seeded_devices == [torch.mps]


def test_how_many_threads_is_a_rule(two_threads):
    """Of the work alone; the user's number is the most, and other threads keep theirs."""
    small, large = GRU(40, 10), LeNet(40, 10, channels=(64, 128))
    assert sum(p.numel() for p in small.parameters()) * 32 < WORTH_THREADS
    with working_threads(small, 32, 10_000):
        assert torch.get_num_threads() == 1
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2
    assert torch.get_num_threads() == 2
    with working_threads(large, 32, 100):
        assert torch.get_num_threads() == 2
    with torch_threads(16):
        assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    with working_threads(large, 32, 100):
        assert torch.get_num_threads() == 1


def test_small_nets_have_one_result_whatever_the_number_of_threads(two_threads):
    X, y = frames(), np.arange(16) % 2
    found = []
    for n in (2, 1):
        torch.set_num_threads(n)
        gru = GRUClassifier(hidden_size=16, max_epochs=2, random_state=0).fit(X, y)
        found.append(gru.decision_function(X))
    np.testing.assert_array_equal(*found)
