"""frame_mn against the numbers of the official code; events from its frames, and from chunks."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from skaudio.events import check_events, frames_to_events
from skaudio.pretrained import AudioTagger, FineTunedClassifier, PretrainedEmbedder
from skaudio.pretrained._audioset_labels import labels_of
from skaudio.pretrained._frame_mn import FrameMN
from skaudio.pretrained._model_table import MODELS

NAMES = ("frame_mn06", "frame_mn10")
TAGS = ("10s", "3s")
RATE = 16000


def build(name):
    return MODELS[name].net(**MODELS[name].params)


class TestReference:
    @pytest.fixture(scope="class", params=NAMES)
    @classmethod
    def name(cls, request):
        return request.param

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, name, reference_home):
        return np.load(reference_home / f"{name}_detfill_reference.npz")

    @pytest.fixture(scope="class")
    @classmethod
    def net(cls, name, reference, detfill_v2):
        net = detfill_v2.fill_module(build(name))
        return detfill_v2.apply_overrides(net, reference).eval()

    def test_names_and_shapes_of_the_tensors(self, name, reference_home):
        lines = (reference_home / f"keys_{name}.txt").read_text().splitlines()
        expected = [(k, ast.literal_eval(s)) for k, s in (x.split(" ", 1) for x in lines)]
        with torch.device("meta"):
            state = build(name).state_dict()
        assert [(key, tuple(value.shape)) for key, value in state.items()] == expected

    def test_log_mel(self, reference):
        front_end = FrameMN.front_end
        bank = front_end.analysis.filters(1.0)
        np.testing.assert_allclose(bank.weights, reference["mel_basis"], atol=2e-5)
        for tag in TAGS:
            waveform, expected = reference[f"{tag}_waveform_16k"], reference[f"{tag}_log_mel"]
            np.testing.assert_allclose(front_end.encode(waveform), expected, atol=1.1e-3)
            np.testing.assert_allclose(front_end(waveform[None])[0], expected, atol=1.1e-3)

    @staticmethod
    def stretched(frames, tag):
        """Stretch frames (n, n_frames) to the 250 that the official code returns."""
        if tag == "10s":
            return frames
        return functional.interpolate(frames[None], size=250, mode="linear")[0]

    @torch.inference_mode()
    def test_net_from_stored_features(self, reference, net):
        for tag in TAGS:
            x = torch.from_numpy(reference[f"{tag}_log_mel"])[None]
            sequence, output = net.sequence(x)[0], net(x)
            expected = reference[f"{tag}_sequence"]
            np.testing.assert_allclose(sequence[:, ::12], expected, atol=6e-5)
            strong = self.stretched(output.frame_logits[0], tag)[:, :: 5 if tag == "3s" else 1]
            np.testing.assert_allclose(strong, reference[f"{tag}_strong_logits"], atol=6e-5)
            # The other head of the official net, over all of its frames.
            weak = net.weak_head(self.stretched(sequence.T, tag).mean(dim=1))
            np.testing.assert_allclose(weak, reference[f"{tag}_weak_logits"], atol=3e-6)
            assert torch.equal(output.logits, output.frame_logits.amax(dim=2))
            assert torch.equal(output.embedding, sequence[None].mean(dim=1))

    def test_scores_of_recordings(self, name, reference, net, tmp_path):
        torch.save(net.state_dict(), tmp_path / "net.pt")
        tagger = AudioTagger(name, weights=tmp_path / "net.pt", pooling=None)
        X = [reference[f"{tag}_waveform_16k"] for tag in TAGS]
        for tag, scores in zip(TAGS, tagger.transform(X), strict=True):
            logits = self.stretched(torch.from_numpy(scores).logit(), tag)
            expected = reference[f"{tag}_strong_logits"]
            # Between frames, it matters whether logits or scores are interpolated.
            found = logits[:, :: 5 if tag == "3s" else 1]
            np.testing.assert_allclose(found, expected, atol=3.3e-3)


def tagger(model="frame_mn06", **kwargs):
    return AudioTagger(model, weights="random", **kwargs)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    sizes = (100, 16000, 33_000, 16000)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in sizes]


def test_published_labels(reference_home):
    path = reference_home / "audioset_strong_447_classes.csv"
    names = pd.read_csv(path)["display_name"].tolist()
    assert labels_of("audioset_strong") == names
    assert len(set(names)) == 447


def test_frames_and_their_times(clips):
    estimator = tagger(pooling=None)
    scores = estimator.transform(clips)
    assert [s.shape for s in scores] == [(447, n) for n in (1, 25, 52, 25)]
    np.testing.assert_allclose(estimator.frame_times(scores[1])[[0, -1]], [0.02, 0.98])
    rows = tagger().transform(clips)
    np.testing.assert_allclose(rows, [s.max(axis=1) for s in scores], rtol=1e-5)
    for clip, row in zip(clips, rows, strict=True):
        np.testing.assert_array_equal(tagger().transform([clip])[0], row)


def test_chunks_are_joined(clips):
    chunks = tagger(pooling=None, chunk_duration=1.0, chunk_hop=0.8)
    whole = chunks.transform([clips[2]])[0]
    assert whole.shape == (447, 52)
    first = tagger(pooling=None).transform([clips[2][:RATE]])[0]
    np.testing.assert_allclose(whole[:, :20], first[:, :20], rtol=1e-4, atol=1e-6)
    stream = chunks.stream()
    parts = [stream.push(piece) for piece in np.array_split(clips[2], 5)]
    np.testing.assert_array_equal(np.concatenate([*parts, stream.finish()], axis=1), whole)


def test_embedding_and_layers(clips):
    assert PretrainedEmbedder("frame_mn06", weights="random").transform(clips).shape == (4, 576)
    layer = "model.frame_mn.features.16"
    embedder = PretrainedEmbedder("frame_mn06", weights="random", layer=layer, pooling=None)
    assert embedder.set_params(resolution="layer").transform(clips[:2])[1].shape == (576, 25)


class TestEvents:
    def test_are_those_of_the_frames(self, clips):
        estimator = tagger(classes=labels_of("audioset_strong")[:5])
        scores = estimator.set_params(pooling=None).transform(clips)
        threshold = float(np.median(scores[2]))
        labels = estimator.get_feature_names_out().tolist()
        tables = [
            frames_to_events(
                frames,
                0.02 + 0.04 * np.arange(frames.shape[1]),
                labels,
                threshold=threshold,
                median_filter=0.36,
                frame_duration=0.04,
                file=i,
            )
            for i, frames in enumerate(scores)
        ]
        expected = pd.concat([t for t in tables if len(t)], ignore_index=True)
        lengths = np.array([len(clip) / RATE for clip in clips])
        expected["offset"] = np.minimum(expected["offset"], lengths[expected["file"].astype(int)])
        for pooling in (None, "mean"):
            found = estimator.set_params(pooling=pooling).predict_events(clips, threshold=threshold)
            pd.testing.assert_frame_equal(found, expected)
        assert len(check_events(found)) == len(expected) > 3

    def test_thresholds(self, clips):
        assert len(tagger(threshold=1.0).predict_events(clips)) == 0
        columns = ["file", "onset", "offset", "event_label", "score"]
        assert tagger().predict_events(clips, threshold=1.0).columns.tolist() == columns
        few = tagger(classes=["Bark", "Speech"])
        both = few.predict_events(clips[1:2], threshold={"Bark": 0.0, "Speech": 1.0})
        assert both[["onset", "offset", "event_label"]].to_numpy().tolist() == [[0, 1, "Bark"]]
        with pytest.raises(ValueError, match="threshold=2: expected probabilities"):
            few.predict_events(clips, threshold=2)

    def test_of_a_clip_of_a_file(self, clips, wav):
        X = [{"path": wav, "start": 0.25, "duration": 0.5}]
        found = tagger(classes=["Bark"]).predict_events(X, threshold=0.0)
        assert found["file"].tolist() == [str(wav)]
        np.testing.assert_allclose(found[["onset", "offset"]], [[0.25, 0.5]], atol=1e-3)

    def test_of_networks_that_score_chunks(self, clips):
        """YAMNet scores chunks every 0.48 s: they are the frames."""
        found = tagger("yamnet", classes=["Speech"]).predict_events(clips[2:3], threshold=0.0)
        np.testing.assert_allclose(found[["onset", "offset"]], [[0.2475, 2.0625]])
        with pytest.raises(ValueError, match="a recording is one chunk"):
            tagger("mn01_as", chunk_duration=None).predict_events(clips)

    def test_of_recordings_that_cannot_be_read(self, clips):
        few = tagger(classes=["Bark"], on_error="nan")
        with pytest.warns(UserWarning, match="1 of 2 recordings"):
            found = few.predict_events(["nowhere.wav", clips[1]], threshold=0.0)
        assert found["file"].tolist() == [1]

    def test_of_fine_tuned_classes(self, clips, tmp_path):
        """A new head scores chunks, so they are the frames."""
        classifier = FineTunedClassifier("frame_mn06", weights="random", max_epochs=1)
        path = classifier.fit(clips[1:], ["a", "b", "a"]).save_weights(tmp_path / "net.pt")
        tuned = AudioTagger("frame_mn06", weights=path, labels=classifier.labels_, pooling=None)
        tuned.set_params(chunk_duration=0.5)
        scores = tuned.transform(clips[1:2])[0]
        assert scores.shape == (2, 2)
        np.testing.assert_allclose(tuned.frame_times(scores), [0.25, 0.75])
        found = tuned.predict_events(clips[1:2], threshold=0.0)
        assert found[["onset", "offset"]].to_numpy().tolist() == [[0, 1], [0, 1]]
