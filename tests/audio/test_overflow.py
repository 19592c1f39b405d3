"""Finite samples whose features are not finite: an error names the recording, on every route."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf
from sklearn.pipeline import make_pipeline

from skaudio.audio import check_recordings, stream
from skaudio.augmentation import Noise, Volume
from skaudio.classifiers import GRUClassifier
from skaudio.detectors import EventDetector
from skaudio.encoders import MFCC, LongEncoding, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FrameUnion
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

LOUD = 2e19
MESSAGE = r"recording 1.* has a sample of 2e\+19 \(sample 4000\), .*exceeds the range of float32"


@pytest.fixture
def clips(make_clip):
    clips = [make_clip(0.5, seed=i) for i in range(3)]
    clips[1][4000] = LOUD
    return clips


ROUTES = {
    "kernel": lambda X: Spectrogram().fit_transform(X),
    "kernel, bands": lambda X: MelSpectrogram().fit_transform(X),
    "kernel, decibels": lambda X: MelSpectrogram(scale="db").fit_transform(X),
    "kernel, cepstra": lambda X: MFCC().fit_transform(X),
    "torch": lambda X: MFCC(n_fft=600).fit_transform(X),
    "torch, high power": lambda X: Spectrogram(power=6.0).fit_transform(X),
    "rows": lambda X: MFCC().fit_transform(np.stack(X)),
    "frames apart": lambda X: MFCC(hop_length=500).fit_transform(X),
    "union": lambda X: FrameUnion([("a", MFCC()), ("b", MelSpectrogram())]).fit_transform(X),
    "batch": lambda X: make_pipeline(Waveform(), MFCC()).fit_transform(X),
    "training": lambda X: GRUClassifier(MFCC(), max_epochs=1).fit(X, [0, 1, 0]),
    "training with noise": lambda X: GRUClassifier(
        make_pipeline(Volume(gain_db=0.0), MFCC()), max_epochs=1, batch_size=3
    ).fit(X, [0, 1, 0]),
    "embedder": lambda X: PretrainedEmbedder("mn01_as", weights="random").fit_transform(X),
    "tagger": lambda X: AudioTagger("mn01_as", weights="random").fit_transform(X),
}


@pytest.mark.parametrize("route", ROUTES)
def test_overflow_names_the_recording(route, clips):
    with pytest.raises(
        ValueError, match=r"has a sample of .*exceeds the range of float32"
    ) as caught:
        ROUTES[route](clips)
    name = "recording" if route == "training with noise" else "recording 1"  # in a shuffled batch
    assert str(caught.value).startswith(name)


def test_large_values_that_are_finite():
    """Also if their sum is not."""
    item = {"array": np.full(16000, 1e35, np.float32), "sampling_rate": 16000}
    waveform, _ = check_recordings(Waveform(), [item], reset=True)[0].read(8000)
    assert waveform.max() == pytest.approx(1e35, rel=0.2)
    with np.errstate(over="ignore"):
        assert np.isinf(waveform.sum())


def test_another_device(clips):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with pytest.raises(ValueError, match=MESSAGE):
        MFCC(device="cuda").fit_transform(clips)


def test_pieces_of_long_recordings(clips):
    recordings = check_recordings(None, clips, reset=True)
    for encoder in (MelSpectrogram(), MFCC()):
        with pytest.raises(ValueError, match=MESSAGE.replace("4000", r"\d+")):
            list(LongEncoding(encoder, recordings[1], block=1000).pieces())


def test_long_recordings_in_detectors(clips):
    detector = EventDetector(
        MelSpectrogram(), channels=(4,), frame_stride=1, max_epochs=1, block_duration=0.2
    )
    detector.fit([clips[0], clips[2]], ["a", "b"])
    with pytest.raises(ValueError, match=MESSAGE.replace("4000", r"\d+")):
        detector.predict(clips)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_resampling(rate, clips):
    """The ripple of the filter goes beyond the largest float32."""
    clips[1][3000:5000] = 3.4e38 * np.sign(np.sin(np.arange(2000)))
    X = [{"array": clip, "sampling_rate": 16000} for clip in clips]
    with pytest.raises(ValueError, match=r"recording 1 has a sample of .*exceeds the range"):
        Waveform(sample_rate=rate).fit_transform(X)
    recording = check_recordings(None, X, reset=True)[1]
    with pytest.raises(ValueError, match=r"recording 1 has a sample of .*exceeds the range"):
        list(stream(recording, rate, block=1000))


def test_a_flipped_bit_in_a_file(clips, tmp_path):
    path = tmp_path / "flipped.wav"
    content = io.BytesIO()
    sf.write(content, clips[0], 16000, format="WAV", subtype="FLOAT")
    flipped = bytearray(content.getvalue())
    flipped[-401] ^= 0x40  # the highest bit of an exponent
    path.write_bytes(flipped)
    for encoder in (MFCC(), MelSpectrogram(), Spectrogram()):
        with pytest.raises(ValueError, match=r"recording 0 \('.*flipped.wav'\) has a sample of"):
            encoder.fit_transform([path])


def test_on_error_nan_puts_nan(clips):
    with pytest.warns(UserWarning, match="1 of 3 .*\nrecording 1 has a sample of 2e"):
        frames = MFCC(on_error="nan").fit_transform(clips)
    assert [bool(np.isnan(f).all()) for f in frames] == [False, True, False]


def test_what_does_not_overflow_is_no_error(clips):
    clips[1][4000] = 1e15
    assert np.isfinite(np.stack(list(MFCC().fit_transform(clips)))).all()
    assert np.isfinite(Noise(random_state=0).fit_transform(clips)[1]).all()


def test_a_sample_that_is_not_finite_is_counted_before_resampling():
    clip = np.zeros(4000, np.float32)
    clip[1234] = np.nan
    message = r"recording 0 contains NaN at sample 1234; expected"
    with pytest.raises(ValueError, match=message):
        MFCC(sample_rate=16000).transform([{"array": clip, "sampling_rate": 8000}])
