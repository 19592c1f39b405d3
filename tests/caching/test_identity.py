"""Keys: equal for what gives the same numbers, different for what may give others."""

import enum
import importlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skaudio.audio import AudioBatch, check_recordings
from skaudio.caching._cache_keys import FORMAT, recording_key, transformer_facts
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import scores_by
from skaudio.pooling import FramePooling, FrameUnion

ROOT = Path(__file__).resolve().parents[2]


def key_of(item):
    return recording_key(check_recordings(None, [item], reset=False)[0])


def facts_of(transformer):
    return json.dumps(transformer_facts(transformer), sort_keys=True)


class Color(enum.Enum):
    RED = 1


class Decoder:
    """What torchcodec hands out."""

    def __init__(self, samples, rate):
        self.data, self.sample_rate = samples, rate

    def get_all_samples(self):
        return self


class TestRecordings:
    def test_same_content_in_other_containers(self, make_clip):
        clip = make_clip()
        assert key_of(clip) == key_of(clip.copy()) == key_of(AudioBatch([clip])[0])
        assert key_of(clip) == key_of(np.stack([clip, clip], axis=1)[:, 0])  # strided
        at_8k = key_of({"array": clip, "sampling_rate": 8000})
        batch = AudioBatch([clip], 8000, names=["a name"])
        assert at_8k == recording_key(check_recordings(None, batch, reset=False)[0])
        assert at_8k == key_of({"array": clip, "sampling_rate": 8000.0, "path": "elsewhere.wav"})

    def test_what_makes_another_recording(self, make_clip, wav):
        clip = make_clip()
        louder = clip.copy()
        louder[-1] += 1e-6
        warped = AudioBatch([clip], 8000, warp_factors=[1.1])
        different = [
            key_of(clip),
            key_of(louder),
            key_of(clip[:-1]),
            key_of(clip.astype(np.float64)),
            key_of((clip * 2**15).astype(np.int16)),
            key_of(clip[np.newaxis]),
            key_of(np.stack([clip, clip])),
            key_of({"array": clip, "sampling_rate": 8000}),
            key_of({"array": clip, "sampling_rate": 16000}),
            recording_key(check_recordings(None, warped, reset=False)[0]),
            key_of(Decoder(clip, 8000)),
            key_of(wav),
            key_of(Path(wav).read_bytes()),
        ]
        assert len(set(different)) == len(different)
        assert key_of(Decoder(clip, 8000)) == key_of(Decoder(clip.copy(), 8000))

    def test_file_by_path_size_and_time(self, wav, make_clip, write_audio, tmp_path):
        before = key_of(wav)
        assert before == key_of(Path(wav)) == key_of({"path": wav})
        status = os.stat(wav)
        os.utime(wav, ns=(status.st_atime_ns + 10**9, status.st_mtime_ns))
        assert key_of(wav) == before
        os.utime(wav, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        touched = key_of(wav)
        assert touched != before
        write_audio(tmp_path / "clip.wav", make_clip(0.6))
        os.utime(wav, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert key_of(wav) not in (before, touched)

    def test_missing_file(self):
        with pytest.raises(ValueError, match=r"recording 0 \('gone\.wav'\): no such file"):
            key_of("gone.wav")


class Scaled(BaseEstimator):
    """A class that belongs to no package with a version, but has one of its own."""

    __version__ = "1"

    def __init__(self, factor=1.0):
        self.factor = factor

    def transform(self, X):
        return np.asarray(X) * self.factor


def halve(X):
    return np.asarray(X) / 2


def times(factor):
    return lambda X: np.asarray(X) * factor


def by(divisor):
    def divide(X, divisor=divisor):
        return np.asarray(X) / divisor

    return divide


def nested(number):
    """Two functions that differ only in a function inside."""
    scope = {}
    exec(f"def func(X):\n    return [(lambda x: x * {number})(x) for x in X]", scope)
    return scope["func"]


def among(letters):
    """A function with a set among its constants."""
    scope = {}
    exec(f"def func(X):\n    return [x for x in X if x in {set(letters)}]", scope)
    return scope["func"]


class Weighted(Scaled):
    """Its results depend on something that no parameter holds."""

    __version__ = "1"

    def _cache_facts(self):
        return {"weights": self.weights}


class Layers(torch.nn.Module):
    """A module of a user, whose class has no version."""

    def __init__(self, weight=1.0, power=1):
        super().__init__()
        self.power = power
        self.inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        for tensor in self.parameters():
            torch.nn.init.constant_(tensor, weight)

    def forward(self, X):
        return self.inner(X) ** self.power


def divided(number):
    """Return a class as a notebook has it after a cell was edited: other code, the same name."""
    scope = {"__name__": "__main__", "Layers": Layers}
    code = f"    def forward(self, X):\n        return Layers.forward(self, X) / {number}"
    exec(f"class Divided(Layers):\n{code}", scope)
    return scope["Divided"]


def with_inner(make):
    """Return a module in which one layer is another."""
    module = Layers()
    module.inner[1] = make()
    return module


class TestTransformers:
    @pytest.mark.parametrize(
        "a, b",
        [
            (MFCC(), MFCC(n_jobs=2, verbose=1, device="cpu")),
            (MFCC(n_mfcc=20), MFCC()),
            (make_pipeline(MFCC(n_jobs=2), FramePooling()), make_pipeline(MFCC(), FramePooling())),
            (MFCC(window=np.ones(400)), MFCC(window=np.ones(400))),
            (FunctionTransformer(times(2)), FunctionTransformer(times(2))),
            (Scaled(torch.ones(2)), Scaled(np.ones(2, np.float32))),
            (Scaled({1: 2, "a": 3}), Scaled({"a": 3, 1: 2})),
            (Scaled({"a": {"x": 1}, "b": {}}), Scaled({"b": {}, "a": {"x": 1}})),
            (FunctionTransformer(among("ab")), FunctionTransformer(among("ba"))),
            (Scaled(Layers()), Scaled(Layers())),
            (Scaled(Layers()), Scaled(Layers().eval())),
            (Scaled(divided(2)()), Scaled(divided(2)())),
        ],
    )
    def test_same(self, a, b):
        assert facts_of(a) == facts_of(b)

    @pytest.mark.parametrize(
        "a, b",
        [
            (MFCC(), MFCC(n_mfcc=13)),
            (MFCC(), MelSpectrogram()),
            (MFCC(offset=0.0), MFCC(offset=0.5)),
            (make_pipeline(MFCC(), FramePooling()), make_pipeline(MFCC(), FramePooling(("max",)))),
            (make_pipeline(MFCC(), FramePooling()), make_pipeline(MFCC(n_mels=41), FramePooling())),
            (FrameUnion([("a", MFCC())]), FrameUnion([("a", MFCC(lifter=22))])),
            (MFCC(window=np.ones(400)), MFCC(window=np.full(400, 2.0))),
            (FunctionTransformer(times(2)), FunctionTransformer(times(3))),
            (FunctionTransformer(halve), FunctionTransformer(times(3))),
            (FunctionTransformer(np.log), FunctionTransformer(np.exp)),
            (FunctionTransformer(partial(np.clip, a_min=0)), FunctionTransformer(partial(np.clip))),
            (FunctionTransformer(lambda X: 2 * X), FunctionTransformer(lambda X: 3 * X)),
            (FunctionTransformer(by(1.0)), FunctionTransformer(by(2.0))),
            (FunctionTransformer(nested(1)), FunctionTransformer(nested(2))),
            (FunctionTransformer(among("ab")), FunctionTransformer(among("ac"))),
            (Scaled(), Scaled(2.0)),
            (Scaled(Layers()), Scaled(Layers(2.0))),
            (Scaled(Layers()), Scaled(Layers(power=2))),
            (Scaled(Layers()), Scaled(divided(2)())),
            (Scaled(divided(2)()), Scaled(divided(3)())),
            (Scaled(Layers()), Scaled(with_inner(torch.nn.Sigmoid))),
            (Scaled(Layers()), Scaled(with_inner(lambda: torch.nn.Dropout(0.1)))),
            (Scaled(with_inner(divided(2))), Scaled(with_inner(divided(3)))),
            (Scaled(divided(2)), Scaled(divided(3))),
        ],
    )
    def test_different(self, a, b):
        assert facts_of(a) != facts_of(b)

    def test_version_of_the_package(self, monkeypatch):
        before = facts_of(MFCC()), facts_of(Normalizer())
        monkeypatch.setattr("skaudio.__version__", "99.0")
        assert facts_of(MFCC()) != before[0]
        assert facts_of(Normalizer()) == before[1]

    def test_version_of_a_function(self, monkeypatch):
        before = facts_of(FunctionTransformer(scores_by))
        monkeypatch.setattr("skaudio.__version__", "99.0")
        assert facts_of(FunctionTransformer(scores_by)) != before

    def test_what_no_parameter_holds(self):
        one, two = Weighted(), Weighted()
        one.weights, two.weights = "sha256:1", "sha256:2"
        assert facts_of(one) != facts_of(two)

    def test_facts_are_there_to_read(self):
        assert transformer_facts(Scaled(2.0)) == {
            "format": FORMAT,
            "transformer": {
                "class": f"{Scaled.__module__}.Scaled",
                "version": "1",
                "parameters": {"factor": 2.0},
            },
        }
        facts = transformer_facts(Scaled({"a": torch.ones(2), "b": Color.RED}))
        (_, array), (_, color) = facts["transformer"]["parameters"]["factor"]["mapping"]
        assert list(array) == ["array"]
        assert array["array"][:2] == ["[('', '<f4')]", [2]]
        assert list(color) == ["enum"]
        facts = transformer_facts(Scaled(np.log))["transformer"]["parameters"]["factor"]
        assert facts == {"function": "numpy.log", "version": np.__version__}
        facts = transformer_facts(Scaled(halve))["transformer"]["parameters"]["factor"]
        assert list(facts) == ["function", "version", "code", "bound"]
        assert facts["function"] == f"{halve.__module__}.halve"
        facts = transformer_facts(Scaled(Layers()))["transformer"]["parameters"]["factor"]
        assert list(facts["module"]) == ["", "inner", "inner.0", "inner.1"]
        assert facts["module"]["inner.1"] == [
            {"class": "torch.nn.modules.activation.ReLU", "version": torch.__version__},
            {"inplace": False},
        ]
        assert list(facts["tensors"]) == ["inner.0.weight", "inner.0.bias"]

    def test_class_without_a_version(self, monkeypatch):
        class Own(Scaled):
            """That of the parent says nothing of what is changed here."""

        for transformer, where in [
            (Own(), "transformer"),
            (make_pipeline(MFCC(), Own()), r"Pipeline\.steps\[1\]\[1\]"),
            (FunctionTransformer(kw_args={"kind": Own}), r"FunctionTransformer\.kw_args\['kind'\]"),
        ]:
            message = rf"^{where}: the class .*\.Own has no version.*__version__ = '1'"
            with pytest.raises(TypeError, match=message):
                transformer_facts(transformer)
        monkeypatch.setattr(Own, "__version__", "1", raising=False)
        assert facts_of(Own()) != facts_of(Scaled())

    def test_own_version_of_a_class(self, monkeypatch):
        before = facts_of(Scaled())
        monkeypatch.setattr(Scaled, "__version__", "2")
        assert facts_of(Scaled()) != before

    def test_edited_function(self, tmp_path, monkeypatch):
        """The code that runs counts, not the text that the file holds by now."""
        path = tmp_path / "edited_functions.py"
        path.write_text("def func(X):\n    return 2 * X\n")
        monkeypatch.syspath_prepend(tmp_path)
        import edited_functions

        before = facts_of(FunctionTransformer(edited_functions.func))
        path.write_text("# A comment.\n\ndef func(X):\n    return 30 * X\n")
        assert facts_of(FunctionTransformer(edited_functions.func)) == before
        importlib.reload(edited_functions)
        assert facts_of(FunctionTransformer(edited_functions.func)) != before
        path.write_text("# Moved.\n\n\n\n\ndef func(X):\n    return 2 * X\n")
        importlib.reload(edited_functions)
        assert facts_of(FunctionTransformer(edited_functions.func)) == before

    def test_function_that_is_sent_to_a_worker(self):
        """A worker of joblib has no source text of what a script or a notebook defines."""
        scope = {"__name__": "__main__"}
        exec("def func(X, factor=2):\n    return factor * X", scope)
        transformer = FunctionTransformer(scope["func"])
        sent = cloudpickle.loads(cloudpickle.dumps(transformer))
        assert sent.func is not transformer.func
        assert facts_of(sent) == facts_of(transformer)

    def test_content_of_the_files_that_parameters_name(self, tmp_path):
        weights = tmp_path / "weights.pt"
        weights.write_bytes(b"one")
        before = facts_of(Scaled(str(weights)))
        assert facts_of(Scaled(weights)) == before
        (tmp_path / "copy.pt").write_bytes(b"one")
        assert facts_of(Scaled(tmp_path / "copy.pt")) == before
        weights.write_bytes(b"two!")
        assert facts_of(Scaled(weights)) != before

    def test_two_values_never_share_a_key(self, tmp_path, monkeypatch):
        """Whatever files lie in the working folder, and however alike two values are written."""
        monkeypatch.chdir(tmp_path)
        values = [
            *("hann", "hamming", "1", 1, 1.0, True, None, "None", "True", "", b"", "b''"),
            *(
                [1, 2],
                (1, 2),
                {1: 2},
                {"1": 2},
                {1, 2},
                range(2),
                "range(0, 2)",
                slice(2),
                2j,
                "2j",
            ),
            *(np.dtype("f4"), "float32", torch.float32, "torch.float32", Color.RED, "Color.RED"),
            *(np.zeros(2), np.zeros((2, 1)), np.array([1, "a"], object), np.array(["1", "a"])),
            np.array([1, "1"], object),
            *(np.zeros(2, [("a", "f4"), ("b", "f4")]), np.zeros(2, [("b", "f4"), ("a", "f4")])),
            *({"file": ["", "x"]}, ["file"], {"tuple": [1, 2]}, [], (), {}, set()),
        ]
        facts = [facts_of(Scaled(value)) for value in values]
        assert len(set(facts)) == len(values)
        for name in values:
            if isinstance(name, str) and name:
                (tmp_path / name).write_bytes(b"same")
        beside = [facts_of(Scaled(value)) for value in values]
        assert len({*beside, *facts}) == len(values) + sum(
            a != b for a, b in zip(facts, beside, strict=True)
        )

    @pytest.mark.slow
    def test_other_process(self, tmp_path):
        """Hashes of texts, and so the order of sets, differ between processes."""
        code = (
            "import json\n"
            "from skaudio.caching._cache_keys import transformer_facts\n"
            "from sklearn.preprocessing import FunctionTransformer\n"
            "def func(X):\n"
            "    return [x for x in X if x in {'a', 'b', 'c', 'd'}]\n"
            "kw_args = {'names': {'tom', 'rex', 'leo'}}\n"
            "facts = transformer_facts(FunctionTransformer(func, kw_args=kw_args))\n"
            "print(json.dumps(facts, sort_keys=True))\n"
        )
        found = set()
        for seed in "12":
            run = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
            found.add(run.stdout)
        assert len(found) == 1

    def test_parameter_that_cannot_be_told(self):
        with pytest.raises(
            TypeError, match=r"Scaled\.factor\['a'\]\[1\] is a object, whose content"
        ):
            transformer_facts(Scaled({"a": [1, object()]}))
        with pytest.raises(TypeError, match=r"^Scaled\.factor is a object, whose content"):
            transformer_facts(Scaled({object(): 1}))
        with pytest.raises(TypeError, match=r"^Scaled\.factor is a builtin_function_or_method, "):
            transformer_facts(Scaled("a".upper))
        module = with_inner(torch.nn.ReLU)
        module.inner[1].beside = object()
        with pytest.raises(TypeError, match=r"^Scaled\.factor\.inner\.1\.beside is a object"):
            transformer_facts(Scaled(module))
