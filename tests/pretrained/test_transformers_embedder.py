"""TransformersEmbedder: parity with transformers for small random models of each family."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf

import skaudio
from skaudio.caching import CachedTransformer
from skaudio.pretrained import TransformersEmbedder

pytestmark = pytest.mark.slow  # importing transformers takes some seconds

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
SPEECH = {
    **SMALL,
    "conv_dim": [8, 8, 16],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 8, 4],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}
CLAP = {
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "patch_size": 2,
    "patch_stride": [2, 2],
    "patch_embeds_hidden_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "projection_dim": 12,
}


def speech(kind, **more):
    config = getattr(hf, f"{kind}Config")(**SPEECH, **more)
    return getattr(hf, f"{kind}Model")(config), hf.Wav2Vec2FeatureExtractor()


def clap(fused):
    config = hf.ClapAudioConfig(**CLAP, enable_fusion=fused)
    extractor = hf.ClapFeatureExtractor(
        feature_size=16,
        max_length_s=1,
        sampling_rate=16000,
        hop_length=160,
        fft_window_size=512,
        truncation="fusion" if fused else "rand_trunc",
        frequency_max=8000,
    )
    return hf.ClapAudioModelWithProjection(config), extractor


def whisper():
    config = hf.WhisperConfig(
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        num_mel_bins=20,
        max_source_positions=100,
        vocab_size=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    extractor = hf.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
    return hf.WhisperModel(config), extractor


def ast():
    model = hf.ASTModel(hf.ASTConfig(**SMALL, max_length=128, num_mel_bins=32))
    return model, hf.ASTFeatureExtractor(num_mel_bins=32, max_length=128)


FAMILIES = {
    "ast": ast,
    "wav2vec2": lambda: speech("Wav2Vec2", do_stable_layer_norm=True, feat_extract_norm="layer"),
    "hubert": lambda: speech("Hubert"),
    "wavlm": lambda: speech("WavLM"),
    "data2vec": lambda: speech("Data2VecAudio"),
    "unispeech": lambda: speech("UniSpeechSat"),
    "whisper": whisper,
    "clap": lambda: clap(False),
    "fused": lambda: clap(True),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a function that returns the folder of a model, saved once, and the model."""
    made = {}

    def get(name):
        if name not in made:
            torch.manual_seed(1)
            model, extractor = FAMILIES[name]()
            folder = tmp_path_factory.mktemp(name)
            model.save_pretrained(folder)
            extractor.save_pretrained(folder)
            made[name] = str(folder), model.eval(), extractor
        return made[name]

    return get


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (15000, 9000, 401)]


def by_hand(model, extractor, clip, **kwargs):
    """What transformers makes of one clip."""
    inputs = extractor(clip, sampling_rate=16000, return_tensors="pt")
    inputs.pop("attention_mask", None)
    if "is_longer" in inputs:  # the extractor picks a clip that it takes for a long one
        inputs["is_longer"] = torch.zeros_like(torch.as_tensor(inputs["is_longer"]))
    encoder = model.encoder if isinstance(model, hf.WhisperModel) else model
    with torch.no_grad():
        return encoder(**inputs, **kwargs)


def covered(name, frames, clip):
    """The frames of a clip, without those of padding; AST's without tokens, averaged by time."""
    frames = frames[0].numpy()
    if name == "ast":
        frames = frames[2:].reshape(2, -1, 16).mean(axis=0)
        return frames[: -(-len(clip) // 1600)]
    return frames[: -(-len(clip) // 320)] if name == "whisper" else frames


@every_family
def test_embedding(name, folders, clips):
    folder, model, extractor = folders(name)
    rows = TransformersEmbedder(folder).transform(clips)
    for clip, row in zip(clips, rows, strict=True):
        outputs = by_hand(model, extractor, clip)
        if name == "ast":
            expected = outputs.pooler_output[0]
        elif name in ("clap", "fused"):
            expected = outputs.audio_embeds[0]
        else:
            expected = covered(name, outputs.last_hidden_state, clip).mean(axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in ("clap", "fused")])
def test_hidden_states(name, folders, clips):
    folder, model, extractor = folders(name)
    kwargs = {"pooling": None, "resolution": "layer"}
    for number in (0, 1, -1):
        frames = TransformersEmbedder(folder, layer=number, **kwargs).transform(clips)
        for clip, found in zip(clips, frames, strict=True):
            states = by_hand(model, extractor, clip, output_hidden_states=True).hidden_states
            expected = covered(name, states[number], clip)
            np.testing.assert_allclose(found, expected.T, rtol=1e-3, atol=1e-5)
    both = TransformersEmbedder(folder, layer=[0, -1]).transform(clips)
    parts = [TransformersEmbedder(folder, layer=k).transform(clips) for k in (0, -1)]
    np.testing.assert_array_equal(both, np.hstack(parts))
    with pytest.raises(ValueError, match=r"layer=7: .* has hidden states 0 to 2"):
        TransformersEmbedder(folder, layer=7).transform(clips)


@pytest.mark.parametrize("name", ["clap", "fused"])
def test_clap_has_layers_without_time(name, folders, clips):
    folder = folders(name)[0]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rows = TransformersEmbedder(folder, layer=[0, 1]).transform(clips)
    assert np.isfinite(rows).all()
    assert rows.shape == (3, 8 + 8 * 2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    with pytest.raises(ValueError, match="CLAP folds time into its layers"):
        TransformersEmbedder(folder, layer=1, resolution="layer").fit(clips)


@pytest.mark.parametrize(("name", "seconds"), [("ast", 1.28), ("whisper", 2), ("clap", 1)])
def test_longer_recordings_are_cut(name, seconds, folders, clips):
    folder, _, _ = folders(name)
    long = np.concatenate([clips[0]] * 4)  # 3.75 s
    embedder = TransformersEmbedder(folder, pooling=None)
    frames = embedder.transform([long])[0]
    n = int(seconds * 16000)
    parts = [long[i : i + n] for i in range(0, len(long), n)]
    assert frames.shape[1] == len(parts)
    expected = TransformersEmbedder(folder).transform(parts)
    np.testing.assert_allclose(frames.T, expected, rtol=1e-5, atol=1e-6)
    assert embedder.chunk_times(1).tolist() == [[0, seconds]]
    with pytest.raises(ValueError, match=f"takes chunks of {seconds:g} s only"):
        embedder.set_params(chunk_duration=0.5).transform([long])


@every_family
def test_saved_without_the_folder(name, folders, clips, tmp_path):
    folder, _, _ = folders(name)
    embedder = TransformersEmbedder(folder).fit(clips)
    path = skaudio.save(embedder, tmp_path / "model.skaudio")
    assert folder not in str(skaudio.inspect(path))
    loaded = skaudio.load(path)
    assert loaded.sample_rate == 16000
    np.testing.assert_array_equal(loaded.transform(clips), embedder.transform(clips))


def test_an_unfitted_one_is_not_saved(folders, tmp_path):
    with pytest.raises(ValueError, match="fit it first"):
        skaudio.save(TransformersEmbedder(folders("hubert")[0]), tmp_path / "model.skaudio")


def test_weights_and_their_identity(folders, clips, tmp_path):
    folder, _, _ = folders("hubert")
    embedder, random = TransformersEmbedder(folder), TransformersEmbedder(folder, weights="random")
    assert embedder.weights_hash() != random.weights_hash()
    again = TransformersEmbedder(folder, weights="random").fit(clips)
    np.testing.assert_array_equal(again.transform(clips), random.transform(clips))
    cached = CachedTransformer(embedder, tmp_path)
    np.testing.assert_array_equal(cached.fit_transform(clips), embedder.transform(clips))
    embedder.fit(clips)
    with torch.no_grad():
        embedder.net_.core.model.encoder.layers[0].attention.q_proj.bias += 1
    assert not np.array_equal(embedder.transform(clips), cached.transform(clips))


class TestErrors:
    def test_no_such_folder(self, tmp_path, clips):
        with pytest.raises(FileNotFoundError, match=r"model_id='nowhere': no such folder"):
            TransformersEmbedder("nowhere").fit(clips)
        with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
            TransformersEmbedder(tmp_path).fit(clips)

    def test_offline(self, clips, monkeypatch, tmp_path):
        monkeypatch.setenv("SKAUDIO_OFFLINE", "1")
        with pytest.raises(ConnectionError, match="SKAUDIO_OFFLINE forbids downloads"):
            TransformersEmbedder("owner/name", data_home=tmp_path).fit(clips)

    def test_the_data_home_is_looked_into(self, folders, clips, monkeypatch, tmp_path):
        folder, _, _ = folders("hubert")
        (tmp_path / "pretrained" / "owner").mkdir(parents=True)
        (tmp_path / "pretrained" / "owner" / "name").symlink_to(folder)
        rows = TransformersEmbedder("owner/name", data_home=tmp_path).transform(clips)
        np.testing.assert_array_equal(rows, TransformersEmbedder(folder).transform(clips))

    def test_another_kind_of_model(self, tmp_path, clips):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
        (tmp_path / "preprocessor_config.json").write_text("{}")
        with pytest.raises(ValueError, match="a model of the type 'bert', expected one of 'audio-"):
            TransformersEmbedder(tmp_path).fit(clips)
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(ValueError, match=r"config\.json is no JSON"):
            TransformersEmbedder(tmp_path).fit(clips)

    def test_code_of_a_model_is_not_run(self, folders, tmp_path, clips):
        folder, _, _ = folders("hubert")
        config = json.loads(Path(folder, "config.json").read_text())
        config["auto_map"] = {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "preprocessor_config.json").write_text('{"auto_map": {"x": "evil.X"}}')
        (tmp_path / "evil.py").write_text("raise SystemExit('run')")
        embedder = TransformersEmbedder(tmp_path, weights="random")
        assert embedder.transform(clips).shape == (3, 16)

    def test_weights_of_another_model(self, folders, tmp_path, clips):
        _, model, extractor = folders("hubert")
        extractor.save_pretrained(tmp_path)
        model.config.save_pretrained(tmp_path)
        with pytest.raises(ValueError, match=r"the weights in .* cannot be loaded"):
            TransformersEmbedder(tmp_path).fit(clips)
        folders("ast")[1].save_pretrained(tmp_path)
        model.config.save_pretrained(tmp_path)
        with pytest.raises(ValueError, match=r"lack \d+ tensors of HubertModel"):
            TransformersEmbedder(tmp_path).fit(clips)

    def test_without_transformers(self, folders, clips, monkeypatch):
        folder, _, _ = folders("hubert")
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r'pip install "skaudio\[transformers\]"'):
            TransformersEmbedder(folder).fit(clips)
