"""Long recordings are decoded piece by piece, with the numbers of the whole."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import soundfile as sf

from skaudio import audio
from skaudio.pretrained import AudioTagger, PretrainedEmbedder, _long_recordings


@pytest.fixture
def waveform():
    return np.random.default_rng(0).normal(scale=0.1, size=32000 * 7 + 123).astype(np.float32)


@pytest.fixture
def pieces(monkeypatch):
    """Return a function that runs another with every recording taken for a long one."""

    def run(call):
        with monkeypatch.context() as patch:
            patch.setattr(_long_recordings, "LONG", 0.1)
            patch.setattr(_long_recordings, "SMALL", 0)
            patch.setattr(_long_recordings, "PIECE", 7001)
            read = []  # pieces

            def stream(*args, **kwargs):
                for piece in audio.stream(*args, **kwargs):
                    read.append(len(piece))
                    yield piece

            patch.setattr(_long_recordings, "stream", stream)
            result = call()
            assert max(read) < 8000
            return result

    return run


@pytest.mark.parametrize("model", ["mn01_as", "yamnet", "ge2e"])
@pytest.mark.parametrize("hop", ["auto", 0.3, 2.0])
@pytest.mark.parametrize("seconds", [0.4, 7.0])
def test_chunks_are_those_of_the_whole(model, hop, seconds, waveform, pieces):
    duration = 1.0 if model == "mn01_as" else "auto"
    embedder = PretrainedEmbedder(
        model, weights="random", pooling=None, chunk_duration=duration, chunk_hop=hop
    )
    rate = embedder.fit([waveform]).sample_rate
    X = [waveform[: round(seconds * rate)], waveform[:5000]]
    if model == "ge2e":  # raises them to a level, which is that of the whole recording
        X = [np.float32(1e-4) * x for x in X]
    for whole, long in zip(
        embedder.transform(X), pieces(lambda: embedder.transform(X)), strict=True
    ):
        np.testing.assert_array_equal(long, whole)


def test_files_are_resampled_as_they_are_read(tmp_path, waveform, pieces):
    path = tmp_path / "long.wav"
    sf.write(path, np.stack([waveform, waveform[::-1]], axis=1), 44100)
    tagger = AudioTagger("mn01_as", weights="random", chunk_duration=1.0)
    X = [str(path), {"path": str(path), "start": 1.0, "duration": 3.0}]
    whole, long = tagger.fit_transform(X), pieces(lambda: tagger.transform(X))
    np.testing.assert_allclose(long, whole, atol=1e-5)
    table = pieces(lambda: tagger.tag(X, by_chunk=True))
    assert table["offset"].max() == pytest.approx(len(waveform) / 44100, abs=1e-4)


@pytest.mark.parametrize("on_error", ["raise", "nan"])
def test_damage_in_the_middle(on_error, tmp_path, waveform, pieces):
    path = tmp_path / "damaged.wav"
    sf.write(path, waveform, 32000, "FLOAT")
    content = bytearray(path.read_bytes())
    content[500_000:500_004] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    embedder = PretrainedEmbedder(
        "mn01_as", weights="random", chunk_duration=1.0, on_error=on_error
    )
    X = [waveform, str(path), waveform]
    if on_error == "raise":
        with pytest.raises(ValueError, match=r"recording 1 \('.*damaged.wav'\)"):
            pieces(lambda: embedder.fit_transform(X))
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = pieces(lambda: embedder.fit_transform(X))
    assert "1 of 3 recordings" in str(caught[0].message)
    assert np.isnan(rows[1]).all()
    np.testing.assert_array_equal(rows[0], rows[2])
