"""Running encoders: output in place, batches, remembered parameters, quality of resampling."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import soxr
import torch

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform, _run
from skaudio.frames import FrameStack

ENCODERS = [Waveform, STFT, Spectrogram, MelSpectrogram, MFCC]


@pytest.fixture
def clips(make_clip):
    return [make_clip(0.2, seed=i) for i in range(7)]


class TestFrameStack:
    def test_one_shape_is_written_in_place(self, rng):
        frames = rng.random((3, 2, 5)).astype(np.float32)
        stack = FrameStack(3)
        places = [stack.place(i, (2, 5)) for i in range(3)]
        places[1][...] = frames[1]
        packed = stack.fill([frames[0], places[1], frames[2]])
        np.testing.assert_array_equal(packed, frames)
        assert places[0].base is packed

    def test_another_shape_has_no_place(self):
        stack = FrameStack(3)
        assert stack.place(1, (2, 5)).shape == (2, 5)
        assert stack.place(0, (2, 6)) is None
        packed = stack.fill([np.ones((2, 6)), np.ones((2, 5)), np.ones((2, 7))])
        assert [item.shape for item in packed] == [(2, 6), (2, 5), (2, 7)]

    def test_first_shape_that_would_fill_the_memory_many_times(self):
        stack = FrameStack(1 << 30)
        assert stack.place(0, (64, 1 << 20)) is None

    def test_nothing(self):
        assert FrameStack(0).fill([]).shape == (0, 0, 0)


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
        with pytest.raises(ValueError, match="batch_size=0: expected 1 or more"):
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
        with pytest.raises(ValueError, match="resample_quality='best': expected one of soxr's"):
            encoder(resample_quality="best").fit(clips)


class TestFiniteness:
    """Rows of a table are looked at in `fit`, in threads where there are many."""

    @pytest.mark.parametrize("large", [1, 1 << 40])
    def test_first_bad_row_is_named(self, large, monkeypatch, rng):
        monkeypatch.setattr(_run, "LARGE", large)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
        X = rng.random((9, 800))
        assert MelSpectrogram().fit(X).n_features_in_ == 800
        X[4, 7] = np.inf
        X[8, 0] = np.nan
        with pytest.raises(ValueError, match="recording 4 contains infinity at sample 7"):
            MelSpectrogram().fit(X)

    def test_integers_are_finite(self):
        clips = np.ones((3, 800), np.int16)
        assert MelSpectrogram().fit_transform(clips).shape == (3, 64, 6)
