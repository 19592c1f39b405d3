"""AugmentationDisplay: spectrograms and audio players of augmented recordings."""

from __future__ import annotations

import html
import os
from copy import deepcopy
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, get_tags

from skaudio._steps import frame_maker, pin_output, transform_plainly
from skaudio._validation import check_count
from skaudio.audio import AudioBatch, as_url, check_recordings
from skaudio.augmentation import TrainingPath, epoch_seeds
from skaudio.display._axes import spectrogram_params
from skaudio.display._picture import import_pyplot, one_recording, plain
from skaudio.display._spectrogram_display import SpectrogramDisplay
from skaudio.encoders import MelSpectrogram, Waveform

LINE_HEIGHT = 0.17  # height of a line of a title, in inches
LONGEST_NAME = 20  # longest name of a recording in a title, in characters


class AugmentationDisplay:
    """Plot the spectrograms of a recording and of its augmented versions.

    In a notebook, there is an audio player below each spectrogram with a waveform. Use
    `from_estimator` to create it.

    Parameters
    ----------
    frames : list of ndarray of shape (n_features, n_frames)
        Frames of the recording, followed by those of each draw.
    encoder : encoder
        The encoder that made the frames.
    waveforms : AudioBatch, default=None
        Waveforms of the recording and the draws. None: there are only frames.
    draws : DataFrame, default=None
        Drawn values, one row per draw; see `skaudio.augmentation.TrainingPath.draws`. They are
        shown in the titles. `augment` with the column ``seed`` repeats a draw.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, of shape (1 + n_draws,)

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import Noise
    >>> from skaudio.display import AugmentationDisplay
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> display = AugmentationDisplay.from_estimator(Noise(snr_db=10), tone)  # doctest: +SKIP
    >>> display.figure_.savefig("noise.png")  # doctest: +SKIP
    """

    def __init__(
        self, frames: Any, *, encoder: Any, waveforms: Any = None, draws: Any = None
    ) -> None:
        self.frames = frames
        self.encoder = encoder
        self.waveforms = waveforms
        self.draws = draws

    @classmethod
    def from_estimator(
        cls,
        augmentation: Any,
        X: Any,
        *,
        index: int = 0,
        n_draws: int = 3,
        random_state: Any = None,
        sample_rate: float | None = None,
        encoder: Any = None,
        figure: Any = None,
    ) -> Self:
        """Augment a recording several times and plot the results.

        Parameters
        ----------
        augmentation : augmentation, or Pipeline of augmentations
            The Pipeline may contain an encoder.
        X : sequence of recordings, or one path, 1-D waveform or mapping
        index : int, default=0
            Position of the recording in X.
        n_draws : int, default=3
            Number of draws, one for each of the first epochs of a training.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. With the int ``random_state`` of a neural estimator, and the X of its
            `fit`, the draws are those of its first epochs.
        sample_rate : float, default=None
            Sample rate of a bare array in Hz. None: that of the encoder, or else 16000.
        encoder : encoder, default=None
            Encoder of the frames to plot. None: that of the Pipeline, or else a mel spectrogram in
            dB.
        figure : matplotlib Figure, default=None
            None makes a new one.

        Returns
        -------
        display : AugmentationDisplay
        """
        import_pyplot()  # first, because it may be missing
        check_count("n_draws", n_draws)
        # A copy whose steps return arrays, independent of set_output.
        augmentation = pin_output(deepcopy(augmentation))
        path = TrainingPath(augmentation)
        if not path.is_random:
            raise TypeError(
                f"{augmentation!r:.100} is not an augmentation or a Pipeline with one, expected "
                "one of skaudio.augmentation."
            )
        alone = one_recording(X, index)
        one = check_recordings(None, alone, reset=False)
        waveform, rate = one[0].read()
        own = frame_maker(augmentation)
        if own is not None and not isinstance(own, Waveform):
            encoder = own
        if rate is None:
            stated = sample_rate or getattr(encoder, "sample_rate", None)
            rate = 16000.0 if stated is None else float(stated)
        if encoder is None:
            encoder = MelSpectrogram(sample_rate=rate, scale="db")
        clean = AudioBatch([waveform], rate)
        seed = int(check_random_state(random_state).randint(2**31 - 1))  # as neural estimators do
        frames = transform_plainly(augmentation if encoder is own else encoder, clean)
        on_frames = get_tags(path.steps[0]).input_tags.three_d_array
        # Position of the recording in the X of a training. X may also be the single recording.
        position = 0 if isinstance(alone, list) and alone[0] is X else index % len(X)
        seeds = np.concatenate([epoch_seeds(seed, e, [position]) for e in range(n_draws)])
        copies = (frames if on_frames else clean)[[0] * n_draws]
        drawn, draws = path(copies, seeds), path.draws(copies, seeds)
        if not isinstance(drawn, AudioBatch):
            return cls([frames[0], *drawn], encoder=encoder, draws=draws).plot(figure)
        waveforms = AudioBatch(
            [waveform, *drawn],
            [rate, *drawn.sample_rates],
            warp_factors=[None, *drawn.warp_factors],
        )
        every = [frames[0], *transform_plainly(encoder, drawn)]
        return cls(every, encoder=encoder, waveforms=waveforms, draws=draws).plot(figure)

    def plot(self, figure: Any = None) -> Self:
        """Draw the spectrograms with the same color scale and the same axes.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            None makes a new one.

        Returns
        -------
        display : AugmentationDisplay
        """
        n, titles = len(self.frames), self._titles()
        if figure is None:
            height = 3 + LINE_HEIGHT * max(title.count("\n") for title in titles)
            figure = import_pyplot().figure(figsize=(1 + 2.6 * n, height), layout="constrained")
        self.figure_ = figure
        self.axes_ = figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0]
        params = spectrogram_params(self.encoder)
        shared = {}  # logarithmic and signed color scales differ between plots
        if params.get("value_scale", "linear") == "linear":
            shared = {"vmin": min(map(np.min, self.frames)), "vmax": max(map(np.max, self.frames))}
        for ax, frames, title in zip(self.axes_, self.frames, titles, strict=True):
            times = self.encoder.frame_times(frames)
            picture = SpectrogramDisplay(frames, times=times, **params)
            picture.plot(ax, colorbar=False, im_kw=shared)
            ax.set_title(title, fontsize="small" if "\n" in title else None)
            ax.label_outer()
        return self

    def _titles(self) -> list[str]:
        titles = ["recording", *(f"draw {i}" for i in range(1, len(self.frames)))]
        if self.draws is None:
            return titles
        rows = self.draws.drop(columns="seed").to_dict("records")
        rows = rows or [{}] * len(self.draws)  # pandas 2 returns none without columns
        lines = [[_line(name, value) for name, value in row.items()] for row in rows]
        named = zip(titles[1:], lines, strict=True)
        return [titles[0], *("\n".join(filter(None, [title, *said])) for title, said in named)]

    def _repr_html_(self) -> str:
        """Return audio players, which a notebook shows below the plot."""
        if self.waveforms is None:
            return ""
        titles = [html.escape(title).replace("\n", "<br>") for title in self._titles()]
        sounds = zip(titles, self.waveforms, self.waveforms.sample_rates, strict=True)
        cells = "".join(
            f"<td>{title}<br><audio controls style='width: 14em' src='{as_url(sound, rate)}'>"
            "</audio></td>"
            for title, sound, rate in sounds
        )
        return f"<table><tr>{cells}</tr></table>"


def _line(name: str, value: Any) -> str:
    """Return a drawn value as a line of a title, or "" if there is none."""
    if isinstance(value, list):
        shown = ", ".join(f"{start}-{start + width}" for start, width in value) or "none"
    elif pd.isna(value):
        return ""
    elif isinstance(value, str):  # the name of a recording
        shown = plain(os.path.basename(value))[-LONGEST_NAME:]
    else:
        shown = f"{value:.3g}"
    return f"{name.replace('__', ': ')} {shown}"
