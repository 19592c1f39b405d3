"""Files with trouble in their headers: all that is there comes out, or an error says why not."""

from __future__ import annotations

import numpy as np
import pytest

from skaudio.audio import Recording, seconds_of, stream
from skaudio.audio._recording import blocks

from .wild_files import CALLED, DAMAGED, MAKERS

LARGE = ("many_flac_files",)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, marks=pytest.mark.slow if make.__name__ in LARGE else ())
        for make in MAKERS
    ],
    ids=lambda make: make.__name__,
)
def test_wild_files(make, tmp_path):
    """The files are made in the test: to make all while tests are collected takes seconds."""
    files = [file for file in make() if file.content]  # without content: PyAV is not installed
    if not files:
        pytest.skip("PyAV is not installed")
    wrong = {}
    for file in files:
        try:
            check(file, tmp_path / "12:30.xyz")
        except (Exception, pytest.fail.Exception) as error:
            wrong[file.name] = f"{type(error).__name__}: {error}"
    assert not wrong


def check(file, path):
    path.write_bytes(file.content)
    for source in (str(path), file.content):
        recording = Recording(source, "recording 7")
        if isinstance(file.expected, str):
            message = f"recording 7.*{file.expected}"
            if file.expected == DAMAGED:
                message += rf" \((?i:.*{CALLED.get(file.container, file.container)})"
            for read in (recording.read, lambda of=recording: in_blocks(of)):
                with pytest.raises(ValueError, match=message):
                    read()
            continue
        waveform, rate = recording.read()
        assert abs(len(waveform) - file.expected) <= file.slack
        np.testing.assert_allclose(in_blocks(recording), waveform, atol=1e-6)
        joined = np.concatenate(list(stream(recording, rate, block=5003)))
        np.testing.assert_allclose(joined, waveform, atol=1e-6)
        for start in (int(0.37 * len(waveform)), int(0.81 * len(waveform)), len(waveform) - 1):
            part, _ = recording.read(offset=start / rate, duration=0.05)
            expected = waveform[start : start + round(0.05 * rate)]
            np.testing.assert_allclose(part, expected, atol=1e-4)
        seconds = seconds_of(recording, rate)
        assert seconds is None or seconds == len(waveform) / rate


def in_blocks(recording):
    _, pieces = blocks(recording, None, 0.0, None, 4001)
    return np.concatenate(list(pieces), axis=1).mean(axis=0)
