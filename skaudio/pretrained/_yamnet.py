"""YAMNet: a MobileNet over log-mel patches of 0.96 s."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from skaudio.dsp import Analysis, Framing, Scale, mel_domain_filterbank
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet, Stage

# Channels and stride of the layers; all but the first are depthwise separable.
LAYERS = (
    (32, 2),
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
EPS = 1e-4  # eps of the batch normalisation

# layer2/depthwise_conv/layer2/depthwise_conv/depthwise_kernel:0, logits/logits/kernel:0 ...
KERAS = re.compile(
    r"(?P<layer>layer\d+/(?:depthwise_|pointwise_)?conv|logits|dense)(?:/bn)?"
    r"/(?P<what>depthwise_kernel|kernel|beta|moving_mean|moving_variance|bias)(?::0)?$"
)
# layer2/depthwise_conv/weight: normalisation folded into the convolution.
FOLDED = re.compile(r"(?P<layer>layer\d+/(?:depthwise_|pointwise_)?conv|logits)/(weight|bias)$")


class YAMNet(PretrainedNet):
    """MobileNet 1 over 64 mel bands: 521 classes of AudioSet every 0.48 s.

    Plakal & Ellis, https://github.com/tensorflow/models/tree/master/research/audioset/yamnet. The
    weights can be the official ``yamnet.h5``, the state dict of the port ``w-hc/torch_audioset``,
    or arrays with folded batch normalisation.

    Parameters
    ----------
    n_classes : int, default=521
    """

    front_end = FrontEnd(
        sample_rate=16000,
        analysis=Analysis(
            Framing(512, 400, 160, center=False),
            power=1.0,
            filters=partial(mel_domain_filterbank, 16000, 512, 64, 125.0, 7500.0),
            scale=Scale("log", power=1.0, eps=1e-3),
        ),
        pad=(512 - 400) // 2,
    )
    chunk_duration = 0.975  # 96 frames
    chunk_hop = 0.48
    fixed = True
    time_axis = 2
    n_features = LAYERS[-1][0]

    def __init__(self, n_classes: int = 521):
        super().__init__()
        self.n_classes = n_classes
        channels = 1
        for i, (out, stride) in enumerate(LAYERS, 1):
            if i == 1:
                parts = {"fused": conv(channels, out, 3, stride)}
            else:
                parts = {
                    "depthwise_conv": conv(channels, channels, 3, stride, groups=channels),
                    "pointwise_conv": conv(channels, out, 1, 1),
                }
            self.add_module(f"layer{i}", nn.Sequential(OrderedDict(parts)))
            channels = out
        self.classifier = nn.Linear(channels, n_classes)

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if any(FOLDED.search(name) for name in tensors):
            return _from_folded(tensors)
        if any(KERAS.search(name) for name in tensors):
            return _from_keras(tensors)
        return dict(tensors)

    def stages(self) -> list[Stage]:
        layers = [self.get_submodule(f"layer{i}") for i in range(1, len(LAYERS) + 1)]
        first = Stage((layers[0],), lambda x: layers[0](x.transpose(1, 2).unsqueeze(1)))
        last = Stage((layers[-1],), lambda x: layers[-1](x).mean(dim=(2, 3)))
        return [first, *(Stage((layer,), layer) for layer in layers[1:-1]), last]

    def forward(self, x: torch.Tensor) -> Output:
        embedding = x
        for stage in self.stages():
            embedding = stage.run(embedding)
        return Output(embedding, self.classifier(embedding))


def conv(channels: int, out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    """Return a convolution with TensorFlow's padding, batch normalisation and a rectifier."""
    parts: dict[str, nn.Module] = {}
    padding = kernel // 2
    if stride == 2:  # TensorFlow pads at the bottom and on the right
        parts["pad"], padding = nn.ZeroPad2d((0, 1, 0, 1)), 0
    parts["conv"] = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
    parts["bn"] = nn.BatchNorm2d(out, eps=EPS)
    parts["relu"] = nn.ReLU()
    return nn.Sequential(OrderedDict(parts))


def _module_name(layer: str) -> str:
    """Map names of layers (layer1/conv, layer2/depthwise_conv, logits) to names of modules."""
    if layer in ("logits", "dense"):
        return "classifier"
    number, _, kind = layer.partition("/")
    return f"{number}.{'fused' if kind == 'conv' else kind}"


def _from_keras(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = {}
    names = {
        "beta": "bn.bias",
        "moving_mean": "bn.running_mean",
        "moving_variance": "bn.running_var",
    }
    for key, value in tensors.items():
        match = KERAS.search(key)
        if match is None:
            continue
        module, what = _module_name(match["layer"]), match["what"]
        if module == "classifier":
            name, value = ("weight", value.T) if what == "kernel" else ("bias", value)
        elif what == "depthwise_kernel":  # height, width, channels, 1
            name, value = "conv.weight", value.permute(2, 3, 0, 1)
        elif what == "kernel":  # height, width, in, out
            name, value = "conv.weight", value.permute(3, 2, 0, 1)
        else:
            name = names[what]
        state[f"{module}.{name}"] = value.contiguous()
        if what == "beta":  # the official network has no scale
            state[f"{module}.bn.weight"] = torch.ones_like(value)
    return state


def _from_folded(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give folded convolutions a batch normalisation that only adds their bias."""
    state = {}
    for key, value in tensors.items():
        match = FOLDED.search(key)
        if match is None:
            continue
        module, what = _module_name(match["layer"]), match[2]
        if module == "classifier":
            state[f"{module}.{what}"] = value
        elif what == "weight":
            state[f"{module}.conv.weight"] = value
        else:
            state[f"{module}.bn.bias"] = value
            state[f"{module}.bn.weight"] = torch.ones_like(value)
            state[f"{module}.bn.running_mean"] = torch.zeros_like(value)
            state[f"{module}.bn.running_var"] = torch.full_like(value, 1 - EPS)
    return state
