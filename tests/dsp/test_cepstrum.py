"""The cosine transform along the bands, and back."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft

from skaudio.dsp._cepstrum import dct_matrix, lifter_weights, undo_dct

TYPES = [(1, None), (1, "ortho"), (2, None), (2, "ortho"), (3, None), (3, "ortho")]


@pytest.mark.parametrize("dct_type, norm", TYPES)
@pytest.mark.parametrize("n_mfcc, n_mels", [(13, 40), (40, 40), (1, 2), (20, 23)])
def test_matrix_is_the_transform(n_mfcc, n_mels, dct_type, norm, rng):
    mel = rng.standard_normal((n_mels, 7))
    expected = scipy.fft.dct(mel, axis=0, type=dct_type, norm=norm)[:n_mfcc]
    matrix = dct_matrix(n_mfcc, n_mels, dct_type, norm)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix @ mel, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("lifter", [0, 3, 22, 22.5])
def test_lifter_is_librosas(lifter, rng):
    mel = rng.standard_normal((40, 7))
    expected = librosa.feature.mfcc(S=mel, n_mfcc=13, lifter=lifter)
    np.testing.assert_allclose(dct_matrix(13, 40, lifter=lifter) @ mel, expected, atol=1e-4)


@pytest.mark.parametrize("dct_type, norm", TYPES)
@pytest.mark.parametrize("lifter", [0, 22])
def test_undo_of_all_coefficients_is_exact(dct_type, norm, lifter, rng):
    mel = rng.standard_normal((24, 7)).astype(np.float32)
    cepstra = dct_matrix(24, 24, dct_type, norm, lifter) @ mel
    back = undo_dct(cepstra, 24, dct_type, norm, lifter)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, mel, atol=1e-4)


def test_undo_of_some_is_librosas(rng):
    cepstra = rng.standard_normal((13, 7))
    ours = undo_dct(cepstra, 40, 2, "ortho", 22)
    theirs = librosa.feature.inverse.mfcc_to_mel(cepstra, n_mels=40, dct_type=2, lifter=22)
    np.testing.assert_allclose(ours, librosa.power_to_db(theirs, top_db=None), atol=1e-4)


def test_lifter_that_zeroes_a_coefficient_cannot_be_undone():
    assert lifter_weights(3, 2)[2] == pytest.approx(0)
    with pytest.raises(ValueError, match="lifter=2 zeroes a coefficient"):
        undo_dct(np.ones((3, 2)), 3, lifter=2)


def test_matrices_are_shared_and_read_only():
    with pytest.raises(ValueError, match="read-only"):
        dct_matrix(13, 40)[0, 0] = 1
