"""The kinds of audio models of transformers that are known, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """How models of one architecture are built and read.

    Attributes
    ----------
    model, extractor : str
        Names of classes of transformers.
    duration : callable
        Seconds of the chunks that the extractor pads to, from its configuration; None for models of
        inputs of any length.
    embedding : str
        The output that is the embedding: frames, or a vector.
    part : str
        The part of a configuration that is the audio model's.
    hop_length : int
        Samples from frame to frame of the features, where padding is not to be averaged.
    time_last : bool
        Whether time is the last axis of the features.
    """

    model: str
    extractor: str
    duration: Any = None
    embedding: str = "last_hidden_state"
    part: str = ""
    hop_length: int = 0
    time_last: bool = True


_SPEECH = "Wav2Vec2FeatureExtractor"
FAMILIES = {
    "audio-spectrogram-transformer": Family(
        "ASTModel",
        "ASTFeatureExtractor",
        lambda facts: facts.get("max_length", 1024) * 0.01,
        "pooler_output",
        hop_length=160,
        time_last=False,
    ),
    "wav2vec2": Family("Wav2Vec2Model", _SPEECH),
    "hubert": Family("HubertModel", _SPEECH),
    "wavlm": Family("WavLMModel", _SPEECH),
    "data2vec-audio": Family("Data2VecAudioModel", _SPEECH),
    "unispeech-sat": Family("UniSpeechSatModel", _SPEECH),
    "whisper": Family(
        "WhisperModel",
        "WhisperFeatureExtractor",
        lambda facts: facts.get("chunk_length", 30),
        hop_length=160,
    ),
    "clap": Family(
        "ClapAudioModelWithProjection",
        "ClapFeatureExtractor",
        lambda facts: facts.get("max_length_s", 10),
        "audio_embeds",
        "audio_config",
    ),
}


def family_of(config: Mapping[str, Any], called: str) -> Family:
    """Return the family of a configuration, or say that there is none."""
    kind = config.get("model_type")
    kind = "clap" if kind == "clap_audio_model" else kind
    if kind not in FAMILIES:
        raise ValueError(
            f"{called} is a model of the type {kind!r}, expected one of "
            f"{', '.join(map(repr, FAMILIES))}. Other modules: TorchEmbedder."
        )
    return FAMILIES[kind]
