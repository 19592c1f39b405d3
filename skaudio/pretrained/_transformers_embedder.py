"""TransformersEmbedder: features of audio models of Hugging Face."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from skaudio._validation import PATH, Constraint, choice, count, is_number, sequence
from skaudio.pretrained._bridge_embedder import BridgeEmbedder
from skaudio.pretrained._torch_net import ready_module
from skaudio.pretrained._transformers_folder import files_of, find_folder, shared_model
from skaudio.pretrained._transformers_net import (
    PREPROCESSOR,
    RANDOM,
    AudioModel,
    TransformersNet,
    load_model,
    read_json,
)

_NUMBER = Constraint(
    ("int",), (), ("an integer",), lambda value: is_number(value, numbers.Integral)
)
_NUMBERS = sequence("sequence of int", "a list of integers", _NUMBER, 1)


class TransformersEmbedder(BridgeEmbedder):
    """Compute features of recordings with an audio model of Hugging Face.

    Parameters
    ----------
    model_id : path
        A folder with the model and its feature extractor (``config.json``,
        ``preprocessor_config.json``, ``model.safetensors``), or the name of a model on the Hub,
        such as "MIT/ast-finetuned-audioset-10-10-0.4593". A name is searched in the folder
        ``pretrained`` of the data home and in the cache of huggingface_hub, and otherwise
        downloaded.
    weights : {"random", None}, default=None
        None: the weights in the folder. "random": random weights, always the same ones, for tests
        and as a baseline; only the two configurations are needed.
    layer : int or sequence of int, default=None
        Number of the hidden state that is returned, averaged over time: 0 is the input of the first
        layer, k the output of layer k, and negative numbers count from the last. With several
        numbers, the states are concatenated. None: the embedding, see the notes.
    pooling : {"mean", "max", None}, default="mean"
        How to pool the frames of a recording into one row. None returns the frames, an array
        ``(n_features, n_frames)`` per recording.
    resolution : {"chunk", "layer"}, default="chunk"
        Time resolution of frames. "chunk": one frame per chunk, the output averaged over time.
        "layer": one frame per time step of the model, 0.02 s for most, 0.1 s for AST.
    chunk_duration : float, "auto" or None, default="auto"
        Length of a chunk in seconds. "auto" is 10.24 s for AST, 30 s for Whisper and 10 s for CLAP,
        which only take these lengths, and 10 s for other models. None: the whole recording is one
        chunk.
    chunk_hop : float or "auto", default="auto"
        Time between the starts of successive chunks in seconds. "auto" is ``chunk_duration`` (no
        overlap).
    unit_norm : bool, default=False
        Whether to scale each row (or frame) to length 1. Neighbours by euclidean distance are then
        the same as neighbours by cosine similarity.
    on_error : {"raise", "nan"}, default="raise"
        Action for unreadable recordings (missing or damaged files, NaN samples). "raise": raise one
        error that lists up to ten of them. "nan": return a frame, or a row, of NaN for each, and
        warn.
    batch_size : int, default=None
        Number of chunks per call of the model. None: 1 on the CPU, so that no result depends on
        another recording, and 32 on other devices.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of matrix products and convolutions. "bfloat16" uses torch's autocast. "auto" is
        float32.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    data_home : path, default=None
        Folder of downloaded files. None: the folder that :func:`skaudio.datasets.get_data_home`
        returns.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    net_ : torch.nn.Module
        ``net_.core.model`` is the model of transformers. It can be trained further: `transform`
        uses its current weights, in evaluation mode.
    config_ : dict
        The configurations of the model and of its feature extractor.
    n_features_in_ : int
        Number of columns of X; only set where `fit` was given a 2-D array.

    See Also
    --------
    PretrainedEmbedder : Networks by name.
    TorchEmbedder : Any torch module.

    Notes
    -----
    Nothing is learned in `fit`; `transform` works without it.

    Models and their embeddings: AST (mean of its two tokens), wav2vec 2.0, HuBERT, WavLM, data2vec
    and UniSpeech-SAT (mean of the last hidden states), Whisper (the encoder; mean over the frames
    that the recording covers, not over the silence that it is padded with), CLAP (the projection
    into the space that sounds and texts share). The feature extractor of the model pads short
    chunks, as it does for other users of the model. CLAP gets at most 10 s, so that none of its
    random crops is drawn.

    Code in the folder of a model is never run (``trust_remote_code=False``).

    References
    ----------
    Gong, Chung & Glass 2021, "AST: Audio Spectrogram Transformer". Baevski et al. 2020, "wav2vec
    2.0: A framework for self-supervised learning of speech representations". Hsu et al. 2021,
    "HuBERT". Chen et al. 2022, "WavLM". Radford et al. 2023, "Robust speech recognition via
    large-scale weak supervision" (Whisper). Wu et al. 2023, "Large-scale contrastive
    language-audio pretraining with feature fusion and keyword-to-caption augmentation" (CLAP).

    Examples
    --------
    A small model from its configurations (in practice, pass the name of a model, or its folder):

    >>> import tempfile
    >>> import transformers
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.pretrained import TransformersEmbedder
    >>> digits = load_spoken_digits()
    >>> config = transformers.HubertConfig(
    ...     hidden_size=16,
    ...     num_hidden_layers=2,
    ...     num_attention_heads=2,
    ...     intermediate_size=16,
    ...     conv_dim=[16] * 7,
    ...     num_conv_pos_embeddings=16,
    ...     num_conv_pos_embedding_groups=2,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config.save_pretrained(folder)
    ...     _ = transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    ...     embedder = TransformersEmbedder(folder, weights="random", layer=[1, 2])
    ...     embedder.fit_transform(digits.data[:3]).shape
    (3, 32)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "model_id": PATH,
        "weights": choice("random", None),
        "layer": _NUMBER | _NUMBERS | choice(None),
        "pooling": choice("mean", "max", None),
        "resolution": choice("chunk", "layer"),
        "batch_size": count() | choice(None),
    }

    def __init__(
        self,
        model_id: Any,
        *,
        weights: Any = None,
        layer: Any = None,
        pooling: str | None = "mean",
        resolution: str = "chunk",
        chunk_duration: Any = "auto",
        chunk_hop: Any = "auto",
        unit_norm: bool = False,
        on_error: str = "raise",
        batch_size: int | None = None,
        precision: str = "auto",
        device: Any = "cpu",
        data_home: Any = None,
        verbose: int = 0,
    ) -> None:
        self.model_id = model_id
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.resolution = resolution
        self.chunk_duration = chunk_duration
        self.chunk_hop = chunk_hop
        self.unit_norm = unit_norm
        self.on_error = on_error
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.data_home = data_home
        self.verbose = verbose

    @property
    def sample_rate(self) -> float:
        """Sample rate of the model in Hz; recordings are resampled to it, arrays must have it."""
        own: Any = getattr(self, "net_", None)
        if own is not None and own.source == self._stored_source():
            return float(own.front_end.sample_rate)
        folder = find_folder(self.model_id, self.data_home)
        return float(read_json(folder / PREPROCESSOR).get("sampling_rate", 16000))

    def _load(self) -> TransformersNet:
        loaded: Any = super()._load()
        net: TransformersNet = loaded
        self.config_ = {"model": net.core.config, "preprocessor": net.core.preprocessor}
        return net

    def _source(self) -> tuple[Any, ...]:
        folder = find_folder(self.model_id, self.data_home)
        return str(folder), self.weights, files_of(folder, self.weights)

    def _stored_source(self) -> tuple[Any, ...]:
        return "stored", self.model_id, self.weights

    def _new_core(self) -> nn.Module:
        return load_model(str(find_folder(self.model_id, self.data_home)), self.weights)

    def _shared_core(self, source: tuple[Any, ...]) -> nn.Module:
        return shared_model(*source)

    def _new_net(self, tensors: Mapping[str, Any]) -> TransformersNet:
        facts = self.config_
        return self._bridge(AudioModel(facts["model"], facts["preprocessor"], "the stored model"))

    def _bridge(self, core: Any) -> TransformersNet:
        net = TransformersNet(core)
        if not net.fixed and isinstance(self.chunk_duration, (int, float)):
            net.chunk_duration = net.chunk_hop = float(self.chunk_duration)
        return net

    def _ready(self, net: TransformersNet, fold: bool) -> TransformersNet:
        core: Any = ready_module(net.core, str(self.device))
        return TransformersNet(core, str(self.device), self.precision == "bfloat16")

    def _licences(self) -> dict[str, str]:
        if not hasattr(self, "config_"):
            raise ValueError("TransformersEmbedder is saved with its net_: fit it first.")
        known = "none: random weights" if self.weights == RANDOM else "see the page of the model"
        return {"a model of transformers": known}

    def _cache_facts(self) -> dict[str, Any]:
        core: Any = self._net().core
        return {"weights": self.weights_hash(), "config": [core.config, core.preprocessor]}

    def _what_is_read(self) -> tuple[Any, ...]:
        return self.resolution, self.layer

    def _outputs(self, net: TransformersNet, inputs: torch.Tensor) -> list[torch.Tensor]:
        return net.read(inputs, self._layers())

    def _steps(self, net: TransformersNet, inputs: torch.Tensor) -> torch.Tensor:
        if net.core.family.model.startswith("Clap"):
            raise ValueError(
                "resolution='layer': CLAP folds time into its layers, so that they have no frames, "
                "expected 'chunk'."
            )
        return super()._steps(net, inputs)

    def _layers(self) -> list[int]:
        if self.layer is None:
            return []
        return [int(self.layer)] if is_number(self.layer, numbers.Integral) else list(self.layer)
