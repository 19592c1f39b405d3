r"""Names and labels in pictures, pages and reports: shown as they are, never markup or code."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from skaudio.audio import AudioBatch
from skaudio.datasets import audit_recordings
from skaudio.display import AudioPlayers, EventsDisplay, FeatureSpaceDisplay, SpectrogramDisplay

plt = pytest.importorskip("matplotlib.pyplot")

# Formulas that are none, what pages and terminals run, and what cannot be shown.
HOSTILE = [
    *("$a$", "cost $5 or $6", r"$\nosuch{$", r"\$x$", "_hidden", "a_b^c", "$$"),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror='hack()'>",
        "&amp;",
        "{{ 7 * 7 }}",
        "@about",
    ),
    *("line\nbreak", "\x1b[31mred", "tab\there", "half \udcff", "ze\x00ro"),
]
SHOWN = {
    "line\nbreak": r"line\nbreak",
    "\x1b[31mred": r"\x1b[31mred",
    "tab\there": r"tab\there",
    "half \udcff": r"half \udcff",
    "ze\x00ro": r"ze\x00ro",
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def shown(texts):
    """Draw them, and return what a reader sees, without warnings and formulas."""
    texts = list(texts)
    texts[0].get_figure().canvas.draw()
    seen = []
    for text in texts:
        plain, is_formula = text._preprocess_math(text.get_text())
        assert not is_formula, text
        seen.append(plain)
    return seen


def displayed():
    """Yield the labels of every picture that shows labels of a user's, and those put in."""
    label = [SHOWN.get(name, name) for name in HOSTILE]
    events = [{"file": 0, "onset": 0, "offset": 1, "event_label": name} for name in HOSTILE]
    values = np.random.default_rng(0).random((len(HOSTILE), 20))
    display = EventsDisplay(
        events, labels=HOSTILE, probabilities=values, frame_times=np.arange(20.0)
    ).plot()
    yield display.axes_[-1].get_yticklabels(), label
    yield display.axes_[0].get_legend().get_texts(), label

    sorted_labels = [SHOWN.get(name, name) for name in sorted(HOSTILE)]
    rows = np.random.default_rng(0).random((len(HOSTILE), 4))
    display = FeatureSpaceDisplay(
        rows[:, :2], axis_labels=("$x$", "half \udcff"), y=HOSTILE, groups=HOSTILE
    ).plot()
    yield display.ax_.get_legend().get_texts(), sorted_labels
    yield [display.ax_.xaxis.label, display.ax_.yaxis.label], ["$x$", r"half \udcff"]

    frames = np.zeros((2 * len(HOSTILE), 5))
    display = SpectrogramDisplay(
        frames, times=np.arange(5.0), feature_groups=[(name, 2) for name in HOSTILE]
    ).plot()
    yield display.ax_.get_yticklabels(), label


def test_pictures():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="constrained_layout")  # there are many labels
        warnings.filterwarnings("ignore", message="17 groups share 9 markers")
        for texts, expected in displayed():
            assert shown(texts) == expected


def test_pictures_of_audits():
    names = [name for name in HOSTILE if name != "half \udcff"]  # pandas has no such text
    labels = np.repeat(np.array(names, dtype=object), 2)
    clips = [
        np.random.default_rng(i).normal(size=4000).astype("f4") / 9 for i in range(len(names) * 2)
    ]
    audit = audit_recordings(AudioBatch(clips, 16000, names=list(labels)), labels, groups=labels)
    display = audit.plot()
    expected = [SHOWN.get(name, name) for name in sorted(names)]
    assert shown(display.axes_[1].get_legend().get_texts()) == expected
    for finding in audit.findings:
        assert str(finding).isprintable()
    assert len(str(audit).splitlines()) == 1 + len(audit.findings)


def test_page(make_clip, tmp_path):
    pytest.importorskip("bokeh")
    n = len(HOSTILE)
    batch = AudioBatch([make_clip(0.2)] * n, 16000, names=HOSTILE)
    display = FeatureSpaceDisplay(
        np.random.default_rng(0).random((n, 2)),
        axis_labels=("$$x$$", "half \udcff"),
        y=HOSTILE,
        groups=HOSTILE,
        recordings=batch,
    )
    display.to_html(tmp_path / "page.html", title=" ".join(HOSTILE))
    page = (tmp_path / "page.html").read_text("utf-8")
    for tag in ("<script>alert", "<img src=x"):
        assert tag not in page
    # What Bokeh may set as formulas it gets as text.
    assert re.search(r'"name":"PlainText","id":"[^"]*","attributes":\{"text":"\$\$x\$\$"\}', page)


def test_players(make_clip):
    page = AudioPlayers([make_clip(0.1)] * len(HOSTILE), titles=HOSTILE).to_html()
    assert page.encode("utf-8")
    assert page.count("<script") == page.count("<img") == 0
    assert page.count("<tr>") == len(HOSTILE)
