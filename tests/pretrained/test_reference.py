"""The numbers of the official code: front ends, embeddings, scores; sizes and names of tensors.

Weights are the official ones, or filled by a rule from each tensor's name and shape.
"""

from __future__ import annotations

import ast

import numpy as np
import pytest
import torch

from skaudio.pretrained import AudioTagger, PretrainedEmbedder
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._registry import MODELS

KEYS = {
    "mn04_as": "efficientat_mn04_as",
    "yamnet": "yamnet_whc",
    "panns_mobilenetv2": "panns_MobileNetV2",
    "panns_cnn14": "panns_Cnn14",
    "panns_cnn14_decision_level_max": "panns_Cnn14_DecisionLevelMax",
    "vggish": "vggish",
}
N_PARAMETERS = {
    "mn04_as": 983_599,
    "panns_mobilenetv2": 4_075_343,
    "panns_cnn14": 80_753_615,
    "panns_cnn14_decision_level_max": 80_753_615,
    "vggish": 72_141_184,
}


def build(name):
    """Build a net without memory for its weights."""
    params = dict(MODELS[name].params, **({"pca": True} if name == "vggish" else {}))
    with torch.device("meta"):
        return MODELS[name].net(**params)


def clips(reference, part):
    return sorted({key.partition("/")[0] for key in reference if key.endswith(part)})


@pytest.mark.parametrize("name", KEYS)
def test_names_and_shapes_of_the_tensors(name, reference_home):
    lines = (reference_home / f"keys_{KEYS[name]}.txt").read_text().splitlines()
    expected = [(key, ast.literal_eval(shape)) for key, shape in (x.split(" ", 1) for x in lines)]
    state = build(name).state_dict()
    assert [(key, tuple(value.shape)) for key, value in state.items()] == expected


@pytest.mark.parametrize("name", N_PARAMETERS)
def test_number_of_parameters(name):
    assert sum(p.numel() for p in build(name).parameters()) == N_PARAMETERS[name]


class TestEfficientAT:
    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, reference_home):
        return np.load(reference_home / "efficientat_mn04_as_reference.npz")

    @pytest.fixture(scope="class")
    @classmethod
    def waveforms(cls, reference):
        return {name: reference[f"{name}/waveform_32k"] for name in clips(reference, "logits")}

    def test_filters(self, reference):
        bank = MODELS["mn04_as"].net.front_end.analysis.filters(1.0)
        np.testing.assert_allclose(bank.weights, reference["mel_basis"], atol=2e-5)

    def test_log_mel(self, reference, waveforms):
        front_end = MODELS["mn04_as"].net.front_end
        for name, waveform in waveforms.items():
            expected = reference[f"{name}/log_mel"]
            np.testing.assert_allclose(front_end.encode(waveform), expected, atol=1e-4)
            np.testing.assert_allclose(front_end(waveform[None])[0], expected, atol=1e-4)

    def test_embeddings(self, reference, waveforms, mn04):
        rows = PretrainedEmbedder(weights=mn04).transform(list(waveforms.values()))
        for name, row in zip(waveforms, rows, strict=True):
            np.testing.assert_allclose(row, reference[f"{name}/embedding"], atol=1e-5)

    def test_logits_and_scores(self, reference, waveforms, mn04):
        X = list(waveforms.values())
        logits = PretrainedEmbedder(weights=mn04, layer="classifier").transform(X)
        scores = AudioTagger(weights=mn04).transform(X)
        for i, name in enumerate(waveforms):
            np.testing.assert_allclose(logits[i], reference[f"{name}/logits"], atol=5e-5)
            np.testing.assert_allclose(scores[i], reference[f"{name}/scores"], atol=1e-5)


class TestYAMNet:
    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, reference_home):
        return np.load(reference_home / "yamnet_reference.npz")

    @pytest.fixture(scope="class")
    @classmethod
    def weights(cls, reference_home):
        return reference_home / "yamnet_folded.npz"

    @pytest.fixture(scope="class")
    @classmethod
    def waveforms(cls, reference):
        return {name: reference[f"{name}/waveform_16k"] for name in clips(reference, "scores")}

    def test_filters(self, weights):
        bank = MODELS["yamnet"].net.front_end.analysis.filters(1.0)
        np.testing.assert_allclose(bank.weights.T, np.load(weights)["mel/weight"], atol=1e-5)

    def test_log_mel(self, reference, waveforms):
        front_end = MODELS["yamnet"].net.front_end
        for name, waveform in waveforms.items():
            patches = reference[f"{name}/log_mel_patches"]
            padded = np.pad(waveform, (0, 15600))
            for i, patch in enumerate(patches):
                chunk = padded[i * 7680 : i * 7680 + 15600]
                np.testing.assert_allclose(front_end.encode(chunk).T, patch, atol=1e-3)

    def test_embeddings(self, reference, waveforms, weights):
        embedder = PretrainedEmbedder("yamnet", weights=weights, pooling=None)
        for name, frames in zip(
            waveforms, embedder.transform(list(waveforms.values())), strict=True
        ):
            expected = reference[f"{name}/embeddings"].T
            assert frames.shape == expected.shape  # the remainder is kept, as official
            np.testing.assert_allclose(frames, expected, atol=1e-4)

    def test_scores(self, reference, waveforms, weights):
        tagger = AudioTagger("yamnet", weights=weights, pooling=None)
        for name, frames in zip(waveforms, tagger.transform(list(waveforms.values())), strict=True):
            np.testing.assert_allclose(frames, reference[f"{name}/scores"].T, atol=5e-5)


class TestPANNsMobileNetV2:
    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, reference_home):
        return np.load(reference_home / "panns_mobilenetv2_detfill_reference.npz")

    @pytest.fixture(scope="class")
    @classmethod
    def weights(cls, detfill, tmp_path_factory):
        path = tmp_path_factory.mktemp("weights") / "MobileNetV2.pth"
        net = detfill.fill_module(MODELS["panns_mobilenetv2"].net())
        torch.save({"iteration": 1, "model": net.state_dict()}, path)
        return path

    def test_filters(self, reference):
        bank = MODELS["panns_mobilenetv2"].net.front_end.analysis.filters(1.0)
        np.testing.assert_allclose(bank.weights.T, reference["mel_basis"], atol=1e-7)

    def test_log_mel(self, reference):
        front_end = MODELS["panns_mobilenetv2"].net.front_end
        for name in clips(reference, "log_mel"):
            log_mel = front_end.encode(reference[f"{name}/waveform_32k"])
            np.testing.assert_allclose(log_mel.T, reference[f"{name}/log_mel"], atol=1e-3)

    def test_outputs(self, reference, weights):
        names = clips(reference, "embedding")
        X = [reference[f"{name}/waveform_32k"] for name in names]
        rows = PretrainedEmbedder("panns_mobilenetv2", weights=weights).transform(X)
        scores = AudioTagger("panns_mobilenetv2", weights=weights).transform(X)
        for i, name in enumerate(names):
            np.testing.assert_allclose(rows[i], reference[f"{name}/embedding"], atol=1e-5)
            np.testing.assert_allclose(scores[i], reference[f"{name}/clipwise_output"], atol=1e-5)


class TestVGGish:
    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, reference_home):
        return np.load(reference_home / "vggish_detfill_reference.npz")

    @pytest.fixture(scope="class")
    @classmethod
    def net(cls, detfill):
        return detfill.fill_module(MODELS["vggish"].net(pca=True)).eval()

    @staticmethod
    def log_mel(net, waveform, n):
        chunks = [waveform[i * 15360 : i * 15360 + 15600] for i in range(n)]
        return np.stack([net.front_end.encode(chunk) for chunk in chunks])

    def test_log_mel(self, reference, net):
        for name in clips(reference, "embedding"):
            expected = reference[f"{name}/log_mel_examples"]
            found = self.log_mel(net, reference[f"{name}/waveform_16k"], len(expected))
            np.testing.assert_allclose(found.transpose(0, 2, 1), expected, atol=1e-3)

    @torch.inference_mode()
    def test_outputs(self, reference, net):
        fast = inference_net(net, "cpu", torch.float32)
        last = {}
        fast.embeddings.register_forward_hook(lambda module, x, out: last.update(out=out))
        for name in clips(reference, "embedding"):
            expected = reference[f"{name}/embedding"]
            x = self.log_mel(net, reference[f"{name}/waveform_16k"], len(expected))
            whitened = fast(torch.from_numpy(x)).embedding
            np.testing.assert_allclose(last["out"], expected, atol=1e-5)
            np.testing.assert_array_equal(whitened, reference[f"{name}/postprocessed"])

    @torch.inference_mode()
    def test_without_relu_the_negative_features_are_there(self, reference, net):
        plain = MODELS["vggish"].net(relu=False)
        plain.load_state_dict(plain.convert(net.state_dict()))
        name = clips(reference, "embedding")[0]
        x = torch.from_numpy(self.log_mel(net, reference[f"{name}/waveform_16k"], 1))
        embedding = plain.eval()(x).embedding.numpy()
        assert embedding.min() < 0
        expected = reference[f"{name}/embedding"][:1]
        np.testing.assert_allclose(np.maximum(embedding, 0), expected, atol=1e-5)
