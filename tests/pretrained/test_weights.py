"""Weights: where they are looked for, what is read, what is refused."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pickle
import re
import sys
import threading
import tracemalloc
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skaudio._files import transfer
from skaudio.caching import CachedTransformer
from skaudio.pretrained import (
    AudioTagger,
    PretrainedEmbedder,
    _inference,
    _pretrained_transformer,
    _registry,
    download,
)
from skaudio.pretrained._efficientat import EfficientAT
from skaudio.pretrained._registry import MODELS, Model, WeightsFile, load_net
from skaudio.pretrained._weights import read_tensors
from skaudio.pretrained._yamnet import YAMNet


@pytest.fixture(scope="module")
def state():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return EfficientAT(0.1).state_dict()


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).normal(scale=0.1, size=8000).astype(np.float32)


def embed(path, clip, **kwargs):
    return PretrainedEmbedder("mn01_as", weights=path, **kwargs).transform([clip])


class TestFormats:
    @pytest.fixture
    def expected(self, state, clip, tmp_path):
        torch.save(state, tmp_path / "plain.pt")
        return embed(tmp_path / "plain.pt", clip)

    def test_weights_count(self, expected, clip):
        assert not np.allclose(expected, embed("random", clip))

    @pytest.mark.parametrize("key", ["model", "state_dict"])
    def test_checkpoint(self, state, clip, expected, tmp_path, key):
        extras = {"iteration": 3, "sampler": {"pointer": np.float64(2), "index": np.arange(3)}}
        torch.save({**extras, key: state}, tmp_path / "net.pth")
        np.testing.assert_array_equal(embed(str(tmp_path / "net.pth"), clip), expected)

    def test_before_zip_files(self, state, clip, expected, tmp_path, monkeypatch):
        """Pickles are read if they are official; another one can be converted."""
        path, new = tmp_path / "old.pth", tmp_path / "new.pth"
        torch.save(state, path, _use_new_zipfile_serialization=False)
        known = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        for hash_, name in ((known, "old.pth"), (None, "old.pth"), (known[:-1], "old.pth")):
            file = WeightsFile(name, "https://x", known_hash=hash_)
            monkeypatch.setitem(_registry.MODELS, "old", Model(EfficientAT, (file,), "CC0"))
            _registry.shared_net.cache_clear()
            if hash_ != known[:-1]:
                np.testing.assert_array_equal(embed(path, clip), expected)
        with pytest.raises(ValueError, match=r"old\.pth was refused: it is a pickle.*convert it"):
            embed(path, clip)
        torch.save(torch.load(path, weights_only=True), new)
        np.testing.assert_array_equal(embed(new, clip), expected)

    def test_npz(self, state, clip, expected, tmp_path):
        np.savez(tmp_path / "net.npz", **{k: v.numpy() for k, v in state.items()})
        np.testing.assert_array_equal(embed(tmp_path / "net.npz", clip), expected)

    def test_several_files(self, state, clip, expected, tmp_path):
        items = list(state.items())
        torch.save(dict(items[:50]), tmp_path / "a.pt")
        torch.save(dict(items[50:]), tmp_path / "b.pt")
        paths = [tmp_path / "a.pt", tmp_path / "b.pt"]
        np.testing.assert_array_equal(embed(paths, clip), expected)

    def test_without_counters(self, state, clip, expected, tmp_path):
        torch.save({k: v for k, v in state.items() if "tracked" not in k}, tmp_path / "net.pt")
        np.testing.assert_array_equal(embed(tmp_path / "net.pt", clip), expected)


class TestYAMNetFiles:
    """The official file of Keras, the port's, and the folded one hold the same net."""

    @pytest.fixture(scope="class")
    @classmethod
    def net(cls):
        with torch.random.fork_rng():
            torch.manual_seed(2)
            net = YAMNet()
            for name, value in net.state_dict().items():
                if name.endswith(("running_mean", "bn.bias")):
                    value.uniform_(-0.2, 0.2)
                elif name.endswith("running_var"):
                    value.uniform_(0.5, 1.5)
        return net

    def keras(self, net):
        """Names and shapes as in yamnet.h5, whose normalisation has no scale."""
        for name, value in net.state_dict().items():
            layer, _, rest = name.partition(".")
            kind, _, what = rest.partition(".")
            kind = {"fused": "conv"}.get(kind, kind)
            array = value.numpy()
            if layer == "classifier":
                yield f"logits/logits/{'kernel' if rest == 'weight' else 'bias'}:0", array.T
            elif what == "conv.weight" and kind == "depthwise_conv":
                path = f"{layer}/{kind}"
                yield f"{path}/{path}/depthwise_kernel:0", array.transpose(2, 3, 0, 1)
            elif what == "conv.weight":
                yield f"{layer}/{kind}/{layer}/{kind}/kernel:0", array.transpose(2, 3, 1, 0)
            elif what in ("bn.bias", "bn.running_mean", "bn.running_var"):
                path = f"{layer}/{kind}/bn"
                names = {"bias": "beta", "running_mean": "moving_mean"}
                yield f"{path}/{path}/{names.get(what[3:], 'moving_variance')}:0", array

    def test_keras(self, net, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "yamnet.h5", "w") as file:
            for name, array in self.keras(net):
                file[name] = array
        loaded = load_net("yamnet", tmp_path / "yamnet.h5", None, None).state_dict()
        assert len(list(self.keras(net))) == 27 * 4 + 2
        for name, value in net.state_dict().items():
            torch.testing.assert_close(loaded[name], value, rtol=0, atol=0)

    def test_port(self, net, tmp_path):
        torch.save(net.state_dict(), tmp_path / "yamnet.pth")
        loaded = load_net("yamnet", tmp_path / "yamnet.pth", None, None).state_dict()
        for name, value in net.state_dict().items():
            torch.testing.assert_close(loaded[name], value, rtol=0, atol=0)

    def test_folded(self, net, tmp_path):
        state = net.state_dict()
        arrays = {
            "logits/weight": state["classifier.weight"],
            "logits/bias": state["classifier.bias"],
        }
        for name in state:
            if name.endswith("conv.weight"):
                path = name.removesuffix(".conv.weight")
                scale = (state[f"{path}.bn.running_var"] + 1e-4).rsqrt()
                folded = path.replace(".", "/").replace("fused", "conv")
                arrays[f"{folded}/weight"] = state[name] * scale[:, None, None, None]
                shift = state[f"{path}.bn.running_mean"] * scale
                arrays[f"{folded}/bias"] = state[f"{path}.bn.bias"] - shift
        np.savez(tmp_path / "folded.npz", **{k: v.numpy() for k, v in arrays.items()})
        loaded = load_net("yamnet", tmp_path / "folded.npz", None, None)
        x = torch.rand(2, 64, 96, generator=torch.Generator().manual_seed(0)) * 4 - 4
        with torch.inference_mode():
            torch.testing.assert_close(loaded(x), net.eval()(x), rtol=1e-4, atol=1e-4)

    def test_without_h5py(self, tmp_path, monkeypatch):
        (tmp_path / "yamnet.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(ImportError, match=r'pip install "skaudio\[hdf5\]"'):
            load_net("yamnet", tmp_path / "yamnet.h5", None, None)

    def test_hdf5_with_words(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["weight"], file["about"] = np.ones(3, np.float32), "words"
        assert list(read_tensors(tmp_path / "a.h5")) == ["weight"]

    @pytest.mark.parametrize("seed", range(5))
    def test_damaged_hdf5(self, tmp_path, seed):
        h5py = pytest.importorskip("h5py")
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            for i in range(20):
                file[f"layer{i}/weight"] = np.ones(300, np.float32)
        damaged = np.fromfile(path, np.uint8)
        rng = np.random.default_rng(seed)
        damaged[rng.integers(2048, len(damaged), 200)] = rng.integers(0, 256, 200)
        damaged.tofile(path)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            read_tensors(path)

    def test_broken_hdf5(self, tmp_path):
        pytest.importorskip("h5py")
        (tmp_path / "yamnet.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        with pytest.raises(ValueError, match=r"yamnet\.h5 cannot be read as HDF5"):
            load_net("yamnet", tmp_path / "yamnet.h5", None, None)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class TestRefused:
    @pytest.mark.parametrize("how", ["pickle", "torch", "beside", "old torch"])
    def test_malicious_pickle(self, how, state, tmp_path, clip):
        evil, path = tmp_path / "evil", tmp_path / "net.pt"
        content = Malicious(evil)
        if how == "pickle":
            path.write_bytes(pickle.dumps(content))
        else:
            content = {"model": state, "x": content} if how == "beside" else content
            torch.save(content, path, _use_new_zipfile_serialization=how != "old torch")
        with pytest.raises(ValueError, match=r"net\.pt was refused: .*could run anything"):
            embed(path, clip)
        assert not evil.exists()

    def test_objects_in_npz(self, tmp_path, clip):
        evil = tmp_path / "evil"
        np.savez(tmp_path / "net.npz", x=np.array([Malicious(evil)], dtype=object))
        with pytest.raises(ValueError, match=r"net\.npz cannot be read as \.npz"):
            embed(tmp_path / "net.npz", clip)
        assert not evil.exists()

    @pytest.mark.parametrize("content", [b"", b"<html>Please log in</html>", b"\x80\x02}q\x00."])
    def test_something_else(self, content, tmp_path, clip):
        (tmp_path / "net.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.pt (was refused|cannot be read|does not hold)"):
            embed(tmp_path / "net.pt", clip)

    def test_truncated(self, state, tmp_path, clip):
        torch.save(state, tmp_path / "net.pt")
        content = (tmp_path / "net.pt").read_bytes()
        (tmp_path / "net.pt").write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match=r"net\.pt (was refused|cannot be read)"):
            embed(tmp_path / "net.pt", clip)

    def test_in_threads(self, state, tmp_path):
        """torch's list of what may be built belongs to the process, and so do warnings' filters."""
        extras = {"statistics": {"mAP": np.float64(0.4), "ap": np.zeros(527)}}
        torch.save({**extras, "model": state}, tmp_path / "net.pth")
        (tmp_path / "bad.pth").write_bytes(pickle.dumps({"net": self}, protocol=4))

        allowed = torch.serialization.get_safe_globals()

        def read(i):
            if i % 4 == 0:
                with pytest.raises(ValueError, match="was refused"):
                    read_tensors(tmp_path / "bad.pth")
            return len(read_tensors(tmp_path / "net.pth"))

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(read, range(200))) == {len(state)}
        assert set(torch.serialization.get_safe_globals()) == set(allowed)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: torch.eye(3).to_sparse(),
            lambda: torch.eye(3).to_sparse_csr(),
            lambda: torch.ones(3, device="meta"),
            lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            lambda: torch.ones(3, dtype=torch.complex64),
        ],
        ids=["sparse", "csr", "meta", "nested", "complex"],
    )
    @pytest.mark.filterwarnings("ignore")  # of torch: these are beta
    def test_tensors_of_another_kind(self, tmp_path, make):
        path = tmp_path / "net.pt"
        torch.save({"good": torch.ones(3), "odd": make()}, path)
        with pytest.raises(ValueError, match=r"net\.pt: odd is of a kind that no network"):
            read_tensors(path)

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
    def test_nan_of_every_kind(self, tmp_path, kind):
        for value in (1.0, float("nan")):
            torch.save({"a": torch.full((3,), value).to(kind)}, tmp_path / "net.pt")
            if value == 1.0:
                assert read_tensors(tmp_path / "net.pt")["a"].dtype == kind
        with pytest.raises(ValueError, match="a holds NaN or infinity"):
            read_tensors(tmp_path / "net.pt")

    @pytest.mark.parametrize("kind", ["expanded", "npz", "pt", "h5"])
    def test_huge_announced_sizes_take_no_memory(self, tmp_path, kind):
        """Less than 2 MB that say that they are 40 GB, or that would unpack to a gigabyte."""
        path = tmp_path / f"net.{kind}"
        if kind == "expanded":
            torch.save({"a": torch.ones(1).expand(100_000, 100_000)}, path)
        elif kind == "h5":
            h5py = pytest.importorskip("h5py")
            with h5py.File(path, "w") as file:
                file.create_dataset("a", (100_000, 100_000), np.float32, chunks=(1000, 1000))
        else:
            entry = {"npz": "a.npy", "pt": "archive/data/0"}[kind]
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                with archive.open(entry, "w", force_zip64=True) as file:
                    for _ in range(128):
                        file.write(bytes(1 << 20))
                if kind == "pt":
                    archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        tracemalloc.start()
        with pytest.raises(ValueError, match=rf"net\.{kind}.* announces \d+ bytes of weights"):
            read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
        tracemalloc.stop()

    def test_a_tensor(self, tmp_path):
        torch.save(torch.zeros(3), tmp_path / "net.pt")
        with pytest.raises(ValueError, match="holds a Tensor, expected a state dict"):
            read_tensors(tmp_path / "net.pt")

    def test_other_net(self, tmp_path, clip):
        torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "net.pt")
        message = r"does not hold the weights of 'mn01_as': .* are unknown \(weight, bias\)"
        with pytest.raises(ValueError, match=message):
            embed(tmp_path / "net.pt", clip)

    def test_other_width(self, tmp_path, clip):
        torch.save(EfficientAT(0.4).state_dict(), tmp_path / "net.pt")
        message = r"does not hold the weights of 'mn01_as'.*those of another model\?"
        with pytest.raises(ValueError, match=message):
            embed(tmp_path / "net.pt", clip)
        message = r"features\.\S* has the shape .* for 'mn05_as'\.$"
        with pytest.raises(ValueError, match=message):
            PretrainedEmbedder("mn05_as", weights=tmp_path / "net.pt").transform([clip])

    def test_other_number_of_classes(self, tmp_path, clip):
        torch.save(EfficientAT(0.1, n_classes=10).state_dict(), tmp_path / "net.pt")
        with pytest.raises(ValueError, match=r"Pass model_params=\{'n_classes': \.\.\.\}"):
            embed(tmp_path / "net.pt", clip)
        assert embed(tmp_path / "net.pt", clip, model_params={"n_classes": 10}).shape == (1, 96)

    def test_missing_file(self, tmp_path, clip):
        with pytest.raises(FileNotFoundError, match=r"weights='.*nowhere\.pt': no such file"):
            embed(tmp_path / "nowhere.pt", clip)

    def test_parameters_of_another_net(self, clip):
        embedder = PretrainedEmbedder("mn01_as", weights="random", model_params={"relu": True})
        with pytest.raises(TypeError, match=r"model_params=\{'relu': True\}: .*'relu'"):
            embedder.transform([clip])


@pytest.mark.parametrize(
    ("name", "meant"),
    [("mn04", "mn04_as"), ("YAMNet", "yamnet"), ("cnn14", "panns_cnn14"), ("vgish", "vggish")],
)
@pytest.mark.parametrize("kind", [PretrainedEmbedder, AudioTagger])
def test_unknown_model(kind, name, meant, clip):
    for call in ("fit", "transform"):
        with pytest.raises(ValueError, match=f"model='{name}': .*Did you mean '{meant}'"):
            getattr(kind(name), call)([clip])
    with pytest.raises(ValueError, match="model=3: expected one of 'mn01_as'"):
        kind(3).fit([clip])


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


class TestDataHome:
    """Files of the data home are used if they are right; else, and if missing, say what to do."""

    @pytest.fixture
    def served(self, state, tmp_path, monkeypatch):
        """Publish weights on a local server, in place of the official ones."""
        root = tmp_path / "server"
        root.mkdir()
        path = root / "tiny.pt"
        torch.save(state, path)
        handler = partial(QuietHandler, directory=str(root))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/tiny.pt"
        known = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()

        def publish(**facts):
            facts = {"size": path.stat().st_size, "known_hash": known, **facts}
            file = WeightsFile("tiny.pt", url, **facts)
            model = Model(EfficientAT, (file,), "CC0", {"width": 0.1})
            monkeypatch.setitem(_registry.MODELS, "tiny", model)
            return path

        monkeypatch.setattr(transfer, "PAUSE", 0.01)
        publish()
        yield publish
        server.shutdown()
        server.server_close()
        thread.join()

    @pytest.fixture
    def home(self, tmp_path):
        return tmp_path / "home"

    def run(self, clip, home):
        return PretrainedEmbedder("tiny", data_home=home).transform([clip])

    def test_downloaded_once(self, served, home, clip, capsys):
        rows = self.run(clip, home)
        path = home / "pretrained" / "tiny.pt"
        assert [p.name for p in path.parent.iterdir()] == ["tiny.pt"]
        output = capsys.readouterr()
        assert "licence CC0" in output.err
        assert "Downloading http://127.0.0.1" in output.err
        served().unlink()  # what is there is used
        np.testing.assert_array_equal(self.run(clip, home), rows)
        np.testing.assert_array_equal(embed(path, clip), rows)
        assert capsys.readouterr() == ("", "")

    def test_environment_names_the_home(self, served, home, clip, monkeypatch):
        monkeypatch.setenv("SKAUDIO_DATA", str(home))
        self.run(clip, None)
        assert (home / "pretrained" / "tiny.pt").is_file()

    def test_unknown_hash(self, served, home, clip):
        served(known_hash=None)
        with pytest.warns(UserWarning, match="no reference hash is known"):
            self.run(clip, home)

    def test_wrong_hash_of_a_download(self, served, home, clip):
        served(known_hash="sha256:1234")
        with pytest.raises(ValueError, match=r"not the expected file: sha256 .*, expected 1234"):
            self.run(clip, home)
        assert list((home / "pretrained").iterdir()) == []

    def test_wrong_hash_of_a_file(self, served, home, clip):
        self.run(clip, home)
        served(known_hash="md5:1234")
        with pytest.raises(ValueError, match=r"tiny\.pt has the md5 .*, expected 1234\. Delete it"):
            self.run(clip, home)

    def test_truncated_file(self, served, home, clip):
        self.run(clip, home)
        path = home / "pretrained" / "tiny.pt"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(ValueError, match=r"tiny\.pt has 1000 bytes, expected \d+\. Delete it"):
            self.run(clip, home)

    def test_offline(self, served, home, clip, monkeypatch):
        file = WeightsFile("tiny.pt", "http://127.0.0.1:9/tiny.pt", 10, "sha256:1234")
        monkeypatch.setitem(_registry.MODELS, "tiny", Model(EfficientAT, (file,), "CC0"))
        message = (
            r"127\.0\.0\.1:9/tiny\.pt could not be downloaded .*by hand, download "
            rf"http://127\.0\.0\.1:9/tiny\.pt .* {home}/pretrained/tiny\.pt \(sha256:1234\)"
        )
        with pytest.raises(ConnectionError, match=message):
            self.run(clip, home)
        assert list((home / "pretrained").iterdir()) == []

    def test_taken_elsewhere(self, served, home, clip, tmp_path, monkeypatch, capsys):
        """Copies, never links; downloaded only if the data home lacks them."""
        monkeypatch.setenv("SKAUDIO_DATA", str(home))
        (path,) = download("tiny", tmp_path / "usb")
        assert path == tmp_path / "usb" / "pretrained" / "tiny.pt"
        assert not home.exists()
        own = home / "pretrained" / "tiny.pt"
        own.parent.mkdir(parents=True)
        os.link(served(), tmp_path / "linked")
        own.symlink_to(tmp_path / "linked")
        monkeypatch.setenv("SKAUDIO_OFFLINE", "1")
        (copy,) = download(["tiny"], tmp_path / "disk")
        assert not copy.is_symlink()
        assert copy.stat().st_nlink == 1
        assert [p.name for p in copy.parent.iterdir()] == ["tiny.pt"]
        assert download(["tiny"], tmp_path / "disk") == [copy]
        np.testing.assert_array_equal(self.run(clip, tmp_path / "disk"), embed(path, clip))
        own.unlink()
        with pytest.raises(
            ConnectionError, match=r"tiny\.pt is missing, and SKAUDIO_OFFLINE is set"
        ):
            download(["tiny"], tmp_path / "third")
        with pytest.raises(ValueError, match=r"model='tini': .*Did you mean 'tiny'"):
            download(["tiny", "tini"], tmp_path / "third")
        assert not (tmp_path / "third").exists()

    def test_full_disk(self, served, home, clip, tmp_path, monkeypatch):
        monkeypatch.setenv("SKAUDIO_DATA", str(home))
        download("tiny", home)

        def half(source, target):
            target.write_bytes(source.read_bytes()[:9])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr("shutil.copyfile", half)
            with pytest.raises(OSError, match="No space left"):
                download("tiny", tmp_path / "usb")
        assert list((tmp_path / "usb" / "pretrained").iterdir()) == []
        assert len(download("tiny", tmp_path / "usb")) == 1

    def test_extra_files_only_where_they_are_needed(self, tmp_path):
        from skaudio.pretrained._registry import find_weights

        folder = tmp_path / "pretrained"
        folder.mkdir()
        for file in ("vggish-10086976.pth", "vggish_pca_params-970ea276.pth"):
            (folder / file).touch()
        plain = find_weights("vggish", None, {"relu": False}, tmp_path)
        both = find_weights("vggish", None, {"pca": True}, tmp_path)
        assert [p.name for p in plain] == ["vggish-10086976.pth"]
        assert len(both) == 2


def test_registry():
    for name, model in MODELS.items():
        assert model.licence
        assert model.labels in ("audioset", "yamnet", "audioset_strong", None)
        for file in (*model.files, *model.extras.values()):
            assert file.url.startswith("https://"), name
            # "pretrained.pt" alone would not say of which network it is.
            published = file.url.replace("%3D", "=").rpartition("/")[2]
            assert file.name.endswith(published)
            assert file.known_hash is None or file.known_hash.startswith(("sha256:", "md5:"))


def test_loaded_once_in_a_cache(state, clip, tmp_path, monkeypatch):
    """For keys, for several batches and folds: one net, and one copy of it for inference."""
    torch.save(state, tmp_path / "net.pt")
    calls = Counter()

    def count(module, name):
        function = getattr(module, name)

        def counted(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    count(_registry, "load_net")
    count(_pretrained_transformer, "load_net")
    count(_inference, "_make")
    embedder = PretrainedEmbedder("mn01_as", weights=tmp_path / "net.pt")
    clips = [clip, clip[1:], clip[2:]]
    cached = CachedTransformer(embedder, tmp_path / "memory", batch_size=2)
    rows = cached.fit_transform(clips[:2])
    np.testing.assert_array_equal(clone(cached).fit(clips).transform(clips)[:2], rows)
    assert calls == {"load_net": 1, "_make": 1}
    np.testing.assert_array_equal(rows, embedder.fit_transform(clips[:2]))


class TestIdentity:
    def test_same_weights_same_hash(self, state, clip, tmp_path):
        torch.save(state, tmp_path / "a.pt")
        torch.save({"model": state}, tmp_path / "b.pt")
        a, b = (PretrainedEmbedder("mn01_as", weights=tmp_path / f) for f in ("a.pt", "b.pt"))
        assert a.weights_hash() == b.weights_hash() == a.fit([clip]).weights_hash()
        assert a.weights_hash() == pickle.loads(pickle.dumps(a)).weights_hash()
        other = PretrainedEmbedder("mn01_as", weights="random")
        assert other.weights_hash() != a.weights_hash()

    def test_edited_file(self, state, tmp_path):
        torch.save(state, tmp_path / "a.pt")
        embedder = PretrainedEmbedder("mn01_as", weights=tmp_path / "a.pt")
        before = embedder.weights_hash()
        torch.save({k: v + 1 if v.ndim == 4 else v for k, v in state.items()}, tmp_path / "a.pt")
        os.utime(tmp_path / "a.pt", ns=(1, 1))
        assert embedder.weights_hash() != before

    def test_fine_tuned(self, clip):
        embedder = PretrainedEmbedder("mn01_as", weights="random").fit([clip])
        before = embedder.weights_hash(), embedder.transform([clip])
        with torch.no_grad():
            embedder.net_.features[0][0].weight.mul_(1.5)
        assert embedder.weights_hash() != before[0]
        assert not np.allclose(embedder.transform([clip]), before[1])


def test_weights_that_are_no_numbers(state, tmp_path):
    path = tmp_path / "nan.pt"
    torch.save({name: value * float("nan") for name, value in state.items()}, path)
    with pytest.raises(ValueError, match=r"nan\.pt: .* holds NaN or infinity"):
        read_tensors(path)


@pytest.mark.parametrize("ending", ["pt", "npz"])
def test_damage_is_one_kind_of_error(ending, tmp_path):
    path = tmp_path / f"weights.{ending}"
    if ending == "pt":
        torch.save({"a": torch.arange(6.0)}, path)
    else:
        np.savez(path, a=np.arange(6.0))
    good = path.read_bytes()
    for seed in range(150):
        rng = np.random.default_rng(seed)
        damaged = bytearray(good)
        damaged[rng.integers(len(damaged))] ^= rng.integers(1, 256)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):  # any other error fails the test
            read_tensors(path)
