"""Every network can be trained further: gradients reach all weights, and bfloat16 is near."""

from __future__ import annotations

import numpy as np
import pytest

from skaudio.pretrained import PretrainedEmbedder
from skaudio.pretrained._model_table import MODELS

NAMES = ["mn01_as", "yamnet", "ge2e", "redimnet_b2", "ced_tiny", "frame_mn06"]
# Not part of the output: one set of classes.
UNUSED = {"frame_mn06": ("weak_head.",)}


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return rng.normal(scale=0.1, size=(2, 16000)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, clips):
    net = PretrainedEmbedder(name, weights="random").fit(list(clips)).net_.train()
    output = net(net.front_end(clips[:, : round(net.chunk_duration * net.front_end.sample_rate)]))
    (output.embedding if output.logits is None else output.logits).square().sum().backward()
    unused = UNUSED.get(name, ())
    without = [n for n, p in net.named_parameters() if p.grad is None and not n.startswith(unused)]
    assert not without


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16(name, clips):
    rows, near = (
        PretrainedEmbedder(name, weights="random", precision=p).transform(list(clips))
        for p in ("float32", "bfloat16")
    )
    assert not np.array_equal(rows, near)
    cosines = (rows * near).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(near, axis=1)
    assert cosines.min() > 0.95


def test_names_are_those_of_the_table():
    assert set(NAMES) < set(MODELS)
