"""The interactive page of a FeatureSpaceDisplay: points drawn by Bokeh, sounds and pictures.

Text from users (names, classes, groups, the title) is inserted in two ways only: by the template,
which escapes it, and as values of Bokeh's data source, which Bokeh escapes.
"""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from skaudio._parallel import n_threads, progress_bar
from skaudio._steps import transform_plainly
from skaudio._validation import check_part, printable
from skaudio.audio import Recording, check_recordings
from skaudio.display._palette import LEGEND_ROWS, MARKERS, class_colors, marker, names_and_codes
from skaudio.encoders import MelSpectrogram

RATE = 16000
# Size of the spectrograms in tooltips: mel bands and frames.
HEIGHT, WIDTH = 48, 96
# Bit rates of the MP3 sounds in kbit/s. The first one is used with which all sounds fit into BUDGET
# bytes.
BIT_RATES = (64, 48, 32, 24, 16)
BUDGET = 8_000_000
# soundfile's compression levels give these rates at 16 kHz, linearly between 8 and 160 kbit/s.
SLOWEST, FASTEST = 8, 160

# Bokeh escapes the values, in text and in attributes.
TOOLTIP = """
<div style="max-width: 240px">
  <img src="@picture" width="192" height="96" style="display: block; image-rendering: pixelated">
  <div style="overflow-wrap: anywhere"><b>@name</b></div>
  <div>@about</div>
</div>
"""
# The only script of this module: it plays the recording of a clicked point.
PLAY = """
const i = source.selected.indices[0]
if (i === undefined) return
const player = document.getElementById("player")
player.src = "data:audio/mpeg;base64," + document.getElementById("sound-" + i).textContent
document.getElementById("playing").textContent = source.data.name[i] + source.data.comma[i]
player.play()
"""


def make_page(
    display: Any, title: str, *, duration: float, sample_rate: float | None, verbose: int
) -> str:
    """Return the page as a complete HTML document."""
    try:
        from bokeh.embed import components
        from bokeh.resources import INLINE
        from jinja2 import Environment
    except ImportError as error:
        raise ImportError(
            'Interactive pages need Bokeh: pip install "skaudio[interactive]"'
        ) from error
    check_part(0.0, duration)
    recordings = check_recordings(None, display.recordings, reset=False)
    bit_rate = next(
        (kbps for kbps in BIT_RATES if kbps * 125 * duration * len(recordings) <= BUDGET),
        BIT_RATES[-1],
    )

    def preview(recording: Recording) -> tuple[str, str, float]:
        waveform = _read(recording, duration, sample_rate)
        return _sound(waveform, bit_rate), _picture(waveform), len(waveform) / RATE

    previews = []
    with (
        progress_bar(len(recordings), verbose) as progress,
        # Threads are useful: decoding, resampling, encoding and the kernel release the GIL.
        ThreadPoolExecutor(n_threads()) as pool,
    ):
        for made in pool.map(preview, recordings):
            previews.append(made)
            progress(1)
    sounds, pictures, lengths = zip(*previews, strict=True)
    script, plot = components(_plot(display, recordings, pictures, lengths))
    template = (files(__package__) / "feature_space.html").read_text(encoding="utf-8")
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            title=printable(title),
            library=INLINE.render(),
            plot=plot,
            script=script,
            sounds=sounds,
        )
    )


def _read(recording: Recording, duration: float, sample_rate: float | None) -> np.ndarray:
    waveform, _ = recording.with_rate(sample_rate).read(RATE, duration=duration)
    return waveform / max(1.0, float(np.abs(waveform).max()))  # scaled down instead of clipped


def _sound(waveform: np.ndarray, bit_rate: int) -> str:
    """Return a waveform as MP3 in base64; every browser plays MP3."""
    file = io.BytesIO()
    level = 1 - (bit_rate - SLOWEST) / (FASTEST - SLOWEST)
    sf.write(
        file,
        waveform,
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode="CONSTANT",
    )
    return base64.b64encode(file.getvalue()).decode()


def _picture(waveform: np.ndarray) -> str:
    """Return a mel spectrogram as an image in a URL."""
    from bokeh.palettes import Magma256
    from PIL import Image

    hop_length = max(len(waveform) // WIDTH, 1)
    encoder = MelSpectrogram(
        sample_rate=RATE, n_fft=1024, hop_length=hop_length, n_mels=HEIGHT, scale="db", top_db=70
    )
    frames = transform_plainly(encoder, [waveform])[0][::-1]
    span = float(np.ptp(frames)) or 1.0
    values = (255 * (frames - frames.min()) / span).astype(np.uint8)
    image = Image.fromarray(values).convert("P")
    image.putpalette(bytes.fromhex("".join(color[1:] for color in Magma256)))
    file = io.BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=50)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _plot(display: Any, recordings: Any, pictures: Any, lengths: Any) -> Any:
    """Return the Bokeh figure: points, legends, tooltips, and the action of a click."""
    from bokeh.models import CustomJS, HoverTool, PlainText, TapTool
    from bokeh.plotting import figure

    n = len(recordings)
    classes, codes = names_and_codes(display.y, n, "y")
    groups, members = names_and_codes(display.groups, n, "groups")
    about = [
        ", ".join(part for part in (classes[c], groups[g]) if part)
        for c, g in zip(codes, members, strict=True)
    ]
    source = _data_source(display, recordings, about, pictures, lengths)
    tap = TapTool(mode="replace", callback=CustomJS(args={"source": source}, code=PLAY))
    plot = figure(
        sizing_mode="stretch_both",
        tools=["pan", "wheel_zoom", "box_zoom", "reset", tap],
        active_scroll="wheel_zoom",
        # PlainText, because Bokeh would show a string between $$ as a formula.
        x_axis_label=PlainText(text=printable(display.axis_labels[0])),
        y_axis_label=PlainText(text=printable(display.axis_labels[1])),
        output_backend="webgl",
    )
    plot.toolbar.logo = None
    points = _add_points(plot, source, codes, members, class_colors(len(classes)))
    if len(classes) > 1:
        _add_class_legend(plot, classes, points)
    if len(groups) > 1:
        _add_group_legend(plot, groups)
    plot.add_tools(HoverTool(tooltips=TOOLTIP, point_policy="follow_mouse"))
    return plot


def _data_source(
    display: Any, recordings: Any, about: list[str], pictures: Any, lengths: Any
) -> Any:
    """Return the table of the points: coordinates, names, texts and pictures of the tooltips."""
    from bokeh.models import ColumnDataSource

    x, y = np.asarray(display.coordinates, dtype=float).T
    return ColumnDataSource(
        {
            "x": x,
            "y": y,
            "name": [printable(Path(r.path).name if r.path else r.name) for r in recordings],
            "about": [
                f"{a}, {s:.1f} s" if a else f"{s:.1f} s"
                for a, s in zip(about, lengths, strict=True)
            ],
            "comma": [f", {a}" if a else "" for a in about],
            "picture": list(pictures),
        }
    )


def _add_points(
    plot: Any, source: Any, codes: np.ndarray, members: np.ndarray, colors: list[str]
) -> list[list[Any]]:
    """Draw a scatter for each class and group; return the scatters of each class."""
    from bokeh.models import CDSView, IndexFilter

    points: list[list[Any]] = [[] for _ in colors]
    for c, color in enumerate(colors):
        for g in np.unique(members[codes == c]).tolist():
            mine = np.flatnonzero((codes == c) & (members == g))
            points[c].append(
                plot.scatter(
                    "x",
                    "y",
                    source=source,
                    view=CDSView(filter=IndexFilter(indices=mine.tolist())),
                    marker=MARKERS[marker(g)],
                    size=9,
                    fill_color=color,
                    line_color="white",
                    line_width=0.5,
                    nonselection_fill_alpha=0.7,
                )
            )
    return points


def _add_class_legend(plot: Any, classes: list[str], points: list[list[Any]]) -> None:
    """Add the legend of colors; a click on a class hides its points."""
    from bokeh.models.annotations import Legend, LegendItem

    items = [
        LegendItem(label={"value": name}, renderers=mine)
        for name, mine in zip(classes, points, strict=True)
    ]
    columns = 1 + (len(classes) - 1) // LEGEND_ROWS
    plot.add_layout(Legend(items=items, click_policy="hide", ncols=columns), "right")


def _add_group_legend(plot: Any, groups: list[str]) -> None:
    """Add the legend of markers in gray, because the points of a group have several colors."""
    from bokeh.models.annotations import Legend, LegendItem

    items = []
    for g, name in enumerate(groups):
        empty: Any = plot.scatter(
            [np.nan], [np.nan], marker=MARKERS[marker(g)], size=9, color="gray"
        )
        items.append(LegendItem(label={"value": name}, renderers=[empty]))
    plot.add_layout(Legend(items=items, orientation="horizontal"), "above")
