"""Each stage of the numba kernel against a few lines of numpy that say what it computes.

The stages in their order: rows, transform, bands and scale, tiles, cosine transform. Arrays hold a
frame per lane in their last axis. Every stage's output is NaN before it runs.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from skaudio.dsp import Framing, Scale
from skaudio.dsp._cepstrum import dct_matrix
from skaudio.dsp._mel import mel_filterbank
from skaudio.dsp._simd import _fft, _output, _plan, _program, _rows, prepare
from skaudio.dsp._simd._lanes import LANES, floats_at, indices_at, load, splat, store
from skaudio.dsp._simd._log import log
from skaudio.dsp._simd._plan import (
    MAGNITUDE,
    POWER,
    SPECTRUM,
    Bands,
)

LENGTHS = [1 << bits for bits in range(5, 14)]  # of n_fft
NO_BANDS = Bands(0, 0, 0, 0)
BANK = mel_filterbank(16000, 512, 40, 0.0, 8000.0)


@njit
def pointer_to(array):
    return floats_at(array.ctypes.data)


def with_addresses(plan):
    """Return a plan as the stages take it; something else has to hold its arrays."""
    return type(plan)(*_program.numbers_of(plan))


def nans(*shape):
    return np.full(shape, np.nan, np.float32)


def random(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


class TestRows:
    """Row c holds sample c of successive hops."""

    @staticmethod
    @njit
    def append(signal, first, frames, filled, rows, spare):
        return _rows.append_hops(
            pointer_to(signal),
            signal.size,
            first,
            frames,
            filled,
            pointer_to(rows),
            pointer_to(spare),
        )

    @pytest.mark.parametrize("hop_length", [1, 3, LANES, LANES + 1, 160, 256])
    @pytest.mark.parametrize("first", [-50, 0, 11])
    def test_are_hops_transposed_with_zeros_around_the_signal(self, hop_length, first, rng):
        framing = Framing(512, 200, hop_length)
        plan = _plan.frame_plan(framing, LANES, padded=True, lead=0)
        n_steps = 3 + plan.stride // LANES  # so that the rows are full once, and move
        signal = random(rng, n_steps * LANES * hop_length - 30)
        padded = np.pad(signal, [max(-first, 0), 100 + LANES * hop_length])
        samples = padded[max(first, 0) :]
        hops = samples[: n_steps * LANES * hop_length].reshape(-1, hop_length)

        rows, filled = nans(plan.width, plan.stride), 0
        spare = nans(LANES, plan.width + LANES)
        for step in range(n_steps):
            begin = first + step * LANES * hop_length
            filled = self.append(signal, begin, with_addresses(plan), filled, rows, spare)
            newest = min(filled, plan.reach + LANES)
            expected = hops[(step + 1) * LANES - newest : (step + 1) * LANES, : plan.width]
            np.testing.assert_array_equal(rows[:, filled - newest : filled], expected.T)

    @pytest.mark.parametrize("hop_length", [1, 7, 160, 500])
    def test_hold_a_sample_of_neighbouring_frames_side_by_side(self, hop_length, rng):
        framing = Framing(512, 400, hop_length)
        plan = _plan.frame_plan(framing, LANES, padded=True, lead=56)
        signal = random(rng, plan.stride * hop_length)
        rows = np.ascontiguousarray(signal.reshape(-1, hop_length)[:, : plan.width].T)
        frames = np.lib.stride_tricks.sliding_window_view(signal, 400)[::hop_length][:LANES]
        places = plan.sample_places[56:456, None] + np.arange(LANES)
        np.testing.assert_array_equal(rows.ravel()[places], frames.T)

    def test_are_read_through_half_the_window(self):
        plan = _plan.frame_plan(Framing(512, 400, 160), LANES, padded=True, lead=56)
        window = np.hanning(401)[:-1] / 2
        np.testing.assert_allclose(plan.window, np.pad(window, 56), atol=1e-7)


class TestTransform:
    """A real transform by way of a complex one of half the length, decimated in frequency."""

    @staticmethod
    def plans(n_fft, window):
        """Plans for frames that lie sample by sample, (n_fft, LANES)."""
        frames = _plan.frame_plan(Framing(n_fft, n_fft, 1), LANES, padded=True, lead=0)
        frames = frames._replace(window=window / 2, sample_places=np.arange(n_fft) * LANES)
        return frames, _plan.fourier_plan(n_fft // 2, LANES)

    @staticmethod
    @njit
    def run_stages(samples, frames, fourier, data, last):
        at = pointer_to(data)
        _fft.first_stage(pointer_to(samples), frames, fourier, at, pointer_to(samples), 0)
        if last:
            radix = indices_at(fourier.radices)[0]
            size = fourier.n_complex // radix
            for part in range(radix):
                start = part * (size * _fft.COMPLEX + fourier.gap)
                _fft.middle_stages(at, start, size, fourier)

    @staticmethod
    @njit
    def run(samples, frames, fourier, kind, data, out):
        _fft.transform(
            pointer_to(samples),
            frames,
            fourier,
            kind,
            pointer_to(data),
            pointer_to(out),
            pointer_to(samples),
            0,
        )

    def transformed(self, samples, window, kind):
        frames, fourier = self.plans(len(samples), window)
        out = nans(fourier.n_complex + 1, 2 if kind == SPECTRUM else 1, LANES)
        self.run(
            samples, with_addresses(frames), with_addresses(fourier), kind, nans(fourier.size), out
        )
        return out[:, 0] + 1j * out[:, 1] if kind == SPECTRUM else out[:, 0]

    def sub_transforms(self, samples, window, last):
        """Run the first stage, or all but the last; (radix, n_complex / radix, LANES)."""
        frames, fourier = self.plans(len(samples), window)
        data = nans(fourier.size)
        self.run_stages(samples, with_addresses(frames), with_addresses(fourier), data, last)
        parts = data.reshape(fourier.radices[0], -1)[:, : -fourier.gap]
        parts = parts.reshape(fourier.radices[0], -1, 2, LANES)
        return parts[:, :, 0] + 1j * parts[:, :, 1]

    @staticmethod
    def complex_samples(samples, window):
        """Even samples real, odd samples imaginary."""
        x = samples.astype(np.float64) * window[:, None] / 2
        return x[::2] + 1j * x[1::2]

    @pytest.mark.parametrize("n_fft", LENGTHS)
    def test_first_stage(self, n_fft, rng):
        samples, window = random(rng, n_fft, LANES), random(rng, n_fft)
        z = self.complex_samples(samples, window)
        radix = _plan.radices_of(n_fft // 2)[0]
        size = n_fft // 2 // radix
        p, j = np.arange(radix)[:, None, None], np.arange(size)[:, None]
        butterflies = np.fft.fft(z.reshape(radix, size, LANES), axis=0)
        expected = butterflies * np.exp(-2j * np.pi * p * j / (n_fft // 2))  # the twiddles
        found = self.sub_transforms(samples, window, False)
        assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
        # Transform p of those has every bin whose remainder by the radix is p.
        bins = np.fft.fft(expected, axis=1).transpose(1, 0, 2).reshape(-1, LANES)
        np.testing.assert_allclose(bins, np.fft.fft(z, axis=0), atol=1e-9)

    @pytest.mark.parametrize("n_fft", LENGTHS)
    def test_blocks_of_four_hold_the_bins_by_reversed_digits(self, n_fft, rng):
        samples, window = random(rng, n_fft, LANES), random(rng, n_fft)
        data = self.sub_transforms(samples, window, True).reshape(-1, LANES)
        _, fourier = self.plans(n_fft, window)
        # The place of each complex vector; the gaps are left out of `data`.
        i = np.arange(n_fft // 2)
        places = i * _fft.COMPLEX + i // (len(i) // fourier.radices[0]) * fourier.gap
        blocks = np.stack([data[i[places == block][0] :][:4] for block in fourier.blocks])
        found = np.fft.fft(blocks, axis=1)  # block k has bins k, k + n / 4, k + n / 2, ...
        bins = found.transpose(1, 0, 2).reshape(-1, LANES)
        expected = np.fft.fft(self.complex_samples(samples, window), axis=0)
        assert np.abs(bins - expected).max() < 1e-6 * np.abs(expected).max()

    def test_split_of_even_and_odd_samples(self, rng):
        x = rng.standard_normal(512)
        z = np.fft.fft(x[::2] + 1j * x[1::2])
        mirror = np.conj(np.roll(z[::-1], 1))  # Z[M - k]*
        even, odd = (z + mirror) / 2, (z - mirror) / 2j
        turn = np.exp(-2j * np.pi * np.arange(256) / 512)
        np.testing.assert_allclose(even + turn * odd, np.fft.rfft(x)[:-1])
        np.testing.assert_allclose(even - turn * odd, np.conj(np.fft.rfft(x)[:0:-1]))
        turns = _plan.fourier_plan(256, LANES).turns.reshape(-1, 2)
        np.testing.assert_allclose(turns[:, 0] + 1j * turns[:, 1], turn, atol=1e-7)

    @pytest.mark.parametrize("n_fft", LENGTHS)
    def test_spectrum(self, n_fft, rng):
        samples, window = random(rng, n_fft, LANES), random(rng, n_fft)
        expected = np.fft.rfft(samples.astype(np.float64) * window[:, None], axis=0)
        spectrum = self.transformed(samples, window, SPECTRUM)
        assert np.abs(spectrum - expected).max() < 5e-7 * np.abs(expected).max()

    @pytest.mark.parametrize("n_fft", [32, 64, 128, 1024])
    def test_magnitude_and_power(self, n_fft, rng):
        samples, window = random(rng, n_fft, LANES), np.ones(n_fft, np.float32)
        expected = np.abs(np.fft.rfft(samples.astype(np.float64), axis=0))
        magnitude = self.transformed(samples, window, MAGNITUDE)
        np.testing.assert_allclose(magnitude, expected, atol=1e-4)
        power = self.transformed(samples, window, POWER)
        assert np.abs(power - expected**2).max() < 1e-6 * (expected**2).max()

    def test_lanes_do_not_touch_each_other(self, rng):
        samples = np.zeros((256, LANES), np.float32)
        samples[:, 1] = rng.standard_normal(256)
        power = self.transformed(samples, np.ones(256, np.float32), POWER)
        assert not np.delete(power, 1, axis=1).any()
        assert power[:, 1].all()

    @pytest.mark.parametrize("n_fft", LENGTHS)
    def test_stages_make_up_the_length(self, n_fft):
        radices = _plan.radices_of(n_fft // 2)
        assert 4 * np.prod(radices) == n_fft // 2
        assert set(radices) <= {4, 8}

    @pytest.mark.parametrize("n", [0, 8, 24, 100])
    def test_other_lengths_are_refused(self, n):
        with pytest.raises(ValueError, match="expected a power of two from 16"):
            _plan.radices_of(n)


class TestBands:
    """Filters and scale, written to the result or kept in a tile."""

    @staticmethod
    @njit
    def run(spectrum, bands, n_bands, scale, keep, tile, result, t, count):
        peak = _output.write_bands(
            pointer_to(spectrum),
            bands,
            n_bands,
            scale,
            keep,
            pointer_to(tile),
            pointer_to(result),
            result.shape[1],
            t,
            count,
            splat(np.float32(-np.inf)),
        )
        return _output.highest(peak, pointer_to(tile))

    @pytest.mark.parametrize("bank", [None, BANK], ids=["bins", "filters"])
    @pytest.mark.parametrize("scale", [Scale(), Scale("log"), Scale("db"), Scale("db", 1.0)])
    def test_are_weighted_sums_scaled(self, bank, scale, rng):
        spectrum = random(rng, 257, LANES) ** 2
        linear = spectrum if bank is None else bank.weights.astype(np.float64) @ spectrum
        if scale.kind == "log":
            expected = np.log(linear + scale.eps)
        elif scale.kind == "db":
            expected = 20 / scale.power * np.log10(np.maximum(linear, 10 ** (-5 * scale.power)))
        else:
            expected = linear
        bands = NO_BANDS if bank is None else with_addresses(Bands(40, *bank.bands))
        arguments = (spectrum, bands, len(linear), _program._scale_numbers(scale))

        tile, result = nans(len(linear), LANES), nans(len(linear), 3 * LANES)
        peak = self.run(*arguments, False, nans(LANES), result, LANES, LANES)
        written = result[:, LANES : 2 * LANES]
        np.testing.assert_allclose(written, expected, rtol=2e-6, atol=2e-5)
        assert np.isfinite(result).sum() == written.size  # nothing beside it
        assert peak == written.max()

        self.run(*arguments, True, tile, result[:0], LANES, LANES)
        np.testing.assert_array_equal(tile[1:], written[1:])  # the maximum went through tile[0]

    def test_stop_at_the_last_frame_of_the_result(self, rng):
        spectrum, result = random(rng, 33, LANES), nans(33, LANES + 2)
        arguments = (spectrum, NO_BANDS, 33, _program._scale_numbers(Scale()))
        peak = self.run(*arguments, False, nans(LANES), result, LANES, 3)
        np.testing.assert_array_equal(result[:, LANES:], spectrum[:, :2])
        assert np.isnan(result[:, :LANES]).all()
        assert peak == spectrum[:, :3].max()  # a frame that is computed counts

    @staticmethod
    @njit
    def write_complex(spectrum, result, t, count):
        at = pointer_to(result.view(np.float32))
        _output.write_complex(pointer_to(spectrum), len(result), at, result.shape[1], t, count)

    @pytest.mark.parametrize("count", [1, LANES // 2, LANES - 1, LANES])
    def test_complex_bins_become_complex_numbers(self, count, rng):
        spectrum = random(rng, 17, 2, LANES)
        result = np.full((17, 2 * LANES), np.nan, np.complex64)
        self.write_complex(spectrum, result, 1, count)
        expected = (spectrum[:, 0] + 1j * spectrum[:, 1])[:, :count]
        np.testing.assert_array_equal(result[:, 1 : 1 + count], expected)
        assert np.isfinite(result).sum() == expected.size

    def test_logarithm(self):
        @njit
        def logs(x):
            at = pointer_to(x)
            for i in range(0, len(x), LANES):
                store(at, i, log(load(at, i)))

        tiny, largest = np.finfo(np.float32).tiny, np.finfo(np.float32).max
        x = np.concatenate([np.geomspace(tiny, largest, 1 << 14), np.linspace(0.5, 2, 1 << 14)])
        x = x.astype(np.float32)
        expected = np.log(x.astype(np.float64))
        x[-2:] = np.inf, np.nan
        logs(x)
        error = np.abs(x - expected)[:-2] / np.maximum(np.abs(expected[:-2]), 1e-2)
        assert error.max() < 2e-7
        assert x[-2] == np.inf
        assert np.isnan(x[-1])


class TestTiles:
    """Bands that waited for the maximum of their recording."""

    @staticmethod
    @njit
    def finish(tile, count, silence, lowest):
        _output.finish_tile(pointer_to(tile), len(tile), count, silence, lowest)

    @pytest.mark.parametrize("count", [-5, 0, 3, LANES, LANES + 9])
    def test_get_silence_and_a_lower_limit(self, count, rng):
        tile = random(rng, 40, LANES)
        is_frame = np.arange(LANES) < count
        expected = np.maximum(np.where(is_frame, tile, np.float32(-2.0)), np.float32(-0.5))
        self.finish(tile, count, np.float32(-2.0), np.float32(-0.5))
        np.testing.assert_array_equal(tile, expected)

    @staticmethod
    @njit
    def cosines(tile, matrix, result, t):
        _output.cosine_transform(
            pointer_to(tile),
            len(tile),
            pointer_to(matrix),
            len(matrix),
            pointer_to(result),
            result.shape[1],
            t,
        )

    @pytest.mark.parametrize("n_mfcc", [1, 4, 13, 40])
    @pytest.mark.parametrize("n_left", [1, LANES, LANES + 1])
    def test_are_multiplied_by_the_cosines(self, n_mfcc, n_left, rng):
        tile, matrix = random(rng, 40, LANES), dct_matrix(n_mfcc, 40)
        result = nans(n_mfcc, 5 + n_left)
        self.cosines(tile, matrix, result, 5)
        expected = (matrix.astype(np.float64) @ tile)[:, :n_left]
        written = result[:, 5 : 5 + LANES]
        np.testing.assert_allclose(written, expected, atol=1e-5)
        assert np.isfinite(result).sum() == written.size


@pytest.mark.parametrize("target_frames", [None, 20, 90])
def test_all_stages(target_frames, make_clip):
    """MFCC, from the signal on."""
    signal, framing, matrix = make_clip(0.5), Framing(512, 400, 160), dct_matrix(13, 40)
    program = prepare(framing, 2.0, Scale("db", top_db=30.0), matrix, target_frames)
    (found,), has_nonfinite = program.encode([signal], BANK)

    padded = np.pad(signal.astype(np.float64), 256)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160]
    spectra = np.abs(np.fft.rfft(frames * np.pad(framing.weights, 56))) ** 2
    decibels = 10 * np.log10(np.maximum(BANK.weights @ spectra.T, 1e-10))
    lowest = decibels.max() - 30.0  # also of frames that are cut off
    silence = np.full((40, 100), -100.0)
    decibels = np.maximum(np.concatenate([decibels, silence], axis=1), lowest)
    expected = matrix @ decibels[:, : target_frames or len(frames)]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert not has_nonfinite.any()
