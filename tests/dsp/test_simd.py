"""The numba kernel as a whole, against torch and librosa (`test_simd_stages` has its parts)."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import joblib
import librosa
import numpy as np
import pytest

from skaudio.dsp import PAD_MODES, Framing, Scale
from skaudio.dsp._analysis import Analysis
from skaudio.dsp._cepstrum import dct_matrix
from skaudio.dsp._mel import mel_filterbank
from skaudio.dsp._simd import _kernel, _program, prepare
from skaudio.dsp._simd._lanes import LANES, lanes_of
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform

FRAMING = Framing(512, 400, 160)


def filters_for(framing, n_mels=40, sample_rate=16000):
    return partial(
        mel_filterbank, sample_rate, framing.n_fft, n_mels, 0.0, sample_rate / 2, False, "slaney"
    )


def by_torch(analysis):
    """The same analysis, kept from the kernel."""
    twin = Analysis(**analysis.__getstate__())
    twin.__dict__["_program"] = None
    return twin


@pytest.fixture
def nan_workspace(monkeypatch):
    """Fill every workspace with NaN, which spreads from wherever it is read."""

    def workspace(size):
        return np.full(size, np.nan, np.float32)

    monkeypatch.setattr(_program, "_workspace", workspace)


class TestLanes:
    @pytest.mark.parametrize(
        ("features", "lanes"),
        [
            ("+sse2,-avx,-avx512f", 4),
            ("+sse2,+avx,+avx2,-avx512f", 8),
            ("+avx,+avx2,+avx512f,+avx512bw", 16),
            ("+neon,+v8a", 4),
            ("", 4),
        ],
    )
    def test_follow_the_cpu(self, features, lanes):
        assert lanes_of(features) == lanes


FRAMINGS = [
    FRAMING,
    Framing(512, 401, 160, center=False),
    Framing(2048, 2048, 512, pad_mode="reflect"),
    Framing(64, 50, 100, window="hamming"),
    Framing(256, 256, 7, window=("kaiser", 8.0)),
    Framing(32, 31, 10, center=False),
    Framing(1024, 600, 441),
]
STAGES = [
    {"power": None},
    {"power": 1.0},
    {"scale": Scale("db")},
    {"scale": Scale("log"), "target_frames": 3},
    {"scale": Scale("db", top_db=30.0), "target_frames": 3},
    {"scale": Scale("db", top_db=30.0), "target_frames": 400},
    {"filters": 1.0},
    {"filters": 0.9, "power": 1.0, "scale": Scale("db", 1.0)},
    {"filters": 1.1, "scale": Scale("db"), "dct": dct_matrix(13, 40), "target_frames": 300},
    {"filters": 1.0, "scale": Scale("log"), "dct": dct_matrix(13, 40)},
]


class TestFusedPass:
    @pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f"{f.n_fft}-{f.hop_length}")
    @pytest.mark.parametrize("stages", STAGES, ids=lambda s: "-".join(s))
    @pytest.mark.usefixtures("nan_workspace")
    def test_equals_torch(self, framing, stages, make_clip):
        stages = dict(stages)
        warp = stages.pop("filters", None)
        filters = None if warp is None else filters_for(framing)
        analysis = Analysis(framing, filters=filters, **stages)
        assert not analysis.uses_torch
        clip = make_clip(0.3)
        features = analysis.encode(clip, warp or 1.0)
        expected = by_torch(analysis).encode(clip, warp or 1.0)
        assert features.shape == expected.shape
        assert features.dtype == expected.dtype
        if analysis.scale.kind == "linear":
            assert np.abs(features - expected).max() <= 1e-6 * np.abs(expected).max()
        else:
            np.testing.assert_allclose(features, expected, atol=2e-3)

    @pytest.mark.parametrize("pad_mode", PAD_MODES)
    @pytest.mark.parametrize("n_samples", [1, 200, 1000])
    @pytest.mark.usefixtures("nan_workspace")
    def test_pads_as_numpy(self, pad_mode, n_samples, make_clip):
        framing = Framing(256, 200, 80, pad_mode=pad_mode)
        clip = make_clip()[:n_samples]
        padded = np.pad(clip, 128, mode=pad_mode)
        features = Analysis(framing).encode(clip)
        uncentred = Analysis(Framing(256, 200, 80, center=False)).encode(padded)
        np.testing.assert_array_equal(features, uncentred)

    def test_writes_where_told(self, make_clip):
        analysis = Analysis(FRAMING)
        out = np.full((2, 257, 51), np.nan, np.float32)
        result = analysis.encode(make_clip(), 1.0, out[0])
        assert result.base is out
        np.testing.assert_array_equal(out[0], analysis.encode(make_clip()))
        assert np.isnan(out[1]).all()

    def test_takes_any_array(self, make_clip):
        analysis = Analysis(FRAMING)
        clip = make_clip()
        expected = analysis.encode(clip)
        strided = np.repeat(clip, 2)[::2]
        frozen = clip.copy()
        frozen.flags.writeable = False
        unaligned = np.frombuffer(b"x" + clip.tobytes(), np.float32, offset=1)
        for samples in (strided, frozen, unaligned):
            np.testing.assert_array_equal(analysis.encode(samples), expected)

    def test_huge_values_overflow_as_elsewhere(self):
        analysis = Analysis(FRAMING, scale=Scale("log"))
        assert analysis.encode(np.full(8000, 1e25, np.float32)).max() == np.inf


class TestBlock:
    """Several recordings in one call."""

    @pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f"{f.n_fft}-{f.hop_length}")
    @pytest.mark.parametrize("stages", STAGES, ids=lambda s: "-".join(s))
    @pytest.mark.usefixtures("nan_workspace")
    def test_equals_one_by_one(self, framing, stages, make_clip):
        stages = dict(stages)
        if stages.pop("filters", None):
            stages["filters"] = filters_for(framing)
        analysis = Analysis(framing, **stages)
        clips = [make_clip(0.1 + 0.03 * (i % 4), seed=i) for i in range(6)]
        outs = [None, *(np.full_like(analysis.encode(clip), np.nan) for clip in clips[1:])]
        features, not_finite = analysis.encode_block(clips, [1.0] * 6, outs)
        assert not_finite == []
        assert all(f is out for f, out in zip(features[1:], outs[1:], strict=True))
        for clip, found in zip(clips, features, strict=True):
            np.testing.assert_array_equal(found, analysis.encode(clip))

    def test_each_has_its_filters(self, make_clip):
        analysis = Analysis(FRAMING, filters=filters_for(FRAMING))
        clips = [make_clip(0.2, seed=i) for i in range(5)]
        clips[3][5] = np.nan
        warp_factors = [0.9, 0.9, 1.0, 1.1, 0.9]
        features, not_finite = analysis.encode_block(clips, warp_factors, [None] * 5)
        assert not_finite == [3]
        for clip, warp, found in zip(clips, warp_factors, features, strict=True):
            np.testing.assert_array_equal(found, analysis.encode(clip, warp))

    def test_nothing(self):
        assert Analysis(FRAMING).encode_block([], [], []) == ([], [])

    def test_large_workspaces_are_given_back(self, monkeypatch, make_clip):
        analysis = Analysis(FRAMING, filters=filters_for(FRAMING), dct=dct_matrix(13, 40))
        analysis.encode(make_clip(0.1))
        usual = len(_program._local.workspace)
        monkeypatch.setattr(_program, "KEPT", usual)
        analysis.encode(make_clip(2.0))
        assert len(_program._local.workspace) == usual


class TestCoverage:
    @pytest.mark.parametrize(
        ("framing", "stages"),
        [
            (Framing(500, 400, 160), {}),
            (Framing(16, 16, 8), {}),
            (Framing(1 << 16, 400, 160), {}),
            (FRAMING, {"power": 3.0}),
            (FRAMING, {"scale": Scale("log", eps=1e-42)}),
        ],
        ids=["no power of two", "too short", "too long", "power", "eps"],
    )
    def test_torch_does_the_rest(self, framing, stages, make_clip):
        analysis = Analysis(framing, **stages)
        assert analysis.uses_torch
        assert np.isfinite(analysis.encode(make_clip())).all()

    def test_a_kernel_that_does_not_compile(self, monkeypatch, make_clip):
        expected = Analysis(FRAMING).encode(make_clip())
        monkeypatch.setitem(sys.modules, "skaudio.dsp._simd._kernel", None)
        monkeypatch.delattr("skaudio.dsp._simd._kernel")
        _program._kernel.cache_clear()
        try:
            with pytest.warns(RuntimeWarning, match="does not compile here .*fall back on torch"):
                features = Analysis(FRAMING).encode(make_clip())
        finally:
            _program._kernel.cache_clear()
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)

    def test_nowhere_to_keep_the_compiled_code(self, monkeypatch):
        tries = []

        def compiler(signature, cache=False, **options):
            tries.append(cache)
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return lambda function: "compiled"

        monkeypatch.setattr(_kernel, "njit", compiler)
        assert _kernel._compiled() == "compiled"
        assert tries == [True, False]

    def test_program_is_not_sent_to_workers(self, make_clip):
        analysis = Analysis(FRAMING)
        analysis.encode(make_clip())
        assert "_program" in analysis.__dict__
        assert "_program" not in analysis.__getstate__()


class TestBitEquality:
    """Frames do not depend on what is computed beside them."""

    def test_any_neighbours(self, make_clip):
        analysis = Analysis(Framing(512, 400, 160, center=False))
        clip = make_clip(1.0)
        whole = analysis.encode(clip)
        part = analysis.encode(clip[160 * 5 : 160 * 5 + 6000])
        np.testing.assert_array_equal(part, whole[:, 5 : 5 + part.shape[1]])

    @pytest.mark.parametrize("encoder", [MelSpectrogram(), MFCC(), Spectrogram(), STFT()])
    def test_any_split_and_workers(self, encoder, make_clip):
        clips = [make_clip(0.2 + 0.01 * (i % 3), seed=i) for i in range(70)]
        whole = encoder.transform(clips)
        single = [encoder.transform([clip])[0] for clip in clips]
        with joblib.parallel_config("threading", n_jobs=3):
            threads = encoder.transform(clips)
        batches = encoder.transform_batches(clips, batch_size=9)
        batches = [frames for batch in batches for frames in batch]
        for variant in (single, threads, batches):
            assert len(variant) == len(whole)
            for one, other in zip(whole, variant, strict=True):
                np.testing.assert_array_equal(one, other)


def test_errors_on_recordings_are_small(data_home):
    """1e-6 of the maximum, 1e-3 dB within 80 dB of it, against librosa in double precision."""
    paths = [sorted(data_home.glob(p))[::40][:4] for p in ("esc10/**/*.ogg", "fsdd/**/*.wav")]
    options = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64}
    for waveform in Waveform().transform(paths[0] + paths[1]):
        reference = librosa.feature.melspectrogram(
            y=waveform.astype(np.float64), sr=16000, pad_mode="constant", **options
        )
        mel = MelSpectrogram(scale="linear", **options).transform([waveform])[0]
        assert np.abs(mel - reference).max() <= 1e-6 * reference.max()
        db = MelSpectrogram(scale="db", **options).transform([waveform])[0]
        assert np.abs(db - librosa.power_to_db(reference, top_db=80)).max() <= 1e-3


@pytest.mark.slow
@pytest.mark.skipif(LANES < 16, reason="needs a CPU with AVX-512 to play a lesser one on")
@pytest.mark.parametrize(
    ("cpu", "features", "lanes"),
    [("haswell", "+sse2,+avx,+avx2,+fma", 8), ("x86-64", "+sse2", 4)],
)
def test_narrower_vectors(cpu, features, lanes, tmp_path, make_clip):
    code = (
        "import sys, numpy as np\n"
        "from skaudio.dsp._simd._lanes import LANES\n"
        "from skaudio.encoders import MFCC, STFT\n"
        "clip = np.load(sys.argv[1])\n"
        "np.save(sys.argv[2], MFCC().transform([clip]))\n"
        "np.save(sys.argv[3], STFT().transform([clip]))\n"
        "print(LANES)\n"
    )
    clip = make_clip()
    files = [str(tmp_path / f"{name}.npy") for name in ("clip", "mfcc", "stft")]
    np.save(files[0], clip)
    result = subprocess.run(
        [sys.executable, "-c", code, *files],
        env={**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == lanes
    np.testing.assert_allclose(np.load(files[1]), MFCC().transform([clip]), atol=2e-3)
    np.testing.assert_allclose(np.load(files[2]), STFT().transform([clip]), atol=1e-5)


def test_prepare_says_what_it_covers():
    assert prepare(FRAMING) is not None
    assert prepare(Framing(500, 400, 160)) is None
