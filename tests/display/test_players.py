"""Players: the sound that goes into the page comes out again."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile as sf

from skaudio.display import AudioPlayers


def sounds(page):
    data = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    return [sf.read(io.BytesIO(base64.b64decode(item))) for item in data]


def test_each_recording_has_its_player(make_clip, wav):
    clip = make_clip(0.3)
    players = AudioPlayers([clip, wav, np.zeros(100)], titles=["a < b", "file", "silence"])
    page = players._repr_html_()
    assert page == players.to_html()
    assert "a &lt; b" in page
    (first, rate), (second, _), (silent, _) = sounds(page)
    assert rate == 16000
    np.testing.assert_allclose(first, clip / max(1, np.abs(clip).max()), atol=1e-4)
    assert len(second) == 8000
    assert not silent.any()
    assert repr(players) == "AudioPlayers(3 recordings)"


def test_numbered_without_titles_and_at_another_rate(make_clip):
    players = AudioPlayers([make_clip(0.1)], sample_rate=8000)
    assert "recording 0" in players.to_html()
    assert sounds(players.to_html())[0][1] == 8000


def test_titles_must_be_as_many():
    with pytest.raises(ValueError, match=r"titles: found 1, expected one for each of the 2"):
        AudioPlayers([np.ones(10), np.ones(10)], titles=["one"])


def test_a_page_of_its_own(make_clip, tmp_path):
    players = AudioPlayers([make_clip(0.1)], titles=["ü"])
    assert players.to_html(tmp_path / "page.html") is None
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert players.to_html() in page
