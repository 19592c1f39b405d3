"""Load changed files of saved models: each is refused by a ValueError that names it, or harmless.

    python benchmarks/fuzz_models.py [RUNS] [SEED]

Each run changes a file of `skaudio.save`: bytes; or numbers, names, classes and arrays, after which
hashes are computed again, as an attacker would; parts of two models, pickles, paths, links, bombs.
Prints counts by kind of change, and ends with status 1 if an exception of another kind escaped,
anything of a file was run, a file took more than 2 s of CPU time, or memory grew by more than 100
MB. If the process ends without a line of counts, a file made compiled code crash.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_archives import damage, main
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skaudio
from skaudio.persistence._archive import as_json, write_archive

SECONDS = 2.0
MEMORY = 100 << 20
NUMBERS = (0, -1, 1, 2, 7, 2**31, 10**9, 2**62, 10**18, -(2**31), 0.5, 1e-300, 1e300, True, None)
TEXTS = (
    *("", "os.system", "builtins.eval", "../../x", "/etc/passwd", "skaudio.GRUClassifier"),
    *("sklearn.svm.SVC", "sklearn.pipeline.Pipeline", "skaudio.MFCC", "cuda", "__class__", "fit"),
    *("transform", "__reduce__", "nan", "dict", "estimator", "user", "arrays/0.npy", "numpy.exp"),
)
# Events of Python that loading a model never causes: what they are is in the library reference.
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen", "socket.connect")
happened: list[str] = []


class Smuggled:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, (os.path.join(tempfile.gettempdir(), "skaudio-smuggled"),)


def models() -> dict[str, Any]:
    """Return fitted models by name."""
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    X = [
        0.3 * rng.standard_normal(1600 + 80 * i).astype("f4") * (1 + label)
        for i, label in enumerate(y)
    ]
    mfcc = skaudio.MFCC(sample_rate=8000, n_mfcc=6)
    nets = {"max_epochs": 1, "random_state": 0}
    made = {
        "svc": make_pipeline(mfcc, skaudio.FramePooling(), StandardScaler(), SVC()),
        "forest": make_pipeline(mfcc, skaudio.FramePooling(), RandomForestClassifier(3)),
        "neighbours": make_pipeline(
            mfcc, skaudio.FramePooling(), KNeighborsClassifier(algorithm="kd_tree")
        ),
        "gru": skaudio.GRUClassifier(mfcc, hidden_size=4, n_layers=2, **nets),
        "lenet": skaudio.LeNetClassifier(mfcc, channels=(4, 8), embedding_size=8, **nets),
        "detector": skaudio.EventDetector(
            mfcc, channels=(4,), frame_stride=1, hidden_size=4, **nets
        ),
        "siamese": skaudio.SiameseEmbedder(mfcc, embedding_size=8, module="gru", **nets),
        "embedded": make_pipeline(
            skaudio.NetEmbedder(skaudio.GRUClassifier(mfcc, hidden_size=4, n_layers=1, **nets)),
            LogisticRegression(),
        ),
        "tagger": skaudio.AudioTagger("mn01_as", weights="random"),
    }
    return {name: model.fit(X, y) for name, model in made.items()}


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    found.pop("manifest.json")
    return found


def signed(members: dict[str, bytes], facts: dict[str, Any] | None = None) -> bytes:
    """Return a file with these members, whose hashes are right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m")
        write_archive(path, members, {"versions": {"skaudio": "1"}, **(facts or {})})
        return path.read_bytes()


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return all containers of a tree with the keys of what is in them."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = []
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += places(value[key])
    return found


def change_tree(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Change some numbers, names, classes and branches of the trees; hashes are right."""
    members = members_of(content)
    name = draw.choice(["model.json"] * 8 + ["probe.json", "card.json"])
    tree = json.loads(members[name])
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        found = places(tree)
        if not found:
            break
        container, key = draw.choice(found)
        value = container[key]
        how = draw.randrange(6)
        if how == 0 or (how < 4 and isinstance(value, (int, float))):
            container[key] = draw.choice(NUMBERS)
        elif how == 1 or (how < 4 and isinstance(value, str)):
            container[key] = draw.choice(TEXTS)
        elif how == 2:
            other, there = draw.choice(found)
            container[key] = json.loads(json.dumps(other[there]))
        elif how == 3:
            del container[key]
        elif how == 4 and isinstance(container, dict):
            container[draw.choice(TEXTS)] = container.pop(key)
        else:
            container[key] = [value] * draw.choice([0, 2, 100])
    members[name] = json.dumps(tree).encode()
    return signed(members)


def change_numbers(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Put extreme numbers into parameters and plain facts; hashes are right."""
    members = members_of(content)
    tree = json.loads(members["model.json"])
    found = [(c, k) for c, k in places(tree) if type(c[k]) in (int, float)]
    for container, key in draw.sample(found, draw.choice([1, 1, 2])):
        container[key] = draw.choice(NUMBERS)
    members["model.json"] = json.dumps(tree).encode()
    return signed(members)


def change_arrays(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Change bytes of arrays and weights, headers included; hashes are right."""
    members = members_of(content)
    names = [name for name in members if not name.endswith(".json")]
    if not names:
        return damage(content, draw)
    for _ in range(draw.choice([1, 2])):
        name = draw.choice(names)
        data = bytearray(members[name])
        at = draw.randrange(min(len(data), 400) if draw.random() < 0.5 else len(data))
        for i in range(at, min(at + draw.choice([1, 1, 2, 8]), len(data))):
            data[i] = draw.choice([draw.randrange(256), 0, 127, 255])
        members[name] = bytes(data)
    return signed(members)


def replace_array(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Put another array, a header that lies, or a pickle in the place of one; hashes are right."""
    members = members_of(content)
    names = [name for name in members if name.endswith(".npy")]
    if not names:
        return splice(content, others, draw)
    name = draw.choice(names)
    stream = io.BytesIO()
    how = draw.randrange(5)
    if how == 0:
        np.save(stream, np.array([Smuggled()], object), allow_pickle=True)
    elif how == 1:
        pickle.dump(Smuggled(), stream)
    elif how == 2:
        header = {"descr": "<f8", "fortran_order": False, "shape": (draw.choice(NUMBERS[:9]),)}
        np.lib.format.write_array_header_1_0(stream, header)
    else:
        array = np.load(io.BytesIO(members[name]))
        changed = [
            array[:0] if array.ndim else array,
            array[..., ::-1] if array.ndim else array,
            array.reshape(-1),
            np.resize(array, (3, 3)),
        ]
        changed += [np.concatenate([array, array])] if array.ndim else []
        if array.dtype.names:  # the nodes of a decision tree
            nodes = array.copy()
            nodes[draw.choice(array.dtype.names[:3])] = draw.choice([-1, 0, 5, 10**6, -(2**31)])
            changed = [nodes]
        elif array.dtype.kind in "iuf":
            extreme = array * 0 + array.dtype.type(draw.choice([10**6, 1, 2**30]))
            changed += [array.astype("f4"), extreme]
        np.save(stream, draw.choice(changed))
    members[name] = stream.getvalue()
    return signed(members)


def splice(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Take some members from another model; hashes are right."""
    members, other = members_of(content), members_of(draw.choice(others))
    for name in draw.sample(sorted(other), draw.randrange(1, len(other) + 1)):
        members[name] = other[name]
    return signed(members)


def cut(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Cut a file off, or append to it."""
    if draw.random() < 0.8:
        return content[: draw.randrange(len(content))]
    return content + draw.choice(others)[: draw.randrange(1, 3000)]


def smuggle(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Add members with pickles, paths, links, or names that are there already."""
    pickled = pickle.dumps(Smuggled())
    names = ["data.pkl", "/tmp/skaudio-smuggled", "../up", "arrays/../../up", "C:\\x", "arrays/"]
    names += ["model.json", "manifest.json", "arrays/0.npy", "weights/0.safetensors", "a\x00b"]
    members = members_of(content)
    how = draw.randrange(4)
    if how == 0:
        return pickled
    if how == 1:
        return signed({**members, draw.choice(names[:6]): pickled})
    if how == 2:
        return signed({**members, draw.choice(names[6:]): pickled})
    stream = io.BytesIO(content)
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "a") as archive:
        warnings.simplefilter("ignore")  # of a name that is there
        info = zipfile.ZipInfo(draw.choice([*names, "arrays/999.npy"]))
        info.external_attr = draw.choice([0o120777, 0o100644, 0o040755]) << 16
        archive.writestr(info, b"/etc/passwd")
    return stream.getvalue()


def bomb(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Announce or hold much more than there is: zeros, levels, items, entries, the same again."""
    members = members_of(content)
    how = draw.randrange(7)
    name = draw.choice(["model.json", "card.json", "probe.json"])
    if how == 0:
        members[name] = bytes(1 << 25)
    elif how == 1:
        members[name] = b"[" * 10**6 + b"]" * 10**6
    elif how == 2:
        members[name] = b"[" + b"[]," * 3 * 10**6 + b"1]"
    elif how == 3:
        tree = json.loads(members["model.json"])
        for level in range(60):
            again = {"t": "again", "v": 1000 + level - 1}
            inside = [again, again] if level else [tree, tree]
            tree = {**_empty_union(inside), "n": 1000 + level}
        members["model.json"] = as_json(tree)
    elif how == 4:
        members |= {f"arrays/{i}.npy": b"" for i in range(100, 60000)}
    elif how == 5:
        tree = {"t": "tuple", "v": [json.loads(members["model.json"])] * 100}
        members["model.json"] = as_json(tree)
    else:
        size = struct.pack("<I", len(content) // 2)
        return content.replace(size[:2], draw.randbytes(2), draw.choice([1, 2, 3]))
    return signed(members)


def _empty_union(parts: list[Any]) -> dict[str, Any]:
    named = [{"t": "tuple", "v": [f"p{i}", part]} for i, part in enumerate(parts)]
    params = {"transformer_list": named}
    return {
        "t": "estimator",
        "class": "sklearn.pipeline.FeatureUnion",
        "params": params,
        "state": {},
    }


def change_manifest(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """State another format, version or versions."""
    value = draw.choice([*NUMBERS, *TEXTS])
    key = draw.choice(["format", "version", "versions", "members"])
    return signed(members_of(content), {} if key == "members" else {key: value})


CHANGES: dict[str, Callable[[bytes, list[bytes], random.Random], bytes]] = {
    "bytes": lambda content, others, draw: damage(content, draw),
    "tree": change_tree,
    "numbers": change_numbers,
    "arrays": change_arrays,
    "other arrays": replace_array,
    "spliced": splice,
    "cut": cut,
    "smuggled": smuggle,
    "bombs": bomb,
    "manifest": change_manifest,
}


def run(n_runs: int, seed: int = 0, *, seconds: float = SECONDS) -> dict[str, Counter[str]]:
    """Return how often what has happened, by kind of change. Names of faults end in "!".

    More ``seconds`` of CPU time than these are a fault.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in CHANGES}
    kinds = list(CHANGES)
    sys.addaudithook(lambda event, _: happened.append(event) if event in FORBIDDEN else None)
    smuggled = Path(tempfile.gettempdir(), "skaudio-smuggled")
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(temporary, "model.skaudio")
        files = []
        for model in models().values():
            files.append(skaudio.save(model, path).read_bytes())
            skaudio.load(path)
        for i in range(n_runs):
            draw = random.Random(f"{seed}/{i}")
            kind, content = kinds[i % len(kinds)], files[i // len(kinds) % len(files)]
            path.write_bytes(CHANGES[kind](content, files, draw))
            happened.clear()
            before = peak_memory(reset=True)
            start = time.process_time()
            found = [outcome(path)]
            found += ["slow!"] if time.process_time() - start > seconds else []
            found += ["memory!"] if peak_memory() - before > MEMORY else []
            found += ["ran!"] if happened or smuggled.exists() else []
            counts[kind].update(found)
            if any(how.endswith("!") for how in found):
                print(f"run {i} of seed {seed}: {kind}, {found}", file=sys.stderr)
    return counts


def peak_memory(*, reset: bool = False) -> int:
    """Return the most memory that the process has had, in bytes; from now on with ``reset``."""
    if not Path("/proc/self/clear_refs").exists():  # of Linux alone
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def outcome(path: Path) -> str:
    """Load a file, and return what has come of it."""
    try:
        skaudio.inspect(path)
        refused = False
    except ValueError as error:
        refused = True
        if str(path) not in str(error):
            return "unnamed!"
    except BaseException as error:
        return f"inspect: {type(error).__name__}!"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            skaudio.load(path)
    except ValueError as error:
        return "refused" if str(path) in str(error) else "unnamed!"
    except BaseException as error:
        return f"{type(error).__name__}!"
    if refused:
        return "loaded, but not inspected!"
    drifts = any("other results" in str(warning.message) for warning in caught)
    return "drifts" if drifts else "loaded"


if __name__ == "__main__":
    main(run, "models")
