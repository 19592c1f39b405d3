"""FeatureSpaceDisplay: coordinates, colors, markers; and what the page is made of."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch
from skaudio.classifiers import GRUClassifier
from skaudio.display import FeatureSpaceDisplay
from skaudio.display._palette import class_colors
from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling

FEATURES = make_pipeline(MFCC(), FramePooling())


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def rows(rng):
    return rng.normal(size=(12, 5)) + np.repeat([0, 6, 12], 4)[:, np.newaxis]


def drawn(display):
    """Return the points of the picture: (x, y, color) per marker."""
    return [
        [(*xy, to_hex(c)) for xy, c in zip(p.get_offsets(), p.get_facecolors(), strict=True)]
        for p in display.points_
    ]


def test_principal_components(rows):
    display = FeatureSpaceDisplay.from_embeddings(rows)
    expected = PCA(2).fit(rows)
    np.testing.assert_allclose(np.abs(display.coordinates), np.abs(expected.transform(rows)))
    share = round(100 * expected.explained_variance_ratio_[0])
    assert display.ax_.get_xlabel() == f"Principal component 1 ({share} %)"
    assert display.ax_.get_legend() is None


def test_tsne(rows):
    display = FeatureSpaceDisplay.from_embeddings(rows, method="tsne", random_state=3)
    expected = TSNE(perplexity=11 / 3, random_state=3).fit_transform(rows)
    np.testing.assert_allclose(display.coordinates, expected, rtol=1e-5)
    assert display.ax_.get_ylabel() == "t-SNE 2"


def test_umap_is_called(rows, monkeypatch):
    """Its rows are drawn, and it learns of the number of neighbours and of the seed."""

    class UMAP:
        def __init__(self, *, n_neighbors, random_state, n_jobs):
            assert (n_neighbors, random_state, n_jobs) == (11, 3, 1)

        def fit_transform(self, rows):
            return PCA(2).fit_transform(rows)

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    display = FeatureSpaceDisplay.from_embeddings(rows, method="umap", random_state=3)
    np.testing.assert_array_equal(display.coordinates, PCA(2).fit_transform(rows))
    assert display.ax_.get_ylabel() == "UMAP 2"


@pytest.mark.slow
@pytest.mark.exhaustive  # umap compiles itself for half a minute
def test_umap(rows):
    pytest.importorskip("umap")
    display = FeatureSpaceDisplay.from_embeddings(rows, method="umap", random_state=0)
    again = FeatureSpaceDisplay.from_embeddings(rows, method="umap", random_state=0)
    assert display.coordinates.shape == (12, 2)
    np.testing.assert_array_equal(display.coordinates, again.coordinates)


def test_transformer_of_ones_own_and_none(rows):
    display = FeatureSpaceDisplay.from_embeddings(rows, method=PCA(2, whiten=True))
    np.testing.assert_allclose(display.coordinates.std(axis=0, ddof=1), 1)
    plain = FeatureSpaceDisplay.from_embeddings(rows[:, :2], method=None)
    np.testing.assert_array_equal(plain.coordinates, rows[:, :2])


def test_colors_are_classes_and_markers_groups(rows):
    y = pd.Series(["c", "a", "b"] * 4)
    groups = np.array([1, 2] * 6)
    display = FeatureSpaceDisplay.from_embeddings(rows, y, groups=groups)
    colors = dict(zip("abc", class_colors(3), strict=True))
    assert len(display.points_) == 2
    for points, group in zip(drawn(display), (1, 2), strict=True):
        mine = groups == group
        expected = [
            (*xy, colors[c]) for xy, c in zip(display.coordinates[mine], y[mine], strict=True)
        ]
        assert points == expected
    shapes = [p.get_paths()[0].vertices.shape for p in display.points_]
    assert shapes[0] != shapes[1]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["a", "b", "c"]
    display.figure_.canvas.draw()
    figure = display.figure_.bbox
    for legend in display.ax_.findobj(mpl.legend.Legend):  # both are seen
        box = legend.get_window_extent()
        assert figure.x0 <= box.x0 < box.x1 <= figure.x1
        assert figure.y0 <= box.y0 < box.y1 <= figure.y1 + 1


@pytest.mark.parametrize("n", [1, 10, 11, 20, 21, 60])
def test_every_class_has_a_color(n):
    colors = class_colors(n)
    assert len(set(colors)) == n
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)


def test_from_estimator(make_clip):
    clips = [make_clip(0.2, seed=i) for i in range(4)]
    display = FeatureSpaceDisplay.from_estimator(FEATURES, clips, [0, 0, 1, 1])
    by_hand = FeatureSpaceDisplay.from_embeddings(FEATURES.transform(clips), [0, 0, 1, 1])
    np.testing.assert_array_equal(display.coordinates, by_hand.coordinates)
    assert display.recordings is clips
    assert display.sample_rate == 16000


@pytest.mark.parametrize(
    "embeddings, parameters, message",
    [
        (np.ones((3, 2, 4)), {}, r"shape \(3, 2, 4\), expected \(n_recordings, n_features\)"),
        (np.ones((3, 4)), {"y": [1, 2]}, "inconsistent numbers of samples"),
        (np.ones((3, 4)), {"method": "mds"}, "method='mds': expected 'pca', 'tsne', 'umap'"),
        (np.ones((3, 4)), {"method": None}, "rows of two numbers as they are, these have 4"),
        (np.ones((3, 1)), {}, "embeddings of one feature only"),
        (np.eye(4), {"method": PCA(3)}, r"returns shape \(4, 3\), expected \(4, 2\)"),
    ],
)
def test_bad_input(embeddings, parameters, message):
    with pytest.raises(ValueError, match=message):
        FeatureSpaceDisplay.from_embeddings(embeddings, **parameters)


def test_classifier_is_no_feature_space(make_clip):
    with pytest.raises(TypeError, match=r"GRUClassifier has no transform.*model\[:-1\]"):
        FeatureSpaceDisplay.from_estimator(GRUClassifier(), [make_clip()])


@pytest.mark.parametrize(
    "module, method, message",
    [
        ("matplotlib.pyplot", "pca", r'pip install "skaudio\[plot\]"'),
        ("umap", "umap", r'pip install "skaudio\[umap\]"'),
    ],
)
def test_says_what_to_install(monkeypatch, rows, module, method, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=message):
        FeatureSpaceDisplay.from_embeddings(rows, method=method)


class TestPage:
    @pytest.fixture(autouse=True)
    def needs_bokeh(self):
        pytest.importorskip("bokeh")

    @pytest.fixture
    def display(self, make_clip):
        clips = [make_clip(0.5 + 0.1 * i, seed=i) for i in range(4)]
        return FeatureSpaceDisplay.from_estimator(FEATURES, clips, list("aabb"))

    def sounds(self, page):
        found = re.findall(r'<script type="text/plain" id="sound-(\d+)">([^<]+)</script>', page)
        assert [int(i) for i, _ in found] == list(range(len(found)))
        return [sf.read(io.BytesIO(base64.b64decode(sound))) for _, sound in found]

    def test_sounds_are_the_recordings(self, display):
        sounds = self.sounds(display.to_html())
        for (sound, rate), clip in zip(sounds, display.recordings, strict=True):
            assert rate == 16000
            assert abs(len(sound) - len(clip)) < 0.1 * rate
            shifts = np.correlate(sound, clip)
            similarity = shifts.max() / np.linalg.norm(sound) / np.linalg.norm(clip)
            assert similarity > 0.95

    def test_duration_bounds_what_is_heard(self, display):
        page = display.to_html(duration=0.25)
        assert all(len(sound) < 0.25 * 16000 + 2000 for sound, _ in self.sounds(page))

    def test_stays_light(self, display, monkeypatch):
        """More recordings get fewer bits each."""
        from skaudio.display import _html_page

        few = display.to_html()
        monkeypatch.setattr(_html_page, "BUDGET", 1)
        many = display.to_html()
        assert 2 * sum(map(len, re.findall(r'id="sound-\d+">([^<]+)<', many))) < sum(
            map(len, re.findall(r'id="sound-\d+">([^<]+)<', few))
        )

    def test_needs_nothing_from_elsewhere(self, display):
        page = display.to_html()
        assert not re.findall(r"<(?:script|img|link)[^>]*\s(?:src|href)=[\"']?(?:http|//)", page)

    def test_is_escaped(self, make_clip, tmp_path):
        evil = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"
        batch = AudioBatch([make_clip()] * 3, 16000, names=[evil.replace("/", "\\"), evil, "c"])
        display = FeatureSpaceDisplay.from_embeddings(
            np.eye(3), [evil, "b", "c"], groups=[evil, "e", "f"], recordings=batch
        )
        path = tmp_path / "page.html"
        assert display.to_html(path, title=evil) is None
        page = path.read_text("utf-8")
        assert "<script>window.hacked" not in page
        assert "<img src=x" not in page

    def test_rate_of_bare_arrays(self, make_clip):
        clips = [make_clip(0.5, 8000)] * 3
        display = FeatureSpaceDisplay.from_embeddings(np.eye(3), recordings=clips)
        with pytest.raises(ValueError, match="recording 0 states no sample rate"):
            display.to_html()
        assert len(self.sounds(display.to_html(sample_rate=8000))[0][0]) >= 8000

    def test_without_recordings(self, rows):
        with pytest.raises(ValueError, match="No recordings to listen to"):
            FeatureSpaceDisplay.from_embeddings(rows).to_html()

    def test_bad_duration(self, display):
        with pytest.raises(ValueError, match="duration=-1"):
            display.to_html(duration=-1)

    def test_says_what_to_install(self, display, monkeypatch):
        monkeypatch.setitem(sys.modules, "bokeh.embed", None)
        with pytest.raises(ImportError, match=r'pip install "skaudio\[interactive\]"'):
            display.to_html()


def test_example_of_a_file_name(tmp_path, wav):
    pytest.importorskip("bokeh")
    display = FeatureSpaceDisplay.from_embeddings(np.eye(2), recordings=[wav, wav])
    display.to_html(tmp_path / "page.html")
    assert Path(wav).name in (tmp_path / "page.html").read_text("utf-8")


def test_more_groups_than_markers_are_told():
    rows = np.arange(40.0).reshape(20, 2)
    with pytest.warns(UserWarning, match="10 groups share 9 markers.*pass the groups as y"):
        FeatureSpaceDisplay(rows, groups=np.arange(20) % 10).plot()
