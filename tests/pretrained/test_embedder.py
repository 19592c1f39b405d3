"""PretrainedEmbedder in the places where it is used, with weights that mean nothing."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch, check_recordings
from skaudio.augmentation import VTLP, Noise
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import Waveform
from skaudio.pretrained import PretrainedEmbedder, _extraction
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._registry import MODELS

RATE = 32000


def tiny(**kwargs):
    return PretrainedEmbedder("mn01_as", weights="random", **kwargs)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [
        rng.normal(scale=0.1 * (i + 1), size=round(RATE * s)).astype(np.float32)
        for i, s in enumerate((0.3, 1, 2.4, 1, 0.01, 5.1, 1))
    ]


class TestIndependence:
    """A recording's row is the same, bit for bit, whatever else is computed."""

    @pytest.mark.parametrize("model", ["mn01_as", "panns_mobilenetv2", "yamnet", "ge2e"])
    def test_of_the_others(self, model, clips):
        embedder = PretrainedEmbedder(model, weights="random")
        together = embedder.transform(clips)
        for clip, row in zip(clips, together, strict=True):
            np.testing.assert_array_equal(embedder.transform([clip])[0], row)
        np.testing.assert_array_equal(embedder.transform(clips[::-1])[::-1], together)

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 20])
    def test_of_the_batch_size_but_for_rounding(self, batch_size, clips):
        kwargs = {"pooling": None, "chunk_duration": 0.5, "chunk_hop": 0.1}
        expected = tiny(**kwargs).transform(clips)
        embedder = tiny(**kwargs, batch_size=batch_size)
        for clip, a, b in zip(clips, expected, embedder.transform(clips), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
            np.testing.assert_array_equal(embedder.transform([clip])[0], b)

    def test_of_the_number_of_threads_but_for_rounding(self, clips):
        n = torch.get_num_threads()
        rows = []
        try:
            for n_threads in (1, 3):
                torch.set_num_threads(n_threads)
                rows.append(tiny(chunk_duration=0.5).transform(clips))
        finally:
            torch.set_num_threads(n)
        np.testing.assert_allclose(*rows, rtol=1e-3, atol=1e-5)

    def test_of_the_groups_that_are_gathered(self, clips, monkeypatch):
        expected = tiny(chunk_duration=0.5).transform(clips)
        monkeypatch.setattr(_extraction, "GATHERED", 1)
        np.testing.assert_array_equal(tiny(chunk_duration=0.5).transform(clips), expected)

    def test_in_several_threads_with_different_layers(self, clips):
        layers = [None, "features.2", "features.7", "classifier"]
        net = tiny().fit(clips)
        expected = [clone(net).set_params(layer=layer).transform(clips) for layer in layers]
        found = [None] * len(layers)

        def run(i):
            found[i] = clone(net).set_params(layer=layers[i]).transform(clips)

        threads = [threading.Thread(target=run, args=(i,)) for i in range(len(layers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


class TestMemory:
    def test_recordings_are_read_a_bounded_number_ahead(self, clips, monkeypatch):
        monkeypatch.setattr(_extraction, "GATHERED", 4)
        read, done = [], []

        class Decoder:
            def __init__(self, i):
                self.i = i

            def get_all_samples(self):
                read.append(self.i)
                return type("Samples", (), {"data": clips[1][None], "sample_rate": RATE})

        work = _extraction.Extraction(
            inference_net(tiny()._net(), "cpu", torch.float32),
            tiny()._chunking(tiny()._net()),
            lambda net, x: net(x).embedding,
        )
        recordings = check_recordings(tiny(), [Decoder(i) for i in range(200)], reset=False)
        n_threads = torch.get_num_threads()
        for i, _ in enumerate(work(recordings)):
            done.append(i)
            assert len(read) - len(done) <= (4 + _extraction.AHEAD + 1) * n_threads
        assert len(done) == 200


class TestOutput:
    def test_shapes(self, clips):
        assert tiny().transform(clips).shape == (7, 96)
        assert tiny().transform(clips).dtype == np.float32
        assert tiny().transform(clips).flags.c_contiguous
        frames = tiny(pooling=None, chunk_duration=1.0).transform(clips)
        assert [f.shape for f in frames] == [(96, n) for n in (1, 1, 2, 1, 1, 5, 1)]
        assert tiny(pooling=None).transform(clips).shape == (7, 96, 1)

    def test_poolings(self, clips):
        frames = tiny(pooling=None, chunk_duration=0.5).transform(clips)
        for how, pool in (("mean", np.mean), ("max", np.max)):
            rows = tiny(pooling=how, chunk_duration=0.5).transform(clips)
            np.testing.assert_allclose(rows, [pool(f, axis=1) for f in frames], rtol=1e-6)

    def test_normalize(self, clips):
        rows = tiny(unit_norm=True).transform(clips)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
        plain = tiny().transform(clips)
        expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-6)
        frames = tiny(unit_norm=True, pooling=None, chunk_duration=0.5).transform(clips)
        np.testing.assert_allclose(np.linalg.norm(frames[5], axis=0), 1, rtol=1e-5)

    def test_pandas(self, clips):
        table = tiny().set_output(transform="pandas").transform(clips)
        assert table.shape == (7, 96)
        assert table.columns[3] == "pretrainedembedder3"
        column = tiny(pooling=None).set_output(transform="pandas").transform(clips)
        assert column.shape == (7, 1)
        assert column.iloc[0, 0].shape == (96, 1)

    @pytest.mark.parametrize(("layer", "n"), [("features.10", 8), ("classifier.2", 128)])
    def test_layers(self, layer, n, clips):
        embedder = tiny(layer=layer)
        rows = embedder.transform(clips)
        assert rows.shape == (7, n)
        assert len(embedder.get_feature_names_out()) == n

    def test_several_layers_side_by_side(self, clips):
        names = ["classifier.2", "features.3", "features.10"]
        together = tiny(layer=names).fit(clips)
        parts = [tiny(layer=name).transform(clips) for name in names]
        np.testing.assert_array_equal(together.transform(clips), np.hstack(parts))
        assert len(together.get_feature_names_out()) == sum(p.shape[1] for p in parts)
        with pytest.raises(ValueError, match=r"layer='features\.99'"):
            tiny(layer=["features.3", "features.99"]).fit(clips)
        with pytest.raises(ValueError, match="time steps of layers differ, expected the name of o"):
            tiny(layer=names, resolution="layer").fit(clips)

    def test_layer_before_its_normalisation(self, clips):
        """The output of a convolution is that of the convolution, not of what is folded in."""
        embedder = tiny(layer="features.0.0").fit(clips)
        net = embedder.net_
        with torch.no_grad():
            net.features[0][1].running_mean.fill_(3.0)
            x = net.front_end(clips[1][None])
            expected = net.features[0][0](x[:, None]).mean(dim=(2, 3))
        np.testing.assert_allclose(embedder.transform([clips[1]]), expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("model", "layer", "step"),
        [
            ("mn01_as", "features.6", 8),
            ("mn01_as", "features.12", 16),
            ("panns_mobilenetv2", "features.4", 8),
        ],
    )
    def test_frames_of_a_layer(self, model, layer, step, clips):
        embedder = PretrainedEmbedder(
            model, weights="random", layer=layer, resolution="layer", pooling=None
        ).fit(clips)
        frames = embedder.transform(clips[1:3])
        spectrum = embedder.net_.front_end(clips[1][None])
        n_frames = spectrum.shape[-1]
        assert abs(frames[0].shape[1] - n_frames / step) <= 1
        assert frames[0].shape[0] == len(embedder.get_feature_names_out())
        times = embedder.frame_times(frames[0])
        np.testing.assert_allclose(np.diff(times), step * 0.01, rtol=1e-6)
        # The mean over features and time is that of the layer's mean over both.
        row = (
            clone(embedder).set_params(resolution="chunk", pooling="mean").transform(clips[1:2])[0]
        )
        np.testing.assert_allclose(frames[0].mean(), row.mean(), rtol=1e-4)

    def test_frames_of_a_layer_are_at_their_times(self):
        waveform = np.zeros(25 * RATE, np.float32)
        waveform[17 * RATE : 17 * RATE + 800] = np.random.default_rng(0).normal(size=800)
        embedder = tiny(layer="features.6", resolution="layer", pooling=None)
        frames = embedder.transform([waveform])[0]
        # Chunks of 10 s follow each other; where they meet, edges stand out.
        changed = np.abs(frames - np.median(frames, axis=1, keepdims=True)).mean(axis=0)
        times = embedder.frame_times(frames)
        near = np.abs(times - np.round(times, -1)) > 1
        assert abs(times[near][changed[near].argmax()] - 17.0) < 0.3
        assert len(times) == pytest.approx(25 / 0.08, abs=2)

    @pytest.mark.parametrize(
        "kwargs", [{}, {"layer": "classifier"}, {"model": "yamnet", "layer": "layer9"}]
    )
    def test_layers_without_time_have_no_frames(self, kwargs, clips):
        embedder = tiny(resolution="layer", pooling=None).set_params(**kwargs)
        with pytest.raises(ValueError, match=r"with layer=.*no output that follows"):
            embedder.fit(clips)

    def test_resampled_as_waveform_does(self, make_clip):
        slow = AudioBatch([make_clip(1.0, 16000)], 16000)
        waveform = Waveform(sample_rate=RATE).transform(slow)[0]
        np.testing.assert_array_equal(tiny().transform(slow), tiny().transform([waveform]))


class TestNet:
    def test_official_net_gives_what_the_fast_one_gives(self, clips):
        for model in ("mn01_as", "yamnet", "panns_mobilenetv2"):
            embedder = PretrainedEmbedder(model, weights="random").fit(clips)
            net = embedder.net_
            n = {"yamnet": 15600}.get(model, len(clips[1]))
            with torch.no_grad():
                expected = net(net.front_end(clips[1][None, :n])).embedding
            found = embedder.transform([clips[1][:n]])
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)

    def test_fine_tuning(self, clips):
        embedder = tiny().fit(clips)
        before = embedder.transform(clips)
        net = embedder.net_.train()
        x = net.front_end(np.stack([clips[1], clips[3]]))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            net(x).logits, torch.zeros(2, 527)
        )
        loss.backward()
        optimizer.step()
        after = embedder.transform(clips)
        assert not np.allclose(before, after)
        assert net.training  # it is left as it was
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(clips), after)
        np.testing.assert_array_equal(tiny().transform(clips), before)

    def test_changed_parameters_need_no_fit(self, clips):
        embedder = tiny().fit(clips)
        embedder.set_params(model="mn02_as")
        assert embedder.transform(clips).shape == (7, 192)

    def test_bfloat16_is_near(self, clips):
        rows, near = (tiny(precision=p).transform(clips[:4]) for p in ("float32", "bfloat16"))
        assert near.dtype == np.float32
        assert not np.array_equal(rows, near)
        cosines = (rows * near).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(near, axis=1)
        assert cosines.min() > 0.95

    def test_building_leaves_the_generator_alone(self, clips):
        before = torch.random.get_rng_state()
        PretrainedEmbedder("mn01_as", weights="random").fit(clips)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_vggish_end_to_end(self, clips):
        frames = PretrainedEmbedder("vggish", weights="random", pooling=None).transform(
            [np.tile(clips[1], 3)[: 16000 * 3], clips[4]]
        )
        assert [f.shape for f in frames] == [(128, 4), (128, 1)]


class TestInScikitLearn:
    @pytest.fixture(scope="class")
    @classmethod
    def labelled(cls, clips):
        return clips * 3, np.arange(21) % 7 % 2

    def test_pipeline_and_search(self, labelled):
        X, y = labelled
        model = make_pipeline(tiny(), KNeighborsClassifier(2))
        search = GridSearchCV(model, {"pretrainedembedder__pooling": ["mean", "max"]}, cv=2)
        search.fit(X, y)
        assert search.best_estimator_.predict(X).shape == (21,)

    def test_sequences_for_a_recurrent_net(self, labelled):
        X, y = labelled
        embedder = tiny(pooling=None, chunk_duration=0.5)
        for model in (
            make_pipeline(embedder, GRUClassifier(hidden_size=4, max_epochs=1, random_state=0)),
            GRUClassifier(embedder, hidden_size=4, max_epochs=1, random_state=0),
            GRUClassifier(
                make_pipeline(Noise(), VTLP(), embedder),
                hidden_size=4,
                max_epochs=1,
                random_state=0,
            ),
        ):
            assert model.fit(X, y).predict_proba(X).shape == (21, 2)

    def test_vocal_tract_factor_moves_the_filters(self, clips):
        plain = AudioBatch([clips[1]], RATE)
        marked = AudioBatch([clips[1]], RATE, warp_factors=[1.1])
        assert not np.allclose(tiny().transform(plain), tiny().transform(marked))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"pooling": "sum"}, ValueError, "pooling='sum': expected 'mean', 'max' or None"),
        ({"layer": "features.99"}, ValueError, r"layer='features\.99'.*begin with 'features', 'cl"),
        ({"layer": "features.4.block.1.conc_se_layers"}, ValueError, "puts nothing out"),
        ({"batch_size": 0}, ValueError, "batch_size=0: expected an integer of 1 or more"),
        (
            {"precision": "float16"},
            ValueError,
            "precision='float16': expected 'auto', 'float32' or",
        ),
        ({"device": "tpu9"}, ValueError, "device='tpu9'"),
        ({"chunk_duration": -1}, ValueError, "chunk_duration=-1"),
    ],
)
def test_bad_parameters(kwargs, error, message, clips):
    for call in ("transform", "fit_transform"):
        with pytest.raises(error, match=message):
            getattr(tiny(**kwargs), call)(clips)


def test_recordings_that_are_none_are_named(clips):
    with pytest.raises(ValueError, match=r"recording 1 \('nowhere\.wav'\): no such file"):
        tiny().transform([clips[0], "nowhere.wav"])
    with pytest.raises(ValueError, match="recording 1 contains NaN"):
        tiny().transform([clips[0], np.full(1000, np.nan)])


def test_every_model_has_a_sample_rate():
    rates = {name: PretrainedEmbedder(name).sample_rate for name in MODELS}
    assert set(rates.values()) == {16000, 32000}
