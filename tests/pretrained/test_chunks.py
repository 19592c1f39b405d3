"""Cutting: every sample is heard, chunks are on a grid, remainders are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skaudio.pretrained import PretrainedEmbedder
from skaudio.pretrained._chunking import Chunking, chunking_of
from skaudio.pretrained._efficientat import EfficientAT
from skaudio.pretrained._long_recordings import ChunkCutter
from skaudio.pretrained._yamnet import YAMNet


@given(
    n=st.integers(1, 400),
    length=st.integers(1, 60),
    hop=st.integers(1, 60),
    fixed=st.booleans(),
    minimum=st.integers(1, 20),
)
def test_chunks_of_a_ramp(n, length, hop, fixed, minimum):
    ramp = np.arange(1, n + 1, dtype=np.float32)
    chunks = Chunking(length, hop, fixed, minimum).cut(ramp)
    heard = set()
    for i, chunk in enumerate(chunks):
        real = chunk[chunk > 0]
        assert len(real) > 0
        np.testing.assert_array_equal(real, np.arange(i * hop + 1, i * hop + 1 + len(real)))
        assert not chunk[len(real) :].any()  # zeros, if any, follow
        heard |= set(real)
    if fixed:
        assert {len(chunk) for chunk in chunks} == {length}
    else:
        assert all(len(chunk) >= minimum for chunk in chunks)
        for chunk in chunks[:-1]:
            assert np.count_nonzero(chunk) == length
        if n > length:
            off = np.count_nonzero(chunks[-1]) - length
            assert -min(hop, length) / 2 <= off < max(hop / 2, 1)
    if hop <= length:
        assert heard == set(ramp)


@given(
    n=st.integers(1, 400),
    length=st.integers(1, 60),
    hop=st.integers(1, 60),
    margin=st.integers(0, 20),
    coverage=st.sampled_from([0.0, 0.25, 0.75]),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
def test_chunks_with_what_is_around_them(n, length, hop, margin, coverage, cuts):
    ramp = np.arange(1, n + 1, dtype=np.float32)
    chunking = Chunking(length, hop, True, 1, margin=margin, coverage=coverage)
    chunks = chunking.cut(ramp)
    # Chunks begin until one ends with the recording, or the next would be hardly covered.
    starts = [0]
    while starts[-1] + length < n and n - starts[-1] - hop >= max(coverage * length, 1):
        starts.append(starts[-1] + hop)
    assert len(chunks) == len(starts)
    around = np.pad(ramp, (margin, length + hop + 2 * margin))
    for i, chunk in enumerate(chunks):
        np.testing.assert_array_equal(chunk, around[i * hop : i * hop + length + 2 * margin])
    cutter = ChunkCutter(chunking)
    pieces = np.split(ramp, sorted(cuts))
    found = [chunk for piece in pieces for chunk in cutter.push(piece)] + cutter.finish()
    np.testing.assert_array_equal(found, chunks)


def test_official_padding_of_yamnet():
    # 15600 + k * 7680 samples, the fewest that hold the recording.
    chunking = chunking_of(YAMNet(), "auto", "auto")
    for n in (1, 15600, 15601, 23280, 23281, 80000):
        k = max(0, math.ceil((n - 15600) / 7680))
        assert chunking.count(n) == k + 1


def test_whole_recording():
    chunking = chunking_of(EfficientAT(0.1), None, "auto")
    (chunk,) = chunking.cut(np.ones(32000 * 30, np.float32))
    assert len(chunk) == 32000 * 30


@pytest.mark.parametrize(
    ("seconds", "n"), [(0.01, 1), (10, 1), (14.9, 1), (15.1, 2), (20, 2), (26, 3)]
)
def test_a_remainder_is_joined_or_stands_alone(seconds, n):
    chunks = chunking_of(EfficientAT(0.1), "auto", "auto").cut(np.ones(int(32000 * seconds)))
    assert len(chunks) == n
    assert sum(map(np.count_nonzero, chunks)) == int(32000 * seconds)


@pytest.mark.parametrize(
    ("net", "duration", "hop", "error", "message"),
    [
        (EfficientAT, 0, "auto", ValueError, "chunk_duration=0: expected a positive number of sec"),
        (EfficientAT, -1.0, "auto", ValueError, "chunk_duration=-1.0"),
        (EfficientAT, math.nan, "auto", ValueError, "chunk_duration=nan"),
        (EfficientAT, 1e-9, "auto", ValueError, "chunk_duration=1e-09"),
        (EfficientAT, "1 s", "auto", TypeError, "chunk_duration='1 s': expected seconds"),
        (EfficientAT, 1.0, None, TypeError, "chunk_hop=None: expected seconds"),
        (EfficientAT, 1.0, 0, ValueError, "chunk_hop=0"),
        (EfficientAT, None, 1.0, ValueError, "chunk_hop=1.0 with chunk_duration=None"),
        (YAMNet, 2.0, "auto", ValueError, r"YAMNet takes chunks of 0\.975 s only"),
        (YAMNet, None, "auto", ValueError, r"YAMNet takes chunks of 0\.975 s only"),
    ],
)
def test_what_cannot_be_is_said(net, duration, hop, error, message):
    with pytest.raises(error, match=message):
        chunking_of(net(), duration, hop)


class TestTimes:
    def test_chunk_times(self):
        embedder = PretrainedEmbedder(
            "mn01_as", weights="random", chunk_duration=2.0, chunk_hop=0.5, pooling=None
        )
        expected = [[0, 2], [0.5, 2.5], [1, 3]]
        np.testing.assert_allclose(embedder.chunk_times(3), expected)
        np.testing.assert_allclose(embedder.chunk_times(np.zeros((7, 3))), expected)
        np.testing.assert_allclose(embedder.frame_times(3), [1, 1.5, 2])

    def test_of_whole_recordings(self):
        embedder = PretrainedEmbedder("mn01_as", weights="random", chunk_duration=None)
        with pytest.raises(ValueError, match="a recording is one chunk, as long as itself"):
            embedder.chunk_times(3)
