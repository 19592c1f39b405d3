"""On a GPU: encoding, embedding and training, against the CPU and bare torch loops on the GPU.

    python benchmarks/bench_gpu.py [--parts encoders embedding training] [--repeats 5]

The bare loops hold what they need on the GPU before the clock starts. Times are medians of calls
that end when their results are on the CPU.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import numpy as np
import torch
from bench_finetuning import Clock, spectra_of, train
from bench_pretrained import straightforward
from timing import Report, compare

from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.encoders import MelSpectrogram
from skaudio.pretrained import FineTunedClassifier, PretrainedEmbedder

RATE = 16000


def noise(n, seconds, rate=RATE):
    rng = np.random.default_rng(0)
    return list(0.1 * rng.standard_normal((n, round(seconds * rate)), np.float32))


def encoders(report, repeats):
    """Encode clips of 1 and 10 s."""
    import torchaudio

    settings = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64}
    theirs = torchaudio.transforms.MelSpectrogram(RATE, **settings).cuda()
    for n, seconds in ((2000, 1.0), (200, 10.0)):
        clips = noise(n, seconds)
        stacked = np.stack(clips)
        on_gpu, on_cpu = (
            MelSpectrogram(sample_rate=RATE, scale="linear", device=device, **settings)
            for device in ("cuda", "cpu")
        )
        contestants = {
            "skaudio, GPU": lambda encoder=on_gpu, clips=clips: encoder.transform(clips),
            "skaudio, CPU": lambda encoder=on_cpu, clips=clips: encoder.transform(clips),
            "torchaudio, GPU, one tensor": lambda x=stacked: theirs(
                torch.from_numpy(x).cuda()
            ).cpu(),
        }
        title = f"MelSpectrogram, {n} clips of {seconds:g} s"
        report.row(title, compare(contestants, repeats), n)


def embedding(report, repeats):
    """Embed clips of 5 s by networks with random weights."""
    for name in ("mn04_as", "mn10_as"):
        kind = {"model": name, "weights": "random"}
        ours = PretrainedEmbedder(**kind, device="cuda")
        clips = noise(400, 5.0, ours.sample_rate)
        ours.fit(clips[:1])
        near = PretrainedEmbedder(**kind, device="cuda", precision="bfloat16").fit(clips[:1])
        on_cpu = PretrainedEmbedder(**kind).fit(clips[:1])
        net = copy.deepcopy(on_cpu.net_).cuda()

        @torch.inference_mode()
        def in_batches(net=net, clips=clips):
            found = []
            for start in range(0, len(clips), 64):
                spectra = net.front_end(clips[start : start + 64], "cuda")
                found.append(net(spectra).embedding.cpu().numpy())
            return np.concatenate(found)

        by_clip = straightforward(net, "cuda")

        @torch.inference_mode()
        def one_by_one(by_clip=by_clip, clips=clips):
            return np.stack([by_clip(clip).cpu().numpy() for clip in clips])

        contestants = {
            "skaudio, GPU": lambda ours=ours, clips=clips: ours.transform(clips),
            "skaudio, GPU, bfloat16": lambda near=near, clips=clips: near.transform(clips),
            "skaudio, CPU": lambda on_cpu=on_cpu, clips=clips: on_cpu.transform(clips),
            "loop of 64 clips, GPU": in_batches,
            "loop, one clip at a time, GPU": one_by_one,
        }
        report.row(f"{name}, per clip of 5 s", compare(contestants, repeats), len(clips), "ms")
        rows = {title: call() for title, call in contestants.items()}
        for title, found in rows.items():
            difference = np.abs(found - rows["skaudio, CPU"]).max()
            report.fact(f"{name}, {title}, largest difference to the CPU", difference)


def when_done():
    """Return the time at which the GPU has finished its work."""
    torch.cuda.synchronize()
    return time.perf_counter()


def epoch(estimator, X, y):
    """Return the median seconds of an epoch but the first."""
    seconds = []
    estimator.set_params(callbacks=[Clock(seconds, when_done)], max_epochs=6).fit(X, y)
    return statistics.median(seconds[1:])


def training(report, repeats):
    """Train classifiers on spectrograms of words, and fine-tune mn04_as and mn10_as."""
    y = np.arange(2000) % 10
    frames = list(MelSpectrogram(n_mels=40).transform(noise(2000, 0.6)))
    for kind in (LeNetClassifier, GRUClassifier):
        for device in ("cuda", "cpu"):
            seconds = epoch(kind(device=device, random_state=0), frames, y)
            report.fact(f"{kind.__name__}, epoch of 2000 words, {device}", seconds, "s")
    clips, y = noise(256, 5.0, 32000), np.arange(256) % 10
    for model in ("mn04_as", "mn10_as"):
        for precision in ("bfloat16", "float32"):
            tuned = FineTunedClassifier(
                model, weights="random", unfreeze="all", precision=precision, random_state=0,
                device="cuda",
            )  # fmt: skip
            own = epoch(tuned, clips, y)
            net, spectra = spectra_of(clips, model, "cuda")
            bare = statistics.median(train(net, spectra, y, precision, 5)[1:])
            report.fact(f"{model}, {precision}, epoch of 256 clips", own, "s")
            report.fact(f"{model}, {precision}, ratio to a bare loop", own / bare)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"encoders": encoders, "embedding": embedding, "training": training}
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    report = Report()
    report.head(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, "
                f"{torch.get_num_threads()} threads of the CPU")  # fmt: skip
    for part in options.parts:
        parts[part](report, options.repeats)


if __name__ == "__main__":
    main()
