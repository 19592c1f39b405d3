"""Audio models of Hugging Face's transformers over chunks of recordings."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio._state import seeded, seeded_globals
from skaudio.pretrained._bridge_net import AUTO_DURATION, BridgeNet
from skaudio.pretrained._transformers_families import family_of

RANDOM = "random"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
# What of a configuration could load other code, or change how numbers are computed.
LEFT_OUT = ("auto_map", "quantization_config", "_attn_implementation", "attn_implementation")


def require_transformers() -> Any:
    """Return the library, or say how to install it."""
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            'TransformersEmbedder needs transformers: pip install "skaudio[transformers]"'
        ) from error
    return transformers


class AudioModel(nn.Module):
    """A model of transformers and its feature extractor, from their configurations.

    Parameters
    ----------
    config, preprocessor : dict
        What stands in ``config.json`` and ``preprocessor_config.json``.
    called : str
        The name of the model, for messages.
    folder : str or None
        Where the weights are; None leaves them as the constructor draws them.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        preprocessor: Mapping[str, Any],
        called: str,
        folder: str | None = None,
    ) -> None:
        super().__init__()
        self.config = {k: v for k, v in config.items() if k not in LEFT_OUT}
        self.preprocessor = dict(preprocessor)
        self.called = called
        self.family = family_of(config, called)
        self.model = self._build(folder)
        self.fused = bool(getattr(self.model.config, "enable_fusion", False))

    @cached_property
    def extractor(self) -> Any:
        """The feature extractor, which runs on the CPU."""
        kind = getattr(require_transformers(), self.family.extractor)
        return kind.from_dict(self.preprocessor)

    def __getstate__(self) -> dict[str, Any]:
        """Return the configurations and tensors: normalised weights cannot be pickled."""
        tensors = {name: t.detach().cpu() for name, t in self.state_dict().items()}
        facts = (self.config, self.preprocessor, self.called)
        return {"facts": facts, "tensors": tensors}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with seeded(0):
            self.__init__(*state["facts"])  # type: ignore[misc]
        self.load_state_dict(state["tensors"])

    def _build(self, folder: str | None) -> nn.Module:
        transformers = require_transformers()
        kind = getattr(transformers, self.family.model)
        own = self.config.get(self.family.part, self.config) if self.family.part else self.config
        config = kind.config_class.from_dict(dict(own))
        attention = "sdpa" if kind._supports_sdpa else "eager"
        if folder is None:
            model = kind._from_config(config, attn_implementation=attention)
        else:
            model = load_weights(kind, folder, config, attention)
        if self.family.model == "WhisperModel":
            model = model.encoder
        built: nn.Module = model.float().eval()
        return built

    def inputs(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the model is called with for a batch of what the front end returns."""
        name = str(self.model.main_input_name)
        if self.family.model.startswith("Clap"):
            longer = torch.zeros((len(x), 1), dtype=torch.bool, device=x.device)
            return {name: x, **({"is_longer": longer} if self.fused else {})}
        return {name: x}


def load_weights(kind: Any, folder: str, config: Any, attention: str) -> nn.Module:
    """Return a model with the weights in a folder, all of them, or say what is wrong."""
    try:
        model, info = kind.from_pretrained(
            folder,
            config=config,
            attn_implementation=attention,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # damage makes transformers raise errors of many kinds
        raise ValueError(
            f"the weights in {folder} cannot be loaded: "
            f"{str(error).partition(chr(10))[0]:.300} Expected model.safetensors, as "
            "save_pretrained writes it."
        ) from error
    # Only training uses the vector that replaces masked frames; some files lack it.
    missing = sorted(key for key in info["missing_keys"] if not key.endswith("masked_spec_embed"))
    if missing:
        raise ValueError(
            f"the weights in {folder} lack {len(missing)} tensors of {kind.__name__}, such as "
            f"{missing[0]!r}. Are they those of another model?"
        )
    loaded: nn.Module = model
    return loaded


@dataclass(frozen=True)
class Extractor:
    """The front end of an audio model: its feature extractor, one chunk at a time.

    Attributes
    ----------
    core : AudioModel
    sample_rate : float
    hop_length : int
        Samples from frame to frame of what the extractor returns, where it pads: another feature is
        appended, which is 1 for frames of the chunk and 0 for padding. 0: it does not pad.
    """

    core: AudioModel
    sample_rate: float
    hop_length: int = 0

    def __repr__(self) -> str:
        return f"Extractor({self.core.called!r})"

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the input of the model for one waveform."""
        if warp_factor != 1.0:
            raise ValueError(
                f"a recording is marked with the warp factor {warp_factor:g} by VTLP, which the "
                "feature extractors of transformers do not know."
            )
        with seeded_globals(0) if self.core.fused else contextlib.nullcontext():
            made = self.core.extractor(
                waveform, sampling_rate=int(self.sample_rate), return_tensors="np"
            )
        values = np.asarray(made[self.core.model.main_input_name][0], np.float32)
        if not self.hop_length:
            return values
        time = 1 if self.core.family.time_last else 0
        covered = np.arange(values.shape[time]) * self.hop_length < len(waveform)
        covered = np.expand_dims(covered.astype(np.float32), 1 - time)
        return np.concatenate([values, covered], axis=1 - time)


class TransformersNet(BridgeNet):
    """An audio model over chunks, for one device and precision."""

    core: AudioModel

    def __init__(self, core: AudioModel, device: str = "cpu", lowered: bool = False) -> None:
        facts = core.preprocessor
        rate = float(facts.get("sampling_rate", 16000))
        super().__init__(core, Extractor(core, rate, core.family.hop_length))
        self.device = device
        self.lowered = lowered
        duration = core.family.duration
        self.chunk_duration = self.chunk_hop = duration(facts) if duration else AUTO_DURATION
        self.fixed = duration is not None
        self.fills = False
        self.min_samples = 400  # the window of the front ends, and the reach of the convolutions

    @property
    def called(self) -> str:
        """The name of the model, for messages."""
        return self.core.called

    @property
    def place(self) -> tuple[torch.device, torch.dtype]:
        """Device of the model; its input is float32."""
        return torch.device(self.device), torch.float32

    def read(self, x: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        """Return the embedding, or the hidden states of these numbers, features second.

        Frames of padding are NaN.
        """
        marks = None
        if self.front_end.hop_length:
            feature = 1 if self.core.family.time_last else 2
            marks = x.select(feature, -1)
            x = x.narrow(feature, 0, x.shape[feature] - 1)
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.lowered):
            outputs = self.core.model(
                **self.core.inputs(x), output_hidden_states=bool(layers), return_dict=True
            )
        if not layers:
            found = [outputs[self.core.family.embedding]]
        else:
            states = outputs.hidden_states
            for number in layers:
                if not -len(states) <= number < len(states):
                    raise ValueError(
                        f"layer={number}: {self.called} has hidden states 0 to {len(states) - 1}, "
                        "the input of the first layer and the output of each; negative numbers "
                        "count from the last."
                    )
            found = [states[number] for number in layers]
        return [self._features_second(out.float(), marks) for out in found]

    def _features_second(self, out: torch.Tensor, marks: torch.Tensor | None) -> torch.Tensor:
        if out.ndim != 3:  # vectors, or maps with channels second
            return out
        out, every = out.movedim(1, 2), 2
        if self.core.family.model == "ASTModel":
            config: Any = self.core.model.config
            n_bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
            # Two tokens, and the patches of a spectrogram: those of one time are averaged.
            out = out[..., 2:].reshape(*out.shape[:2], n_bands, -1).mean(dim=2)
            every = config.time_stride
        if marks is not None:
            covered = marks[:, ::every][:, : out.shape[-1]]
            out = out.masked_fill(covered[:, None] == 0, math.nan)
        return out


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the object in a file of JSON, or say what is wrong."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, expected an object.")
    return found


def load_model(folder: str, weights: Any) -> AudioModel:
    """Return the model in a folder, always with the same weights if these are random."""
    config = read_json(os.path.join(folder, CONFIG))
    preprocessor = read_json(os.path.join(folder, PREPROCESSOR))
    # Building draws random weights: the global generator is left as it was.
    with seeded(0):
        return AudioModel(config, preprocessor, folder, None if weights == RANDOM else folder)
