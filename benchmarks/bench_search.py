"""Engines for approximate neighbours: time to build, memory, recall, queries per second, filter.

    python benchmarks/bench_search.py data --rows 1000000 --folder FOLDER
    python benchmarks/bench_search.py exact --folder FOLDER
    python benchmarks/bench_search.py ENGINE --folder FOLDER [--threads 2] [--variant VARIANT]
    python benchmarks/bench_search.py show --folder FOLDER

"data" needs skaudio and its data: SKAUDIO_DATA names the folder with fsdd, esc10, cats_dogs and
arabic_digits. It writes rows (float16), 1000 queries that are not among them, and the ten nearest
rows of each, all and of the tenth of the rows that the filter lets through. The other commands need
NumPy and the engine alone, so that engines can be compared that skaudio does not use; "skaudio" is
its transformer.

The rows lie between embeddings of mn04_as, of every second of these recordings: a random point
between an embedding and one of its ten nearest, plus noise. The noise has the covariance of the
differences between neighbours, times 0.7 squared, so that neighbours are as far from each other as
those of the recordings.

Each engine is measured in a process of its own. The effort of a search (how many lists, how many
candidates) is raised until recall is .95; the line printed is the first that reaches it. A line of
JSON per run is appended to FOLDER/results.jsonl, which "show" prints. Where the machine is busy,
queries per second of CPU say more than queries per second.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

K = 10
GOAL = 0.95
N_QUERIES = 1000
NOISE = 0.7
ALLOWED = 10  # the filter lets every tenth row through
CHUNK = 50_000


def embeddings():
    """Return mn04_as of every second of all recordings of SKAUDIO_DATA."""
    from skaudio.pretrained import PretrainedEmbedder

    kinds = (".wav", ".ogg", ".flac")
    files = sorted(p for p in Path(os.environ["SKAUDIO_DATA"]).rglob("*") if p.suffix in kinds)
    embedder = PretrainedEmbedder("mn04_as", pooling=None, chunk_duration=1.0)
    return np.concatenate([chunks.T for chunks in embedder.transform(files)]).astype(np.float32)


def nearest(rows, queries, allowed=None):
    """Return the positions of the ten nearest rows of each query, by comparison with every row."""
    distances = np.full((len(queries), K), np.inf, np.float32)
    places = np.full((len(queries), K), -1)
    for start in range(0, len(rows), CHUNK):
        block, here = rows[start : start + CHUNK], np.arange(start, len(rows))
        if allowed is not None:
            here = start + np.flatnonzero(allowed[start : start + CHUNK])
            block = rows[here]
        block = block.astype(np.float32)
        # The length of the query is the same for all rows.
        new = (block**2).sum(axis=1) - 2 * (queries @ block.T)
        near = np.argpartition(new, K, axis=1)[:, :K]
        both = np.hstack([distances, np.take_along_axis(new, near, 1)])
        where = np.hstack([places, here[near]])
        order = np.argsort(both, axis=1)[:, :K]
        distances, places = np.take_along_axis(both, order, 1), np.take_along_axis(where, order, 1)
    return places


def write_data(folder, n_rows):
    """Write rows, queries and the true neighbours of the queries."""
    folder.mkdir(parents=True, exist_ok=True)
    base = embeddings()
    near = nearest(base, base)
    differences = (base[:, None] - base[near]).reshape(-1, base.shape[1])
    covariance = np.cov(differences.T) * NOISE**2
    root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(covariance))).astype(np.float32)
    rng = np.random.default_rng(0)

    def draw(n):
        first = rng.integers(len(base), size=n)
        second = near[first, rng.integers(1, K, size=n)]  # without the embedding itself
        between = base[first] + rng.random((n, 1), np.float32) * (base[second] - base[first])
        return between + rng.standard_normal(between.shape, dtype=np.float32) @ root.T

    queries = draw(N_QUERIES)
    shape = (n_rows, base.shape[1])
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float16, shape)
    for start in range(0, n_rows, CHUNK):
        rows[start : start + CHUNK] = draw(min(CHUNK, n_rows - start))
    rows.flush()
    np.save(folder / "queries.npy", queries)
    np.save(folder / "nearest.npy", nearest(rows, queries))
    np.save(folder / "nearest_allowed.npy", nearest(rows, queries, allowed_rows(n_rows)))
    print(f"{len(base)} embeddings, {n_rows} rows")


def allowed_rows(n_rows):
    return np.random.default_rng(1).random(n_rows) < 1 / ALLOWED


class Faiss:
    """faiss-cpu; the variant is a description of its index_factory, {} the number of lists."""

    variants = ("IVF{},SQfp16",)

    def __init__(self, variant, threads):
        import faiss

        self.faiss, self.variant = faiss, variant
        faiss.omp_set_num_threads(threads)

    def build(self, rows):
        n_lists = max(1, 2 ** round(np.log2(4 * np.sqrt(len(rows)))))
        self.index = self.faiss.index_factory(rows.shape[1], self.variant.format(n_lists))
        if "IVF" in self.variant:
            ivf = self.faiss.extract_index_ivf(self.index)
            ivf.cp.niter, ivf.cp.max_points_per_centroid = 10, 64
        every = max(1, len(rows) // (64 * n_lists))
        self.index.train(rows[::every].astype(np.float32))
        for start in range(0, len(rows), CHUNK):
            self.index.add(rows[start : start + CHUNK].astype(np.float32))

    def efforts(self):
        return [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]

    def search(self, queries, effort, allowed=None):
        faiss = self.faiss
        more = {}
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            more["sel"] = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))
        if "HNSW" in self.variant:
            params = faiss.SearchParametersHNSW(efSearch=effort, **more)
        else:
            params = faiss.SearchParametersIVF(nprobe=effort, **more)
            if "Refine" in self.variant:
                params = faiss.IndexRefineSearchParameters(k_factor=4, base_index_params=params)
        return self.index.search(queries, K, params=params)[1]

    def filtered(self, queries, effort, allowed):
        return self.search(queries, effort, allowed)

    def save(self, path):
        self.faiss.write_index(self.index, str(path))

    def open(self, path):
        flags = self.faiss.IO_FLAG_MMAP_IFC if "HNSW" in self.variant else self.faiss.IO_FLAG_MMAP
        self.index = self.faiss.read_index(str(path), flags | self.faiss.IO_FLAG_READ_ONLY)


class Usearch:
    """usearch; the variant is type, links per node and candidates of a build."""

    variants = ("f16 16 128",)

    def __init__(self, variant, threads):
        self.variant, self.threads = variant, threads

    def build(self, rows):
        from usearch.index import Index

        kind, links, candidates = self.variant.split()
        metric = "cos" if kind == "i8" else "l2sq"
        self.index = Index(
            ndim=rows.shape[1],
            metric=metric,
            dtype=kind,
            connectivity=int(links),
            expansion_add=int(candidates),
            enable_key_lookups=False,
        )
        for start in range(0, len(rows), CHUNK):
            block = rows[start : start + CHUNK]
            self.index.add(np.arange(start, start + len(block)), block, threads=self.threads)

    def efforts(self):
        return [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]

    def search(self, queries, effort):
        self.index.expansion_search = effort
        return self.index.search(queries.astype(np.float16), K, threads=self.threads).keys

    def save(self, path):
        self.index.save(str(path))

    def open(self, path):
        from usearch.index import Index

        self.index = Index.restore(str(path), view=True)


class Hnswlib:
    """hnswlib; the variant is links per node and candidates of a build."""

    variants = ("16 128",)

    def __init__(self, variant, threads):
        self.variant, self.threads = variant, threads

    def build(self, rows):
        import hnswlib

        links, candidates = self.variant.split()
        self.index = hnswlib.Index(space="l2", dim=rows.shape[1])
        self.index.init_index(len(rows), M=int(links), ef_construction=int(candidates))
        self.index.set_num_threads(self.threads)
        for start in range(0, len(rows), CHUNK):
            self.index.add_items(rows[start : start + CHUNK].astype(np.float32))

    efforts = Usearch.efforts

    def search(self, queries, effort, allowed=None):
        self.index.set_ef(effort)
        more = {} if allowed is None else {"filter": lambda i: bool(allowed[i]), "num_threads": 1}
        return self.index.knn_query(queries, K, **more)[0].astype(int)

    def filtered(self, queries, effort, allowed):
        return self.search(queries, effort, allowed)

    def save(self, path):
        self.index.save_index(str(path))

    def open(self, path):
        import hnswlib

        dim = self.index.dim
        self.index = hnswlib.Index(space="l2", dim=dim)
        self.index.load_index(str(path))
        self.index.set_num_threads(self.threads)


class Voyager:
    """voyager; the variant is type, links per node and candidates of a build."""

    variants = ("Float32 16 128",)

    def __init__(self, variant, threads):
        self.variant, self.threads = variant, threads

    def build(self, rows):
        from voyager import Index, Space, StorageDataType

        kind, links, candidates = self.variant.split()
        self.index = Index(
            Space.Euclidean,
            rows.shape[1],
            M=int(links),
            ef_construction=int(candidates),
            max_elements=len(rows),
            storage_data_type=getattr(StorageDataType, kind),
        )
        for start in range(0, len(rows), CHUNK):
            block = rows[start : start + CHUNK].astype(np.float32)
            self.index.add_items(block, num_threads=self.threads)

    efforts = Usearch.efforts

    def search(self, queries, effort):
        return self.index.query(queries, K, num_threads=self.threads, query_ef=effort)[0]

    def save(self, path):
        self.index.save(str(path))

    def open(self, path):
        from voyager import Index

        self.index = Index.load(str(path))


class Pynndescent:
    """pynndescent, with its defaults; the effort is 100 times its epsilon."""

    variants = ("default",)

    def __init__(self, variant, threads):
        self.threads = threads

    def build(self, rows):
        from pynndescent import NNDescent

        rows = rows.astype(np.float32)
        self.index = NNDescent(rows, n_jobs=self.threads, random_state=0, low_memory=True)
        self.index.prepare()

    def efforts(self):
        return [0, 5, 10, 15, 20, 30, 40, 60]

    def search(self, queries, effort):
        return self.index.query(queries, K, epsilon=effort / 100)[0]

    def save(self, path):
        import joblib

        joblib.dump(self.index, path)

    def open(self, path):
        import joblib

        self.index = joblib.load(path)


class Exact:
    """scikit-learn's exact search."""

    variants = ("brute",)

    def __init__(self, variant, threads):
        self.threads = threads

    def build(self, rows):
        from sklearn.neighbors import NearestNeighbors

        self.index = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(rows.astype(np.float32))

    def efforts(self):
        return [0]

    def search(self, queries, effort):
        return self.index.kneighbors(queries, return_distance=False)

    save, open = Pynndescent.save, Pynndescent.open


class Skaudio:
    """skaudio's transformer, which chooses the effort by itself; needs skaudio."""

    variants = ("float16",)

    def __init__(self, variant, threads):
        self.variant = variant

    def build(self, rows):
        from skaudio.scale import ApproximateNeighborsTransformer

        index = ApproximateNeighborsTransformer(K, dtype=self.variant, random_state=0)
        self.index = index.fit(rows)
        print("  recall_", index.recall_, "n_lists_", index.n_lists_, "n_probes_", index.n_probes_)

    def efforts(self):
        return ["auto"]

    def search(self, queries, effort, allowed=None):
        return self.index.kneighbors(queries, return_distance=False, mask=allowed)

    def filtered(self, queries, effort, allowed):
        return self.search(queries, effort, allowed)

    def save(self, path):
        self.index.save(path)

    def open(self, path):
        self.index = type(self.index).open(path)


ENGINES = {
    "skaudio": Skaudio,
    "exact": Exact,
    "faiss": Faiss,
    "usearch": Usearch,
    "hnswlib": Hnswlib,
    "voyager": Voyager,
    "pynndescent": Pynndescent,
}


def recall_of(found, true):
    return np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, true, strict=True)])


def clocked(call, repeat=1):
    """Return a result, and the least seconds and seconds of CPU that it took."""
    walls, cpus = [], []
    for _ in range(repeat):
        start, started = time.perf_counter(), time.process_time()
        result = call()
        walls.append(time.perf_counter() - start)
        cpus.append(time.process_time() - started)
    return result, min(walls), min(cpus)


def rates(wall, cpu):
    """Return queries per second, and per second of CPU."""
    return {"per_s": round(N_QUERIES / wall), "per_cpu_s": round(N_QUERIES / cpu)}


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name, variant, folder, threads):
    """Return a line of the table."""
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    queries = np.load(folder / "queries.npy")
    true = np.load(folder / "nearest.npy")
    engine = ENGINES[name](variant, threads)
    _, wall, cpu = clocked(lambda: engine.build(rows))
    line = {"engine": name, "variant": variant, "rows": len(rows), "threads": threads}
    line |= {"build_s": round(wall, 1), "build_cpu_s": round(cpu, 1), "peak_mib": round(memory())}
    engine.search(queries[:10], engine.efforts()[0])  # compiled, if it is
    effort, facts = until_goal(engine, queries, true)
    line |= facts
    if hasattr(engine, "filtered"):
        allowed = allowed_rows(len(rows))
        true_allowed = np.load(folder / "nearest_allowed.npy")
        _, facts = until_goal(engine, queries, true_allowed, allowed)
        line |= {f"filter_{key}": value for key, value in facts.items()}
    path = folder / f"{name}.index"
    _, line["save_s"], _ = clocked(lambda: engine.save(path))
    line["file_mib"] = round(path.stat().st_size / 2**20)
    _, line["open_s"], line["open_cpu_s"] = clocked(lambda: engine.open(path))
    _, *times = clocked(lambda: engine.search(queries, effort))
    line |= {f"opened_first_{key}": rate for key, rate in rates(*times).items()}
    found, *times = clocked(lambda: engine.search(queries, effort))
    line |= {f"opened_{key}": rate for key, rate in rates(*times).items()}
    line |= {"opened_recall": round(recall_of(found, true), 3)}
    path.unlink()
    return line


def until_goal(engine, queries, true, *allowed):
    """Raise the effort until recall is reached; return it, with recall and rates."""
    search = engine.filtered if allowed else engine.search
    for effort in engine.efforts():
        found, *times = clocked(lambda effort=effort: search(queries, effort, *allowed), repeat=3)
        facts = {"effort": effort, "recall": round(recall_of(found, true), 3), **rates(*times)}
        print("  ", facts, flush=True)
        if facts["recall"] >= GOAL:
            break
    return effort, facts


def show(folder):
    import pandas as pd

    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(pd.DataFrame(lines).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["data", "show", *ENGINES])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--variant", help="see the class of the engine")
    args = parser.parse_args()
    if args.what == "data":
        write_data(args.folder, args.rows)
    elif args.what == "show":
        show(args.folder)
    else:
        for variant in [args.variant] if args.variant else ENGINES[args.what].variants:
            line = measure(args.what, variant, args.folder, args.threads)
            with open(args.folder / "results.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line))


if __name__ == "__main__":
    main()
