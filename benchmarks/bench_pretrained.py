"""Embedding by pretrained nets: ours against the straightforward loop, the same weights in both.

    python benchmarks/bench_pretrained.py [--clips 400] [--repeats 5] [--models mn04_as ...]

The loop is what the official code does: one clip at a time through a front end made of torch's STFT
and one dense product with the filters, then through the net as it is, with torch's threads inside
each operation. Nets whose weights are not at hand get random ones: the time is the same.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from timing import Report, compare, machine

from skaudio.pretrained import PretrainedEmbedder
from skaudio.pretrained._registry import MODELS

SECONDS = 5.0


def straightforward(net, device="cpu"):
    """Return a function from a waveform to an embedding, as the official repositories write it."""
    front_end = net.front_end
    analysis = front_end.analysis
    framing, scale = analysis.framing, analysis.scale
    window = torch.from_numpy(np.array(framing.weights)).to(device)
    filters = torch.from_numpy(np.array(analysis.filters(1.0).weights)).to(device)

    def log_mel(x):
        if front_end.preemphasis:
            kernel = torch.tensor([[[-front_end.preemphasis, 1.0]]], device=device)
            x = torch.nn.functional.conv1d(x[None], kernel)[0]
        x = torch.nn.functional.pad(x, (front_end.pad, front_end.pad))
        spectrum = torch.stft(
            x,
            framing.n_fft,
            framing.hop_length,
            framing.win_length,
            window,
            center=framing.center,
            pad_mode="reflect",
            return_complex=True,
        ).abs()
        mel = filters @ (spectrum if analysis.power == 1.0 else spectrum**2)
        if scale.kind == "log":
            mel = torch.log(mel + scale.eps)
        else:
            mel = 10 * torch.log10(mel.clamp(min=1e-10))
        return (mel + front_end.shift) / front_end.scale

    def embed(waveform):
        x = torch.from_numpy(waveform).to(device)
        if not net.fixed:
            return net(log_mel(x[None])).embedding[0]
        length = round(net.chunk_duration * front_end.sample_rate)
        hop = round(net.chunk_hop * front_end.sample_rate)
        missing = -(len(x) - length) % hop
        chunks = torch.nn.functional.pad(x, (0, missing)).unfold(0, length, hop)
        return net(torch.stack([log_mel(chunk[None])[0] for chunk in chunks])).embedding.mean(0)

    return embed


def run(name, n_clips, repeats, report):
    rng = np.random.default_rng(0)
    rate = PretrainedEmbedder(name).sample_rate
    size = round(SECONDS * rate)
    clips = list(rng.normal(scale=0.1, size=(n_clips, size)).astype(np.float32))
    weights = "random"
    try:
        PretrainedEmbedder(name).fit(clips[:1])
        weights = None
    except (ConnectionError, PermissionError):
        print(f"  {name}: no weights at hand, random ones instead")
    ours = PretrainedEmbedder(name, weights=weights).fit(clips[:1])
    near = PretrainedEmbedder(name, weights=weights, precision="bfloat16", batch_size=8)
    near.fit(clips[:1])
    embed = straightforward(ours.net_)

    @torch.inference_mode()
    def loop():
        return np.stack([embed(clip).numpy() for clip in clips])

    contestants = {
        "skaudio": lambda: ours.transform(clips),
        "skaudio, bfloat16": lambda: near.transform(clips),
        "loop, one clip at a time": loop,
    }
    figures = compare(contestants, repeats)
    report.row(f"{name}, per clip of {SECONDS:g} s", figures, n_clips, "ms")
    seconds = figures["skaudio"].median / (n_clips * SECONDS)
    report.fact(f"{name}, per second of audio", seconds * 1e3, "ms")
    expected = loop()
    for title, embedder in (("float32", ours), ("bfloat16", near)):
        rows = embedder.transform(clips)
        report.fact(
            f"{name}, {title}, largest difference to the loop", np.abs(rows - expected).max()
        )
        products = (rows * expected).sum(1)
        cosines = products / np.linalg.norm(rows, axis=1) / np.linalg.norm(expected, axis=1)
        report.fact(f"{name}, {title}, lowest cosine to the loop", cosines.min())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["mn04_as"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report = Report()
    report.head(f"Embedding {options.clips} clips of {SECONDS:g} s, {options.threads} threads")
    for name in options.models:
        run(name, options.clips, options.repeats, report)
    if options.json:
        facts = {"machine": machine(), "rows": report.rows}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
