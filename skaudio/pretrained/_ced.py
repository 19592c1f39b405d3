"""CED: a small transformer over mel spectrograms, distilled from larger ones on AudioSet."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank
from skaudio.pretrained._pretrained_net import FILL, FrontEnd, Output, PretrainedNet

N_MELS, PATCH, N_BLOCKS = 64, 16, 12
# Frames of the longest input, and positions of patches in it.
MAX_FRAMES, MAX_PATCHES = 1012, 63
EPS = 1e-6  # eps of the layer normalisations


class CED(PretrainedNet):
    """Vision transformer over patches of 16 mel bands and 16 frames: ced_tiny and ced_mini.

    Dinkel et al. 2024, "CED: Consistent ensemble distillation for audio tagging". The embedding is
    the mean over patches. The weights can be the state dict of the official code, or of the models
    on Hugging Face (``mispeech/ced-tiny``, ``mispeech/ced-mini``).

    A recording is cut into chunks of 1012 frames. If there are several, the last one is padded with
    zeros after the normalisation of the bands, as in the official code. The floor of the
    spectrogram, 120 dB below the maximum, is relative to the chunk; in the official code, it is
    relative to a batch of recordings. Frames of layers (``resolution="layer"``) include
    those of the padding.

    Parameters
    ----------
    width : int, default=192
        Width of the tokens: 192 for ced_tiny, 256 for ced_mini.
    n_heads : int, default=3
    n_classes : int, default=527
    """

    # Frames at the ends of a chunk depend on 256 samples outside of it; recordings are mirrored at
    # the ends.
    front_end = FrontEnd(
        sample_rate=16000,
        analysis=Analysis(
            Framing(512, 512, 160, center=False),
            filters=partial(mel_filterbank, 16000, 512, N_MELS, 0.0, 8000.0, True, None),
            scale=Scale("db", top_db=120.0),
        ),
        margin=256,
        margin_mode="reflect",
    )
    chunk_duration = 10.12
    chunk_hop = 10.12
    fixed = True
    fills = False
    filled_frames = MAX_FRAMES
    min_samples = 2400  # 16 frames: one patch in each band

    def __init__(self, width: int = 192, n_heads: int = 3, n_classes: int = 527):
        super().__init__()
        self.n_features, self.n_classes = width, n_classes
        n_bands = N_MELS // PATCH
        self.time_pos_embed = nn.Parameter(torch.zeros(1, width, 1, MAX_PATCHES))
        self.freq_pos_embed = nn.Parameter(torch.zeros(1, width, n_bands, 1))
        self.init_bn = nn.Sequential(nn.Identity(), nn.BatchNorm1d(N_MELS))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, PATCH, PATCH)})
        self.blocks = nn.Sequential(*(ViTBlock(width, n_heads) for _ in range(N_BLOCKS)))
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.outputlayer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_classes))

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        state = {}
        for key, value in tensors.items():
            name = key.removeprefix("encoder.")
            if name.startswith("init_bn.") and not name.startswith("init_bn.1."):
                name = name.replace("init_bn.", "init_bn.1.")
            if not name.startswith("front_end."):  # tables, which are computed here
                state[name] = value
        return state

    def forward(self, x: torch.Tensor) -> Output:
        x = x[:, :, :MAX_FRAMES]
        bands = self.init_bn(x).masked_fill(x == FILL, 0.0)
        maps = self.patch_embed["proj"](bands.unsqueeze(1))
        maps = maps + self.time_pos_embed[..., : maps.shape[3]] + self.freq_pos_embed
        tokens = self.norm(self.blocks(maps).flatten(2).transpose(1, 2))
        embedding = tokens.mean(dim=1)
        return Output(embedding, self.outputlayer(embedding))


class ViTBlock(nn.Module):
    """Attention and a feed-forward part, each after a normalisation, of maps of patches.

    Takes and returns (n, width, n_bands, n_patches), so that the axis of time can be found.
    """

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = SelfAttention(width, n_heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attn(self.norm1(tokens))
        hidden = functional.gelu(self.mlp["fc1"](self.norm2(tokens)))
        tokens = tokens + self.mlp["fc2"](hidden)
        return tokens.transpose(1, 2).reshape(x.shape)


class SelfAttention(nn.Module):
    """Attention among all tokens (n, n_tokens, width)."""

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(x).unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        out: torch.Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out
