"""An epoch of FineTunedClassifier against a bare torch loop over the same spectrograms.

    python benchmarks/bench_finetuning.py [--model mn04_as] [--clips 64] [--seconds 5] [--epochs 4]

The bare loop holds all spectrograms in one tensor, takes slices of a shuffled order, and trains the
same network (channels last) and a linear layer with AdamW, in bfloat16 and in float32. Each step
is the same amount of work. Weights are random; times are medians of CPU seconds per epoch.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from skaudio.pretrained import FineTunedClassifier, PretrainedEmbedder

BATCH_SIZE = 32


class Clock(Callback):
    """Takes the time of each epoch, by default that of the CPU."""

    def __init__(self, seconds, now=time.process_time):
        self.seconds, self.now = seconds, now

    def __deepcopy__(self, memo):
        return self

    def on_epoch_begin(self, net, **kwargs):
        self.start = self.now()

    def on_epoch_end(self, net, **kwargs):
        self.seconds.append(self.now() - self.start)


def ours(clips, y, model, precision, n_epochs, **params):
    """Return the seconds of each epoch but the first."""
    seconds = []
    FineTunedClassifier(
        model,
        weights="random",
        max_epochs=n_epochs + 1,
        batch_size=BATCH_SIZE,
        precision=precision,
        random_state=0,
        callbacks=[Clock(seconds)],
        **params,
    ).fit(clips, y)
    return seconds[1:]


def spectra_of(clips, model, device="cpu"):
    """Return a network with random weights, and the spectrograms of clips, on a device."""
    net = PretrainedEmbedder(model, weights="random").fit(clips[:1]).net_
    spectra = torch.cat([net.front_end(clips[i : i + 1]) for i in range(len(clips))])
    net.to(device, memory_format=torch.channels_last).train()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    return net, spectra.to(device)


def train(net, spectra, y, precision, n_epochs, clock=time.perf_counter):
    """Train by a bare loop; return the seconds of each epoch."""
    device = spectra.device
    head = nn.Linear(net.n_features, len(np.unique(y))).to(device)
    parameters = [*net.features.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    targets, seconds = torch.from_numpy(y).to(device), []
    for _ in range(n_epochs):
        start = clock()
        for index in torch.randperm(len(spectra)).split(BATCH_SIZE):
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                rows = net.features(spectra[index].unsqueeze(1)).mean((2, 3)).float()
            nn.functional.cross_entropy(head(rows), targets[index]).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - start)
    return seconds


def bare(clips, y, model, precision, n_epochs):
    """Return the CPU seconds of each epoch but the first."""
    net, spectra = spectra_of(clips, model)
    return train(net, spectra, y, precision, n_epochs + 1, time.process_time)[1:]


def main():
    """Print a table of seconds per epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mn04_as", help="one of EfficientAT")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    clips = rng.standard_normal((args.clips, round(args.seconds * 32000)), np.float32)
    y = np.arange(args.clips) % 10
    print(f"{args.model}, {args.clips} clips of {args.seconds:g} s, batches of {BATCH_SIZE}")
    for precision in ("bfloat16", "float32"):
        ratio = []
        for _ in range(2):  # taken in turn, since other programs may slow down the machine
            own = statistics.median(
                ours(clips, y, args.model, precision, args.epochs, unfreeze="all")
            )
            loop = statistics.median(bare(clips, y, args.model, precision, args.epochs))
            ratio.append(own / loop)
            print(f"{precision}: ours {own:.2f} s, bare loop {loop:.2f} s, ratio {own / loop:.2f}")
        print(f"{precision}: ratio {min(ratio):.2f} to {max(ratio):.2f}")
    for unfreeze in (8, 4, "head"):
        own = statistics.median(ours(clips, y, args.model, "auto", args.epochs, unfreeze=unfreeze))
        print(f"unfreeze={unfreeze!r}: {own:.3f} s")


if __name__ == "__main__":
    main()
