"""VGGish: a VGG network over log-mel patches of 0.96 s, with 128 features each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from skaudio.dsp import Analysis, Framing, Scale, mel_domain_filterbank
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet, Stage

# Channels of the convolutions; None halves time and frequency.
LAYERS = (64, None, 128, None, 256, 256, None, 512, 512, None)
# Whitened features are clipped to +-CLIP and quantised to 8 bits.
CLIP = 2.0


class VGGish(PretrainedNet):
    """VGG network over 64 mel bands: 128 features every 0.96 s.

    Hershey et al. 2017, "CNN architectures for large-scale audio classification"; trained on a
    predecessor of YouTube-8M. The state dict is that of the port ``harritaylor/torchvggish``. The
    network has no classes.

    Parameters
    ----------
    relu : bool, default=True
        Whether to rectify the embedding, as the port does. Google's original does not.
    pca : bool, default=False
        Whether to whiten the embedding, clip it to +-2 and quantise it to integers from 0 to 255,
        as in the features published with AudioSet. This needs the second file of the port.
    """

    front_end = FrontEnd(
        sample_rate=16000,
        analysis=Analysis(
            Framing(512, 400, 160, center=False),
            power=1.0,
            filters=partial(mel_domain_filterbank, 16000, 512, 64, 125.0, 7500.0),
            scale=Scale("log", power=1.0, eps=1e-2),
        ),
        pad=(512 - 400) // 2,
    )
    chunk_duration = 0.975  # 96 frames
    chunk_hop = 0.96
    fixed = True
    time_axis = 2
    n_features = 128
    n_classes = 0

    def __init__(self, relu: bool = True, pca: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for out in LAYERS:
            if out is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
        self.features = nn.Sequential(*layers)
        hidden = [nn.Linear(512 * 6 * 4, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
        last = [nn.Linear(4096, self.n_features), *([nn.ReLU()] if relu else [])]
        self.embeddings = nn.Sequential(*hidden, *last)
        self.pproc = Whitening(self.n_features) if pca else None

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        state = {}
        for key, value in tensors.items():
            if "pca_" not in key:
                state[key] = value
            elif self.pproc is not None:
                name = f"pproc.{key.removeprefix('pproc.')}"
                state[name] = value.reshape(self.get_buffer(name).shape)
        return state

    def stages(self) -> list[Stage]:
        layers = list(self.features)
        first = Stage((layers[0],), lambda x: layers[0](x.transpose(1, 2).unsqueeze(1)))
        last = Stage((self.embeddings,), self._embedding)
        return [first, *(Stage((layer,), layer) for layer in layers[1:]), last]

    def _embedding(self, maps: torch.Tensor) -> torch.Tensor:
        embedding: torch.Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embedding if self.pproc is None else self.pproc(embedding)

    def forward(self, x: torch.Tensor) -> Output:
        for stage in self.stages():
            x = stage.run(x)
        return Output(x)


class Whitening(nn.Module):
    """Principal components of unit variance, clipped and quantised to 8 bits."""

    pca_eigen_vectors: torch.Tensor
    pca_means: torch.Tensor

    def __init__(self, n: int):
        super().__init__()
        self.register_buffer("pca_eigen_vectors", torch.eye(n))
        self.register_buffer("pca_means", torch.zeros(n, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whitened = (x - self.pca_means.T) @ self.pca_eigen_vectors.T
        return ((whitened.clamp(-CLIP, CLIP) + CLIP) * (255 / (2 * CLIP))).round()
