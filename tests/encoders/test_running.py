"""Running encoders: output in place, batches, remembered parameters, quality of resampling."""

from __future__ import annotations

import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import soxr
import torch

from skaudio import _parallel
from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform, _encoder
from skaudio.frames import FrameStack

ENCODERS = [Waveform, STFT, Spectrogram, MelSpectrogram, MFCC]


@pytest.fixture
def clips(make_clip):
    return [make_clip(0.2, seed=i) for i in range(7)]


class TestFrameStack:
    def test_one_shape_is_written_in_place(self, rng):
        frames = rng.random((3, 2, 5)).astype(np.float32)
        stack = FrameStack(3)
        place = stack.place(1, (2, 5))
        place[...] = frames[1]
        for i, array in enumerate([frames[0], place, frames[2]]):
            stack.put(i, array)
        np.testing.assert_array_equal(stack.gathered(), frames)
        assert place.base is stack.gathered()

    def test_other_shapes_are_kept_as_they_are(self, rng):
        stack = FrameStack(4)
        places = [stack.place(1, (2, 5)), stack.place(0, (2, 6))]
        for place in places:
            place[...] = rng.random(place.shape)
        arrays = [places[1], places[0], np.ones((2, 7)), np.zeros((2, 5))]
        for i, array in enumerate(arrays):
            stack.put(i, array)
        gathered = stack.gathered()
        assert gathered.shape == (4,)
        for found, array in zip(gathered, arrays, strict=True):
            np.testing.assert_array_equal(found, array)
        assert gathered[0] is places[1]

    def test_first_shape_that_would_fill_the_memory_many_times(self):
        stack = FrameStack(1 << 30)
        stack.put(0, np.broadcast_to(np.float32(1), (64, 1 << 20)))
        assert stack.place(1, (2, 3)).shape == (2, 3)

    def test_nothing(self):
        assert FrameStack(0).gathered().shape == (0, 0, 0)


class TestBatches:
    @pytest.mark.parametrize("encoder", [STFT(), MelSpectrogram(), MFCC(target_frames=9)])
    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_are_the_whole_in_pieces(self, encoder, batch_size, clips):
        batches = list(encoder.transform_batches(clips, batch_size=batch_size))
        assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
        np.testing.assert_array_equal(np.concatenate(batches), encoder.transform(clips))

    def test_of_waveforms(self, clips):
        batches = list(Waveform().transform_batches(clips, batch_size=4))
        assert [type(b) for b in batches] == [AudioBatch, AudioBatch]
        assert [len(b) for b in batches] == [4, 3]

    def test_keep_the_index(self, clips):
        X = pd.Series(clips, index=list("abcdefg"))
        encoder = MFCC().set_output(transform="pandas")
        batches = list(encoder.transform_batches(X, batch_size=5))
        assert [list(b.index) for b in batches] == [list("abcde"), list("fg")]

    def test_say_at_once_what_is_wrong(self, clips):
        with pytest.raises(ValueError, match="X is a single path"):
            MFCC().transform_batches("clip.wav")
        with pytest.raises(ValueError, match="batch_size=0: expected an integer of 1 or more"):
            MFCC().transform_batches(clips, batch_size=0)

    def test_name_recordings_by_their_place_in_all(self, clips):
        clips[5] = clips[5].copy()
        clips[5][3] = np.nan
        batches = MFCC().transform_batches(clips, batch_size=2)
        assert len(next(batches)) == len(next(batches)) == 2
        with pytest.raises(ValueError, match="recording 5 contains NaN at sample 3"):
            next(batches)

    def test_have_one_progress_bar(self, clips, capsys):
        list(MFCC(verbose=1).transform_batches(clips, batch_size=2))
        assert "7/7" in capsys.readouterr().err


class TestRememberedParameters:
    """Parameters are checked once, but what they are and warn of is never missed."""

    def test_changes_count(self, clips):
        encoder = MelSpectrogram(n_mels=20)
        assert encoder.transform(clips).shape[1] == 20
        assert encoder.set_params(n_mels=30).transform(clips).shape[1] == 30

    def test_types_count(self, clips):
        MelSpectrogram(n_mels=1, fmax=4000.0).transform(clips)
        with pytest.raises(TypeError, match="n_mels=True: expected an integer"):
            MelSpectrogram(n_mels=True, fmax=4000.0).transform(clips)

    def test_windows_may_be_arrays(self, clips):
        window = np.hanning(400)
        features = MFCC(window=window, win_length=400).transform(clips)
        window[:] = 1.0
        changed = MFCC(window=window, win_length=400).transform(clips)
        assert np.abs(features - changed).max() > 1

    def test_warnings_come_again(self, clips):
        for _ in range(2):
            with pytest.warns(UserWarning, match="of n_mels=200 filters see no FFT bin"):
                MelSpectrogram(n_mels=200).transform(clips)

    def test_warnings_name_the_caller(self, clips):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            MelSpectrogram(n_mels=200).transform(clips)
        assert caught[0].filename == __file__


class TestResampleQuality:
    @pytest.mark.parametrize("quality", ["QQ", "LQ", "MQ", "HQ", "VHQ"])
    def test_is_that_of_soxr(self, quality, make_clip):
        clip = make_clip(0.2, 44100)
        item = {"array": clip, "sampling_rate": 44100}
        waveform = Waveform(resample_quality=quality).transform([item])[0]
        expected = soxr.resample(clip, 44100, 16000, quality=quality)
        np.testing.assert_array_equal(waveform, expected)

    @pytest.mark.parametrize("encoder", ENCODERS)
    def test_other_names_are_refused(self, encoder, clips):
        with pytest.raises(ValueError, match="resample_quality='best': expected 'QQ'"):
            encoder(resample_quality="best").fit(clips)


class TestFiniteness:
    """NaN and infinity are found, wherever they hide, and the recording and sample are named."""

    @pytest.mark.parametrize("n_threads", [1, 3])
    def test_first_bad_row_is_named(self, n_threads, monkeypatch, rng):
        monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
        X = rng.random((90, 1600))
        assert MelSpectrogram().fit(X).n_features_in_ == 1600
        encoder = MelSpectrogram().fit(X)
        monkeypatch.setattr(_encoder, "QUICK", 4000)  # threads, and calls of a few recordings
        X[41, 7] = np.inf
        X[42, 3] = np.nan
        X[80, 0] = np.nan
        for call in (encoder.fit, encoder.transform, encoder.fit_transform):
            with pytest.raises(ValueError, match="recording 41 contains infinity at sample 7"):
                call(X)
        assert encoder.fit(np.asfortranarray(X[:41])) is encoder

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize(
        "encoder",
        [
            Waveform(),
            STFT(),
            Spectrogram(power=1.0),
            MelSpectrogram(pad_mode="reflect"),
            MelSpectrogram(scale="db", top_db=40.0),
            MFCC(),
            MFCC(n_fft=600),  # no power of two: another implementation
            MelSpectrogram(center=False, n_fft=1024),  # windows begin after the first sample
            MelSpectrogram(hop_length=1000),  # samples between windows are seen by none
            MelSpectrogram(target_frames=2),  # nor is what comes after the last frame
            MFCC(target_frames=2),
        ],
    )
    @pytest.mark.parametrize("position", [0, 1, 500, 1900, 3998, 3999])
    def test_any_sample_counts(self, value, encoder, position, rng):
        clip = rng.random(4000).astype(np.float32)
        bad = clip.copy()
        bad[position] = value
        kind = "NaN" if np.isnan(value) else "infinity"
        expected = encoder.fit_transform([clip])[0]
        message = rf"recording 1 contains {kind} at sample {position}\b"
        for X in ([clip, bad, clip], [clip.astype(float), bad.astype(float)]):
            with pytest.raises(ValueError, match=message):
                encoder.transform(X)
        # Nothing of it is left behind for what comes after.
        np.testing.assert_array_equal(encoder.transform([clip])[0], expected)

    def test_before_resampling_and_normalising(self, rng):
        clip = rng.random(4000).astype(np.float32)
        clip[17] = np.nan
        item = {"array": clip, "sampling_rate": 8000}
        for encoder in (MFCC(), MFCC(normalize="max")):
            with pytest.raises(ValueError, match="recording 0 contains NaN at sample 17"):
                encoder.transform([item])

    def test_large_values_are_finite(self):
        clips = [np.full(1600, value, np.float32) for value in (1.0, 1e15)]
        frames = MelSpectrogram().fit_transform(clips)
        assert np.isfinite(frames).all()
        assert MelSpectrogram().fit(np.stack(clips)).n_features_in_ == 1600

    def test_integers_are_finite(self):
        clips = np.ones((3, 800), np.int16)
        assert MelSpectrogram().fit_transform(clips).shape == (3, 64, 6)


class TestBlocks:
    @pytest.mark.parametrize("n", [0, 1, 2, 7, 50, 64, 1001])
    @pytest.mark.parametrize("n_workers", [1, 2, 5])
    def test_share_the_work_evenly(self, n, n_workers):
        bounds = _parallel.block_bounds(n, n_workers)
        assert [i for bound in bounds for i in range(*bound)] == list(range(n))
        sizes = {stop - start for start, stop in bounds} or {0}
        assert max(sizes) <= _parallel.LARGEST_BLOCK
        assert max(sizes) - min(sizes) <= 1

    def test_threads_keep_errors_in_order(self, monkeypatch, clips):
        """Blocks that fail while an earlier one is still running wait for their turn."""
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
        monkeypatch.setattr(_encoder, "QUICK", 0)
        threads = set()
        original = _encoder.encode_block

        def encode_block(encoder, analysis, recordings, first=0, place=None):
            threads.add(threading.get_ident())
            if first == 0:
                time.sleep(0.1)
            return original(encoder, analysis, recordings, first, place)

        monkeypatch.setattr(_encoder, "encode_block", encode_block)
        many = clips * 5
        assert len(MFCC().transform(many)) == 35
        assert len(threads) == 2
        many[0] = np.full(1600, np.nan, np.float32)
        many[9] = many[20] = np.full(1600, np.inf, np.float32)
        with pytest.raises(ValueError, match="recording 0 contains NaN"):
            MFCC().transform(many)
