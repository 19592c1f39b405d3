"""AudioTagger: scores, tables, restriction, roll-up."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from skaudio._files import transfer
from skaudio.events import check_events
from skaudio.metrics import segment_based_f1
from skaudio.pretrained import AudioTagger, _audioset_labels
from skaudio.pretrained._audioset_labels import RollUp, labels_of, load_ontology, select
from skaudio.pretrained._registry import MODELS


def tiny(**kwargs):
    return AudioTagger("mn01_as", weights="random", **kwargs)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (32000, 80000, 9000)]


def sound(name, *children):
    return {"id": f"/{name}", "name": name, "child_ids": [f"/{c}" for c in children]}


ONTOLOGY = [
    sound("Animal", "Dog", "Cat"),
    sound("Dog", "Bark", "Howl"),
    sound("Bark"),
    sound("Howl"),
    sound("Cat", "Purr"),
    sound("Purr"),
    sound("Sounds of things", "Vehicle"),
    sound("Vehicle", "Purr", "Unknown to all"),  # a sound may be below two others
    sound("Silence"),
]


@pytest.fixture
def home(tmp_path):
    """A data home with an ontology in which "Dog" etc. are where AudioSet has them."""
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "audioset_ontology.json").write_text(json.dumps(ONTOLOGY))
    return tmp_path


class TestScores:
    def test_shape_names_range(self, clips):
        scores = tiny().transform(clips)
        assert scores.shape == (3, 527)
        assert scores.dtype == np.float32
        assert ((scores >= 0) & (scores <= 1)).all()
        names = tiny().get_feature_names_out()
        assert (names[0], names[74], names[526]) == ("Speech", "Dog", "Field recording")

    def test_are_those_of_the_net(self, clips):
        tagger = tiny().fit(clips)
        with torch.no_grad():
            expected = tagger.net_(tagger.net_.front_end(clips[1][None])).logits.sigmoid()
        np.testing.assert_allclose(tagger.transform([clips[1]]), expected, atol=1e-5)

    def test_per_chunk_and_aggregated(self, clips):
        frames = tiny(pooling=None, chunk_duration=0.5).transform(clips)
        assert [f.shape for f in frames] == [(527, 2), (527, 5), (527, 1)]
        for how, pool in (("mean", np.mean), ("max", np.max)):
            rows = tiny(pooling=how, chunk_duration=0.5).transform(clips)
            np.testing.assert_allclose(rows, [pool(f, axis=1) for f in frames], rtol=1e-5)
        np.testing.assert_allclose(
            tiny(pooling=None, chunk_duration=0.5).frame_times(frames[1]),
            [0.25, 0.75, 1.25, 1.75, 2.25],
        )

    def test_pandas(self, clips):
        table = tiny(classes=["Dog", "Cat"]).set_output(transform="pandas").transform(clips)
        assert table.columns.tolist() == ["Dog", "Cat"]

    def test_independent_of_the_others(self, clips):
        together = tiny().transform(clips)
        for clip, row in zip(clips, together, strict=True):
            np.testing.assert_array_equal(tiny().transform([clip])[0], row)


class TestTable:
    def test_top(self, clips):
        table = tiny().tag(clips, top=3)
        scores = tiny().transform(clips)
        names = tiny().get_feature_names_out()
        assert table.columns.tolist() == ["file", "onset", "offset", "event_label", "score"]
        assert table["file"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        for i, rows in table.groupby("file"):
            best = np.argsort(-scores[i])[:3]
            assert rows["event_label"].tolist() == names[best].tolist()
            np.testing.assert_allclose(rows["score"], scores[i, best])

    def test_is_a_table_of_events(self, clips):
        """Tags enter the metrics of events, and EventsDisplay, as they are."""
        table = tiny().tag(clips, top=2)
        assert table["onset"].tolist() == [0] * 6
        assert table["offset"].tolist() == [1, 1, 2.5, 2.5, 0.28125, 0.28125]
        assert check_events(table)["score"].tolist() == table["score"].tolist()
        assert segment_based_f1(table, table) == 1.0

    def test_threshold(self, clips):
        scores = tiny().transform(clips)
        threshold = float(np.sort(scores.ravel())[-20])
        table = tiny(threshold=threshold).tag(clips, top=527)
        assert len(table) == (scores >= threshold).sum()
        assert tiny(threshold=1.0).tag(clips).columns.tolist() == [
            "file",
            "onset",
            "offset",
            "event_label",
            "score",
        ]

    def test_names_of_recordings(self, clips, wav):
        assert tiny().tag([wav], top=1)["file"].tolist() == [wav]
        series = pd.Series(clips, index=["a", "b", "c"])
        assert tiny().tag(series, top=1)["file"].tolist() == ["a", "b", "c"]

    def test_by_chunk(self, clips):
        tagger = tiny(chunk_duration=1.0, pooling="max")
        table = tagger.tag(clips, top=1, by_chunk=True)
        assert table.columns.tolist() == ["file", "onset", "offset", "event_label", "score"]
        assert table["file"].tolist() == [0, 1, 1, 1, 2]
        assert table["onset"].tolist() == [0, 0, 1, 2, 0]
        assert table["offset"].tolist() == [1, 1, 2, 2.5, 0.28125]
        frames = tiny(chunk_duration=1.0, pooling=None).transform(clips)
        np.testing.assert_allclose(table["score"][1:4], frames[1].max(axis=0))

    def test_chunks_with_gaps_between_them(self, clips):
        table = tiny(chunk_duration=0.25, chunk_hop=1.0).tag(clips[1:2], top=1, by_chunk=True)
        assert table["onset"].tolist() == [0, 1, 2]
        assert table["offset"].tolist() == [0.25, 1.25, 2.25]

    @pytest.mark.parametrize("top", [0, 1.5])
    def test_bad_top(self, clips, top):
        with pytest.raises((ValueError, TypeError), match=f"top={top}"):
            tiny().tag(clips, top=top)


class TestRestriction:
    def test_columns_in_the_order_asked_for(self, clips):
        everything = tiny().transform(clips)
        some = tiny(classes=["Cat", "Dog"])
        np.testing.assert_array_equal(some.transform(clips), everything[:, [81, 74]])
        assert some.get_feature_names_out().tolist() == ["Cat", "Dog"]
        assert set(some.tag(clips)["event_label"]) == {"Cat", "Dog"}

    @pytest.mark.parametrize(
        ("classes", "error", "message"),
        [
            (["Dogg"], ValueError, r"'Dogg' is none of the 527 labels.*mean 'Dog'\?.*rollup=True"),
            ("Dog", TypeError, r"classes='Dog': expected a list of labels or None. Pass \['Dog'\]"),
            ([], ValueError, "classes is empty"),
        ],
    )
    def test_bad_classes(self, clips, classes, error, message):
        for call in ("fit_transform", "transform", "tag"):
            with pytest.raises(error, match=message):
                getattr(tiny(classes=classes), call)(clips)


class TestRollUp:
    def test_by_hand(self):
        rollup = RollUp(["Purr", "Dog", "Bark", "Silence", "Elsewhere"], ONTOLOGY)
        assert rollup.labels == [
            *("Purr", "Dog", "Bark", "Silence", "Elsewhere"),
            *("Animal", "Cat", "Sounds of things", "Vehicle"),
        ]
        scores = np.array([[0.5, 0.1], [0.2, 0.1], [0.4, 0.9], [0.3, 0.3], [0.7, 0.0]])
        expected = [
            [0.5, 0.1],  # Purr
            [0.4, 0.9],  # Dog, from Bark
            [0.4, 0.9],
            [0.3, 0.3],
            [0.7, 0.0],
            [0.5, 0.9],  # Animal
            [0.5, 0.1],  # Cat, itself no class
            [0.5, 0.1],
            [0.5, 0.1],
        ]
        np.testing.assert_array_equal(rollup(scores), expected)

    def test_of_a_circle(self):
        rollup = RollUp(["a"], [sound("a", "b"), sound("b", "a")])
        np.testing.assert_array_equal(rollup(np.array([[0.5]])), [[0.5], [0.5]])

    def test_in_the_tagger(self, clips, home):
        plain = dict(zip(labels_of("audioset"), tiny().transform(clips).T, strict=True))
        classes = ["Animal", "Sounds of things", "Speech"]
        tagger = tiny(rollup=True, classes=classes, data_home=home)
        found = tagger.transform(clips)
        kinds = ("Animal", "Dog", "Bark", "Howl", "Cat", "Purr")
        expected = np.maximum.reduce([plain[kind] for kind in kinds])
        np.testing.assert_array_equal(found[:, 0], expected)
        np.testing.assert_array_equal(found[:, 1], np.maximum(plain["Vehicle"], plain["Purr"]))
        np.testing.assert_array_equal(found[:, 2], plain["Speech"])
        frames = tiny(rollup=True, classes=classes, data_home=home, pooling=None)
        assert frames.transform(clips).shape == (3, 3, 1)

    def test_real_ontology(self, data_home):
        if not (data_home / "pretrained" / "audioset_ontology.json").is_file():
            pytest.skip("no ontology in SKAUDIO_DATA")
        rollup = RollUp(labels_of("audioset"), load_ontology())
        assert len(load_ontology()) == 632
        assert rollup.labels[:527] == labels_of("audioset")
        assert {"Human sounds", "Music mood"} <= set(rollup.labels[527:])
        scores = np.zeros((527, 1))
        scores[labels_of("audioset").index("Bark")] = 0.8
        heard = {name for name, s in zip(rollup.labels, rollup(scores), strict=True) if s > 0}
        assert {"Bark", "Dog", "Animal", "Domestic animals, pets"} <= heard
        assert not {"Cat", "Music", "Human sounds"} & heard

    def test_downloaded_where_it_is_missing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_audioset_labels, "ONTOLOGY_URL", "http://127.0.0.1:9/ontology.json")
        monkeypatch.setattr(transfer, "PAUSE", 0.01)
        message = r"9/ontology\.json could not be downloaded .*pretrained/audioset_ontology\.json"
        with pytest.raises(ConnectionError, match=message):
            load_ontology(tmp_path)

    @pytest.mark.parametrize("content", ["<html>", "{}", '[{"id": 1}]', '"text"'])
    def test_something_else(self, tmp_path, content):
        (tmp_path / "pretrained").mkdir()
        (tmp_path / "pretrained" / "audioset_ontology.json").write_text(content)
        with pytest.raises(ValueError, match=r"audioset_ontology\.json is not AudioSet's ontology"):
            load_ontology(tmp_path)


class TestLabels:
    def test_are_unique(self):
        for kind, n in (("audioset", 527), ("yamnet", 521)):
            assert len(set(labels_of(kind))) == n

    @pytest.mark.parametrize(
        ("kind", "file"),
        [
            ("audioset", "audioset_class_labels_indices_527.csv"),
            ("yamnet", "yamnet_class_map.csv"),
        ],
    )
    def test_are_the_published_ones(self, kind, file, data_home):
        path = data_home / "pretrained" / file
        if not path.is_file():
            pytest.skip(f"no {path}")
        assert labels_of(kind) == pd.read_csv(path)["display_name"].tolist()

    def test_number_fits_every_net(self):
        for model in MODELS.values():
            if model.labels is not None:
                with torch.device("meta"):
                    net = model.net(**model.params)
                assert net.n_classes == len(labels_of(model.labels))

    def test_of_fine_tuned_weights(self, clips):
        few = tiny(model_params={"n_classes": 2})
        with pytest.raises(ValueError, match="the network has 2 outputs, and there are 527 labels"):
            few.transform(clips)
        few.set_params(labels=["up", "down"])
        assert few.transform(clips).shape == (3, 2)
        assert set(few.tag(clips)["event_label"]) == {"up", "down"}

    def test_select_all(self):
        np.testing.assert_array_equal(select(None, ["a", "b"], False), [0, 1])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"threshold": 50}, "threshold=50: expected a number that is at least 0 and at most 1"),
    ],
)
def test_bad_parameters(kwargs, message, clips):
    with pytest.raises(ValueError, match=message):
        tiny(**kwargs).transform(clips)


def test_net_without_classes(clips):
    with pytest.raises(
        ValueError, match="model='vggish' has no classes: expected one of 'mn01_as'"
    ):
        AudioTagger("vggish", weights="random").fit(clips)
