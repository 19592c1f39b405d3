"""Sound as part of a page of HTML."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile as sf


def as_url(waveform: np.ndarray, rate: float) -> str:
    """Return a sound as a URL that contains it."""
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(waveform).max()))  # softer than clipped
    sf.write(file, waveform / peak, round(rate), format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
