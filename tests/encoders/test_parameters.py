"""What parameters do beyond librosa's: defaults, parts, levels, lengths, names, progress."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform

FRAMED = [STFT, Spectrogram, MelSpectrogram, MFCC]


@pytest.mark.parametrize(
    ("sample_rate", "win_length", "hop_length", "n_fft"),
    [
        (16000, 400, 160, 512),
        (8000, 200, 80, 256),
        (22050, 551, 220, 1024),
        (44100, 1102, 441, 2048),
        (96000, 2400, 960, 4096),
        (400, 10, 4, 16),
    ],
)
def test_defaults_are_25_and_10_ms(sample_rate, win_length, hop_length, n_fft, rng):
    clip = rng.uniform(-1, 1, 2 * n_fft).astype(np.float32)
    stated = STFT(
        sample_rate=sample_rate, win_length=win_length, hop_length=hop_length, n_fft=n_fft
    )
    default = STFT(sample_rate=sample_rate)
    np.testing.assert_array_equal(default.fit_transform([clip]), stated.fit_transform([clip]))


def test_n_fft_follows_the_window():
    assert STFT(win_length=513).fit_transform([np.ones(2000)]).shape[1] == 513
    assert STFT(win_length=512).fit_transform([np.ones(2000)]).shape[1] == 257


@pytest.mark.parametrize("encoder_class", FRAMED)
def test_part(encoder_class, make_clip):
    clip = make_clip(1.0)
    part = encoder_class(offset=0.25, duration=0.5).fit_transform([clip])
    np.testing.assert_array_equal(part, encoder_class().fit_transform([clip[4000:12000]]))


def test_duration_beyond_the_end_takes_what_is_there(make_clip):
    clip = make_clip(0.5)
    late = Waveform(offset=0.4, duration=3.0).fit_transform([clip])
    np.testing.assert_array_equal(late[0], clip[6400:])


def test_shortest_duration_is_a_sample(make_clip):
    assert len(Waveform(duration=1e-9).fit_transform([make_clip()])[0]) == 1


@pytest.mark.parametrize("encoder_class", FRAMED)
def test_level(encoder_class, make_clip):
    loud, soft = make_clip(), 0.01 * make_clip()
    for how in ("max", "rms"):
        a, b = encoder_class(normalize=how).fit_transform([loud, soft])
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(a).max())


def test_frame_times_include_the_offset():
    times = MFCC(offset=1.5).frame_times(3)
    np.testing.assert_allclose(times, [1.5, 1.51, 1.52])
    assert MFCC(target_frames=7).frame_times().shape == (7,)
    np.testing.assert_allclose(Waveform(offset=1.0).frame_times(2), [1.0, 1 + 1 / 16000])
    with pytest.raises(TypeError, match="needs to know how many"):
        MFCC().frame_times()
    with pytest.raises(TypeError, match="needs to know how many"):
        Waveform().frame_times()


def test_tone_is_where_its_time_and_frequency_say():
    """A burst from 0.3 to 0.4 s at 2 kHz."""
    t = np.arange(16000) / 16000
    burst = np.where((t >= 0.3) & (t < 0.4), np.sin(2 * np.pi * 2000 * t), 0)
    for center in (True, False):
        spectrogram = Spectrogram(center=center)
        (frames,) = spectrogram.fit_transform([burst])
        energy = frames.sum(axis=0)
        middle = (energy * spectrogram.frame_times(frames)).sum() / energy.sum()
        assert middle == pytest.approx(0.35, abs=2e-3)
        assert frames.sum(axis=1).argmax() == 2000 * 512 // 16000


@pytest.mark.parametrize("encoder_class", [*FRAMED, Waveform])
@pytest.mark.parametrize("target", [1, 26, 60])
def test_target_frames(encoder_class, target, make_clip):
    ragged = [make_clip(0.1), make_clip(0.25), make_clip(0.7)]
    fixed = encoder_class(target_frames=target).fit_transform(ragged)
    if encoder_class is Waveform:
        assert np.asarray(fixed).shape == (3, target)
        np.testing.assert_array_equal(fixed[0][:target], ragged[0][:target])
        return
    assert fixed.shape[2] == target
    whole = encoder_class().fit_transform(ragged)
    for one, all_of_it in zip(fixed, whole, strict=True):
        n = min(target, all_of_it.shape[1])
        if encoder_class is STFT:
            np.testing.assert_array_equal(one[:, :n], all_of_it[:, :n])
            assert not one[:, n:].any()


def test_padding_is_clipped_like_silence(make_clip):
    """At top_db=80 frames of silence are 80 dB below the recording's maximum, as if recorded."""
    clip = make_clip(0.1)
    padded = MelSpectrogram(scale="db", target_frames=50).fit_transform([clip])[0]
    assert padded[:, 20:].max() == padded[:, 20:].min() == pytest.approx(padded.max() - 80)


@pytest.mark.parametrize("encoder_class", FRAMED)
def test_dtype_and_layout(encoder_class, make_clip):
    for X in ([make_clip(0.2)] * 2, [make_clip(0.2), make_clip(0.3)], np.stack([make_clip()] * 2)):
        frames = encoder_class().fit_transform(X)
        for one in frames:
            assert one.dtype == (np.complex64 if encoder_class is STFT else np.float32)
            assert one.flags.c_contiguous
            assert one.flags.writeable


@pytest.mark.parametrize("parameters", [{}, {"center": False}, {"center": False, "n_fft": 600}])
def test_strided_waveforms(parameters, make_clip):
    """Backwards, every other sample, one channel of interleaved ones."""
    clip = make_clip()
    strided = [
        clip[::-1].copy()[::-1],
        np.repeat(clip, 2)[::2],
        np.stack([clip, clip], axis=1)[:, 1],
    ]
    encoder = MFCC(**parameters)
    (expected,) = encoder.fit_transform([clip])
    for frames in encoder.fit_transform(strided):
        np.testing.assert_array_equal(frames, expected)


def test_waveform_of_a_table_stays_a_table(make_clip):
    clips = np.stack([make_clip(0.1), make_clip(0.1)])
    step = Waveform(offset=0.05, duration=0.02).fit(clips)
    out = step.transform(clips)
    assert isinstance(out, np.ndarray)
    np.testing.assert_array_equal(out, clips[:, 800:1120])
    assert step.get_feature_names_out().tolist() == [f"waveform{i}" for i in range(320)]
    frame = step.set_output(transform="pandas").transform(clips)
    assert frame.columns.tolist() == step.get_feature_names_out().tolist()
    assert Waveform().get_feature_names_out().tolist() == ["waveform"]


def test_progress_goes_to_stderr_when_asked(make_clip, capsys):
    MFCC().fit_transform([make_clip()] * 5)
    assert capsys.readouterr() == ("", "")
    MFCC(verbose=1).fit_transform([make_clip()] * 5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err


def test_unknown_parameter_is_refused():
    with pytest.raises(TypeError, match="n_mel"):
        MelSpectrogram(n_mel=40)
    with pytest.raises(ValueError, match="Invalid parameter 'sr'"):
        MFCC().set_params(sr=8000)
    with pytest.raises(TypeError, match="positional"):
        MFCC(16000)


@pytest.mark.parametrize("encoder_class", FRAMED)
def test_two_implementations_agree(encoder_class, make_clip):
    """`encode` for one recording on the CPU, `encode_batch` for many on any device."""
    clips = [make_clip(0.2), make_clip(0.33, seed=1)]
    for parameters in ({}, {"center": False}, {"target_frames": 30}, {"n_fft": 600}):
        encoder = encoder_class(**parameters)
        analysis = encoder._analysis()
        for batched, alone in zip(
            analysis.encode_batch(clips), encoder.fit_transform(clips), strict=True
        ):
            difference = np.abs(batched.numpy() - alone).max()
            assert difference <= 1e-5 * np.abs(alone).max() + 1e-3 * (encoder_class is MFCC)


@pytest.mark.gpu
@pytest.mark.parametrize("encoder_class", FRAMED)
def test_accelerator_gives_the_same_numbers(encoder_class, make_clip):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    clips = [make_clip(0.2), make_clip(0.33, seed=1)]
    here = encoder_class().fit_transform(clips)
    there = encoder_class(device="cuda").fit_transform(clips)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(a).max())
