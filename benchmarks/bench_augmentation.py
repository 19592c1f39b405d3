"""Augmentations side by side with audiomentations, on one and on two threads.

Each takes the same batch of float32 waveforms, 16 kHz. One call of skaudio augments the batch with
a seed per recording; audiomentations is called per recording, for two threads with half of the
batch in each. The fastest of many interleaved repetitions counts: what other programs do to a
machine only makes it slower. audiomentations is no dependency: ``pip install audiomentations``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from skaudio.audio import AudioBatch
from skaudio.augmentation import Convolution, Noise, TimeShift, Volume, epoch_seeds

RATE = 16000
CLIPS = {0.5: 64, 5.0: 32}  # duration in seconds: recordings per batch


def pairs(impulse_response: str) -> dict[str, tuple]:
    import audiomentations as am

    return {
        "noise": (Noise(snr_db=(10, 40)), am.AddGaussianSNR(min_snr_db=10, max_snr_db=40, p=1)),
        "shift": (TimeShift(mode="roll"), am.Shift(-0.1, 0.1, fade_duration=0.0, p=1)),
        "gain": (Volume((-6, 6)), am.Gain(min_gain_db=-6, max_gain_db=6, p=1)),
        "convolution": (
            Convolution(impulse_response),
            am.ApplyImpulseResponse(impulse_response, p=1),
        ),
    }


def fastest(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return the least seconds of each call, measured in turn."""
    best = [float("inf")] * len(calls)
    for _ in range(repeats + 1):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        path = str(Path(folder, "room.wav"))
        decay = 10 ** (-3 * np.arange(RATE) / RATE)
        sf.write(path, np.r_[0.9, 0.2 * rng.standard_normal(RATE - 1) * decay[1:]], RATE)
        try:
            augmentations = pairs(path)
        except ImportError:
            sys.exit("audiomentations is not installed: pip install audiomentations")
        print("microseconds per second of audio; ratio above 1: skaudio is faster")
        print(
            f"{'threads':8}{'clips':>7}  {'':12}{'skaudio':>10}{'audiomentations':>17}{'ratio':>8}"
        )
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            total = np.zeros(2)
            for seconds, n in CLIPS.items():
                waveforms = 0.1 * rng.standard_normal((n, round(seconds * RATE)))
                batch = AudioBatch(waveforms, RATE)
                clips = list(batch)
                parts = [clips[i::n_threads] for i in range(n_threads)]
                seeds = epoch_seeds(0, 0, np.arange(n))
                for name, (ours, theirs) in augmentations.items():

                    def one_by_one(part, augment=theirs):
                        return [augment(clip, RATE) for clip in part]

                    def all_parts(call=one_by_one, parts=parts, n_threads=n_threads):
                        return list((pool.map if n_threads > 1 else map)(call, parts))

                    def at_once(augmentation=ours, batch=batch, seeds=seeds):
                        return augmentation.augment(batch, seeds)

                    times = np.array(fastest([at_once, all_parts], repeats)) / (n * seconds) * 1e6
                    total += times
                    print(
                        f"{n_threads:<8}{seconds:5.1f} s  {name:12}{times[0]:10.1f}{times[1]:17.1f}"
                        f"{times[1] / times[0]:8.2f}",
                        flush=True,
                    )
            print(
                f"{n_threads:<8}{'all':>7}  {'':12}{total[0]:10.1f}{total[1]:17.1f}"
                f"{total[1] / total[0]:8.2f}"
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
