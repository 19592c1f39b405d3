"""What the embedder and the tagger share: a net of the registry."""

from __future__ import annotations

from typing import Any

import torch

from skaudio._validation import PATH, TEXT, Constraint, choice, sequence
from skaudio.pretrained._chunked_transformer import ChunkedTransformer
from skaudio.pretrained._holds_net import HoldsNet
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import find_model, load_net

# "auto" is float32: embeddings of several machines are compared with each other.
DTYPES = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}

_PATHS = sequence("sequence of paths", "a list of paths", PATH)
WEIGHTS = Constraint(("path",), (), ("a path",), PATH.is_type) | _PATHS | choice("random", None)
LABELS = sequence("sequence of str", "a list of labels", TEXT)


class PretrainedTransformer(HoldsNet, ChunkedTransformer):
    """Recordings through a pretrained net."""

    precision: str
    device: Any

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the net: recordings are resampled to it, bare arrays are at it."""
        return find_model(self.model).net.front_end.sample_rate

    def _load(self) -> PretrainedNet:
        net = load_net(self.model, self.weights, self.model_params, self.data_home)
        net.weights_source = self._weights_source()
        return net

    def _ready(self, net: PretrainedNet, fold: bool) -> PretrainedNet:
        return inference_net(net, self.device, DTYPES[self.precision], fold_batch_norm=fold)
