"""
Encoders: from sound to numbers, and back
=========================================

Encoders turn recordings into frames, arrays ``(n_features, n_frames)``. This page draws the output
of each encoder for one recording, and turns it back into sound: exactly from an STFT, by
Griffin-Lim from what has lost its phases.

This page is also a script: ``python plot_0_encoders.py --data recording.wav``.
"""

# %%
# A recording
# -----------
# ``X`` is a sequence of recordings, here with one element, a path. ``Waveform`` decodes it, mixes
# it down to one channel and resamples it to 16 kHz.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

parser = argparse.ArgumentParser(description="Every encoder of a recording.")
parser.add_argument("--data", help="a recording of some seconds; default: a bundled digit")
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skaudio.augmentation import RandomSegment
from skaudio.datasets import load_spoken_digits
from skaudio.display import AudioPlayers, SpectrogramDisplay
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform

X = load_spoken_digits().data[210:211]  # "seven"
# sphinx_gallery_start_ignore
if args.data is not None:
    X = [args.data]
# sphinx_gallery_end_ignore
waveforms = Waveform().fit_transform(X)
players = AudioPlayers(waveforms, titles=["the recording"])
players

# %%
# Every encoder
# -------------
# A window of 25 ms moves over the recording in hops of 10 ms, by default. An STFT is the complex
# spectrum of each window. A spectrogram is its squared magnitude. A mel spectrogram sums it in
# bands that are spaced as pitch is heard, here in dB. Cepstral coefficients (MFCC) are the cosine
# transform of these bands: the first ones describe the shape of the spectrum, without its fine
# structure.

encoders = {
    "Waveform": Waveform(),
    "STFT, magnitude": STFT(),
    "Spectrogram": Spectrogram(scale="db"),
    "MelSpectrogram": MelSpectrogram(scale="db"),
    "MFCC": MFCC(),
}
encoded = {name: encoder.fit_transform(X)[0] for name, encoder in encoders.items()}
figure, axes = plt.subplots(5, 1, figsize=(8, 12), layout="constrained", sharex=True)
duration = len(np.ravel(waveforms[0])) / 16000
axes[0].plot(np.linspace(0, duration, encoded["Waveform"].size), np.ravel(encoded["Waveform"]))
axes[0].set_title("Waveform")
for ax, (name, frames) in zip(axes[1:], list(encoded.items())[1:], strict=True):
    shown = np.abs(frames) if np.iscomplexobj(frames) else frames
    image = ax.imshow(shown, origin="lower", aspect="auto", extent=(0, duration, 0, len(shown)))
    ax.set(title=name, ylabel="feature")
    figure.colorbar(image, ax=ax)
axes[-1].set_xlabel("time (s)")
pictures = {"encoders": figure}

# %%
# Their shapes. Features have names, and frames have times:

table = pd.DataFrame(
    {
        "type": {name: frames.dtype for name, frames in encoded.items()},
        "shape": {name: frames.shape for name, frames in encoded.items()},
    }
)
print(table.to_string())
mel = encoders["MelSpectrogram"]
print(mel.get_feature_names_out()[:3], mel.frame_times(encoded["MelSpectrogram"])[:3].round(3))

# %%
# Long and short windows
# ----------------------
# A long window separates the harmonics of a voice, a short one its pulses. Axes are in Hz and
# seconds with `SpectrogramDisplay`.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for ax, milliseconds in zip(axes, (5, 50), strict=True):
    spectrogram = Spectrogram(
        win_length=16 * milliseconds, hop_length=32, n_fft=1024, scale="db", top_db=60
    )
    SpectrogramDisplay.from_estimator(spectrogram, X, index=0, ax=ax, colorbar=False)
    ax.set(title=f"window of {milliseconds} ms", ylim=(0, 4000))
pictures["windows"] = figure

# %%
# Parts of a recording
# --------------------
# ``offset`` and ``duration`` select a part, in seconds; only this part of a file is decoded. A
# mapping with ``start`` and ``duration`` is a clip. ``target_frames`` cuts or pads. In training,
# `RandomSegment` draws another part for each epoch.

parts = {
    "offset=0.1, duration=0.2": MFCC(offset=0.1, duration=0.2).fit_transform(X),
    "a clip": MFCC().fit_transform([{"path": X[0], "start": 0.1, "duration": 0.2}]),
    "target_frames=100": MFCC(target_frames=100).fit_transform(X),
}
for name, frames in parts.items():
    print(f"{name:25} {frames[0].shape}")
segments = RandomSegment(duration=0.4, random_state=0).augment(waveforms[[0, 0, 0]], [1, 2, 3])
print("random segments, in samples:", [len(np.ravel(segment)) for segment in segments])

# %%
# Back to sound
# -------------
# The inverse of an STFT is exact, up to rounding, because neighbouring windows overlap:

stft = encoders["STFT, magnitude"]
length = len(np.ravel(waveforms[0]))
back = stft.inverse_transform(stft.transform(X), lengths=length)
error = np.abs(np.ravel(back[0]) - np.ravel(waveforms[0])).max()
print(f"largest error of the inverse STFT: {error:.1e}")

# %%
# Spectrograms have no phases. Griffin-Lim searches for a signal whose spectrogram is the given one:
# it goes from signal to spectrogram and back, each time with the given magnitudes and the phases
# found. The inversion of mel bands and MFCC also has to guess what these discarded. The error is
# that of the mel spectrogram of the result, in dB.

lossy = {
    "Spectrogram": Spectrogram(),
    "MelSpectrogram": MelSpectrogram(),
    "MFCC, 40 coefficients": MFCC(n_mfcc=40),
    "MFCC, 13 coefficients": MFCC(n_mfcc=13),
}
target = encoded["MelSpectrogram"]
heard, errors = [waveforms[0]], {}
for name, encoder in lossy.items():
    features = encoder.fit_transform(X)
    for n_iter in (1, 32):
        found = encoder.inverse_transform(features, lengths=length, n_iter=n_iter, random_state=0)
        difference = mel.transform(found)[0] - target
        errors[name, n_iter] = np.abs(difference).mean()
    heard.append(found[0])
table = pd.Series(errors, name="mean error (dB)").unstack().rename_axis(columns="iterations")
print(table.loc[list(lossy)].round(2).to_string())
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name}.png", dpi=150)
# sphinx_gallery_end_ignore

# %%
# 13 cepstral coefficients describe the envelope of the spectrum only. The harmonics of the voice,
# and so its pitch, are gone.

AudioPlayers(
    [np.ravel(waveform) for waveform in heard],
    titles=["recording", *(f"from {name}" for name in lossy)],
    sample_rate=16000,
)
