"""GE2E against the numbers of the official code, and what it alone does with recordings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skaudio.datasets import load_audio_files
from skaudio.metrics import equal_error_rate
from skaudio.persistence import export_onnx, load, save
from skaudio.pretrained import AudioTagger, PretrainedEmbedder
from skaudio.pretrained._chunking import chunking_of
from skaudio.pretrained._ge2e import GE2E

RATE = 16000
TAGS = ("3s", "1p3s", "voice")


def random(**kwargs):
    return PretrainedEmbedder("ge2e", weights="random", **kwargs)


@pytest.fixture(scope="module")
def reference(reference_home):
    return np.load(reference_home / "ge2e_reference.npz")


@pytest.fixture(scope="module")
def official(data_home):
    path = data_home / "pretrained" / "resemblyzer_pretrained.pt"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    sizes = (160, 9000, 25600, 31999, 32000, 70000)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in sizes]


class TestReference:
    @pytest.mark.parametrize("tag", TAGS)
    def test_chunks_and_mel(self, tag, reference):
        waveform, mel = reference[f"{tag}_waveform_16000"], reference[f"{tag}_mel"]
        chunking = chunking_of(GE2E(), "auto", "auto")
        starts = [start for start, _ in chunking.bounds(len(waveform))]
        assert starts == reference[f"{tag}_chunk_starts"].tolist()
        for start, chunk in zip(starts, chunking.cut(waveform), strict=True):
            first = start // 160
            expected = mel[first : first + 160].T
            found = GE2E.front_end.encode(chunk)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * mel.max())

    @pytest.mark.parametrize("tag", TAGS)
    def test_rows(self, tag, reference, official):
        embedder = PretrainedEmbedder("ge2e", weights=official, pooling=None)
        waveform = reference[f"{tag}_waveform_16000"]
        expected = reference[f"{tag}_chunk_embeddings"]
        np.testing.assert_allclose(embedder.transform([waveform])[0].T, expected, atol=3e-5)
        embedder.set_params(pooling="mean", unit_norm=True)
        row = embedder.transform([waveform])[0]
        np.testing.assert_allclose(row, reference[f"{tag}_embedding"], atol=3e-5)

    @pytest.mark.parametrize("tag", TAGS)
    @torch.inference_mode()
    def test_rows_from_stored_features(self, tag, reference, official):
        net = PretrainedEmbedder("ge2e", weights=official)._net()
        mel = reference[f"{tag}_mel"]
        starts = reference[f"{tag}_chunk_starts"] // 160
        x = torch.from_numpy(np.stack([mel[i : i + 160].T for i in starts]))
        expected = reference[f"{tag}_chunk_embeddings"]
        np.testing.assert_allclose(net(x).embedding, expected, atol=3e-5)


def test_voices_of_speakers_never_heard(official, data_home):
    """Equal error rate of ten recordings of each of ten speakers; it is 17 % for all."""
    if not (data_home / "arabic_digits").is_dir():
        pytest.skip("no arabic_digits in SKAUDIO_DATA")
    digits = load_audio_files(data_home / "arabic_digits", groups=r"/(\d+)_")
    speakers = np.asarray(digits.groups)
    rng = np.random.default_rng(0)
    some = [rng.choice(np.flatnonzero(speakers == s), 10) for s in np.unique(speakers)[:10]]
    chosen = np.concatenate(some)
    X = [digits.data[i] for i in chosen]
    rows = PretrainedEmbedder("ge2e", weights=official, unit_norm=True).transform(X)
    i, j = np.triu_indices(len(X), 1)
    same = speakers[chosen][i] == speakers[chosen][j]
    assert equal_error_rate(same, (rows @ rows.T)[i, j]) < 0.25


class TestChunks:
    @pytest.mark.parametrize(
        ("n_samples", "n_chunks"),
        [(1, 1), (25600, 1), (31519, 1), (31520, 2), (43839, 2), (43840, 3)],
    )
    def test_a_last_chunk_is_covered_by_three_quarters(self, n_samples, n_chunks):
        chunking = chunking_of(GE2E(), "auto", "auto")
        chunks = chunking.cut(np.ones(n_samples, np.float32))
        assert chunking.count(n_samples) == len(chunks) == n_chunks
        assert {len(chunk) for chunk in chunks} == {25600 + 400}

    def test_chunks_see_what_is_around_them(self):
        ramp = np.arange(1, 60001, dtype=np.float32)
        first, second = chunking_of(GE2E(), "auto", "auto").cut(ramp)[:2]
        assert not first[:200].any()
        np.testing.assert_array_equal(first[200:], np.arange(1, 25801))
        np.testing.assert_array_equal(second, np.arange(12121, 12121 + 26000))

    def test_front_end_of_one_chunk(self, clips):
        embedder = random(model_params={"level": None}).fit(clips)
        with torch.no_grad():
            x = embedder.net_.front_end(clips[2][None])
            assert x.shape == (1, 40, 160)
            row = embedder.net_(x).embedding
        np.testing.assert_allclose(embedder.transform([clips[2]]), row, atol=1e-6)

    def test_times(self):
        np.testing.assert_allclose(random().chunk_times(2), [[0, 1.6], [0.77, 2.37]])


class TestLevel:
    def test_quiet_recordings_are_raised_and_loud_ones_are_not(self, clips):
        loud = clips[2] / np.sqrt(np.mean(clips[2] ** 2))
        at = [np.float32(10 ** (level / 20)) * loud for level in (-60, -40, -30, -10)]
        rows = random().transform(at)
        np.testing.assert_allclose(rows[:2], rows[[2, 2]], atol=1e-5)
        assert not np.allclose(rows[3], rows[2], atol=1e-3)
        as_they_are = random(model_params={"level": None}).transform(at)
        np.testing.assert_array_equal(as_they_are[3], rows[3])
        assert not np.allclose(as_they_are[1], rows[1], atol=1e-3)

    def test_silence(self):
        assert np.isfinite(random().transform([np.zeros(16000)])).all()

    def test_streams_need_to_do_without(self, clips):
        with pytest.raises(ValueError, match=r"model_params=None needs the level.*'level': None"):
            random(pooling=None).stream()
        embedder = random(pooling=None, model_params={"level": None})
        stream = embedder.stream()
        parts = [stream.push(piece) for piece in np.array_split(clips[5], 7)]
        found = np.concatenate([*parts, stream.finish()], axis=1)
        np.testing.assert_array_equal(found, embedder.transform([clips[5]])[0])

    def test_is_not_exported(self, clips, tmp_path):
        pytest.importorskip("onnx")
        with pytest.raises(ValueError, match="model='ge2e' of PretrainedEmbedder cannot be export"):
            export_onnx(random().fit(clips), tmp_path / "net.onnx")


def test_has_no_classes(clips):
    with pytest.raises(ValueError, match="model='ge2e' has no classes: expected one of 'mn01_as'"):
        AudioTagger("ge2e", weights="random").fit(clips)


def test_layers(clips):
    rows = random(layer="linear").transform(clips)
    assert rows.shape == (6, 256)
    assert (rows < 0).any()


def test_save_and_load(clips, tmp_path):
    embedder = random(model_params={"level": -20.0}).fit(clips)
    save(embedder, tmp_path / "embedder.zip")
    loaded = load(tmp_path / "embedder.zip")
    np.testing.assert_array_equal(loaded.transform(clips), embedder.transform(clips))
