"""Encoding costs its output and hardly more."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from skaudio.encoders import Waveform

# 2000 clips of 5 s; the peak is counted from just before `transform`, in a process of its own.
PROGRAM = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path

    import numpy as np
    import soundfile as sf
    import torch

    from skaudio.encoders import MelSpectrogram, Waveform

    kind, encoder, folder = sys.argv[1:]
    torch.set_num_threads(2)
    clip = np.random.default_rng(0).uniform(-1, 1, 80000).astype(np.float32)
    n = 2000
    # Lengths that differ, with the same mean; memory is shared, so that only encoding costs.
    lengths = [80000] * n if "equal" in kind else [60000 + 37 * i % 20000 for i in range(n)]
    X = [clip[:length] for length in lengths]
    if "files" in kind:
        X = [str(Path(folder, f"{i}.wav")) for i in range(n)]
        for path, length in zip(X, lengths):
            sf.write(path, clip[:length], 16000)
    encoder = eval(encoder)
    encoder.fit_transform(X[:64])  # libraries, tables and workspaces

    def memory(field):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    frames = encoder.transform(X)
    print(json.dumps({"output": sum(f.nbytes for f in frames), "cost": memory("VmHWM") - before}))
    """
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "encoder"),
    [
        ("ragged files", "MelSpectrogram()"),
        pytest.param("equal arrays", "MelSpectrogram()", marks=pytest.mark.exhaustive),
        pytest.param("equal files", "Waveform()", marks=pytest.mark.exhaustive),
    ],
)
def test_cost_of_2000_clips(kind, encoder, tmp_path):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can reset the peak of a process")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, encoder, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stderr
    bill = json.loads(result.stdout)
    print(f"{bill['cost'] / bill['output']:.3f} of the output")
    assert bill["cost"] <= 1.1 * bill["output"]


def test_waveforms_at_their_own_rate_are_handed_on(make_clip):
    clip = make_clip()
    assert np.shares_memory(Waveform().fit_transform([clip])[0], clip)
