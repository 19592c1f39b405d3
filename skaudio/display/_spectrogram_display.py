"""SpectrogramDisplay: plot of the frames of one recording."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skaudio._steps import frame_maker, transform_plainly
from skaudio.display._axes import spectrogram_params
from skaudio.display._picture import count_ticks, import_pyplot, one_recording, plain
from skaudio.dsp import hz_to_mel, mel_to_hz
from skaudio.encoders import Waveform
from skaudio.pooling import FrameUnion

# Ticks of a mel axis in Hz.
MEL_TICKS = (0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
# Lowest value of logarithmic colors relative to the highest: -80 dB in power.
RANGE = 1e-8


class SpectrogramDisplay:
    """Plot of the frames of one recording.

    Use `from_estimator` to create it, which gets times, frequencies and units from the encoder.

    Parameters
    ----------
    frames : ndarray of shape (n_features, n_frames), or (n_times,) for a waveform
        Frames, or a waveform. Complex spectra are drawn as magnitudes in dB.
    times : ndarray of shape (n_frames,)
        Centre of each frame in seconds.
    frequencies : ndarray of shape (n_features,), default=None
        Frequency of each feature in Hz, ascending. None: features are numbered.
    frequency_scale : {"linear", "mel", "htk"}, default="linear"
        Spacing of the frequency axis: in Hz, in Slaney's mel, or in HTK's mel.
    feature_label : str, default="Feature"
        Label of the axis of numbered features.
    feature_groups : sequence of (str, int), default=None
        Names and sizes of groups of numbered features. The groups are marked instead of numbers.
    value_label : str, default="Value"
        Label of the color bar, with a unit.
    value_scale : {"linear", "log", "signed"}, default="linear"
        Mapping of values to colors: by value, by logarithm (with a range of at most 80 dB of
        power), or by sign and size. The range of signed colors ignores the first feature: in
        cepstra, it is the level, which is much larger than the other features.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib QuadMesh
        The image; None for a waveform.
    line_ : matplotlib Line2D
        The waveform; None for frames.
    colorbar_ : matplotlib Colorbar
        None if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.display import SpectrogramDisplay
    >>> from skaudio.encoders import MelSpectrogram
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> display = SpectrogramDisplay.from_estimator(MelSpectrogram(), tone)
    >>> display.ax_.get_ylabel(), display.colorbar_.ax.get_ylabel()
    ('Frequency (Hz)', 'Power (ln)')
    """

    def __init__(
        self,
        frames: Any,
        *,
        times: Any,
        frequencies: Any = None,
        frequency_scale: str = "linear",
        feature_label: str = "Feature",
        feature_groups: Any = None,
        value_label: str = "Value",
        value_scale: str = "linear",
    ) -> None:
        self.frames = frames
        self.times = times
        self.frequencies = frequencies
        self.frequency_scale = frequency_scale
        self.feature_label = feature_label
        self.feature_groups = feature_groups
        self.value_label = value_label
        self.value_scale = value_scale

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        index: int = 0,
        ax: Any = None,
        cmap: Any = None,
        colorbar: bool = True,
        im_kw: Any = None,
    ) -> Self:
        """Encode a recording and draw its frames.

        Parameters
        ----------
        estimator : encoder, FrameUnion, or Pipeline that returns the frames of one
            Encoder, or Pipeline that returns frames. The features of a FrameUnion have different
            units and are drawn in standard deviations from their means.
        X : sequence of recordings, or one path, 1-D waveform or mapping
        index : int, default=0
            Position of the recording in X.
        ax : matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.
        cmap : str or matplotlib Colormap, default=None
            None: "magma", or "RdBu_r" for signed values.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Passed on to `matplotlib.axes.Axes.pcolormesh`, or `plot` for a waveform.

        Returns
        -------
        display : SpectrogramDisplay
        """
        import_pyplot()  # first, because it may be missing
        encoder = frame_maker(estimator)
        if encoder is None or not hasattr(estimator, "transform"):
            raise TypeError(
                f"{estimator!r:.100} returns no frames, expected an encoder, a FrameUnion or a "
                "Pipeline that ends in one: pass model[:1] for the first step of a Pipeline."
            )
        frames = np.asarray(transform_plainly(estimator, one_recording(X, index))[0])
        if frames.ndim == 1 and not isinstance(encoder, Waveform):
            raise ValueError(
                f"{type(estimator).__name__} returns a row of {len(frames)} numbers, expected "
                "frames (n_features, n_frames): pass the part of the Pipeline before the pooling, "
                "such as model[:1]."
            )
        if isinstance(encoder, FrameUnion):
            spread = frames.std(axis=1, keepdims=True)
            frames = (frames - frames.mean(axis=1, keepdims=True)) / np.where(spread, spread, 1)
        display = cls(frames, times=encoder.frame_times(frames), **spectrogram_params(encoder))
        return display.plot(ax, cmap=cmap, colorbar=colorbar, im_kw=im_kw)

    def plot(
        self, ax: Any = None, *, cmap: Any = None, colorbar: bool = True, im_kw: Any = None
    ) -> Self:
        """Draw the frames.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.
        cmap : str or matplotlib Colormap, default=None
            None: "magma", or "RdBu_r" for signed values.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Passed on to `matplotlib.axes.Axes.pcolormesh`, or `plot` for a waveform.

        Returns
        -------
        display : SpectrogramDisplay
        """
        plt = import_pyplot()
        frames = np.asarray(self.frames)
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.im_ = self.line_ = self.colorbar_ = None
        ax.set_xlabel("Time (s)")
        if frames.ndim == 1:
            (self.line_,) = ax.plot(self.times, frames, **{"linewidth": 0.7, **(im_kw or {})})
            ax.set_ylabel("Amplitude")
            ax.margins(x=0)
            return self
        value_label = self.value_label
        if np.iscomplexobj(frames):
            frames = 20 * np.log10(np.maximum(np.abs(frames), 1e-5))
            frames = np.maximum(frames, frames.max() - 80)
            value_label = "Magnitude (dB)"
        colors = _colors(frames, self.value_scale)
        if cmap is not None:
            colors["cmap"] = cmap
        edges = _edges(np.asarray(self.times), 0.01), self._feature_edges(len(frames))
        self.im_ = ax.pcolormesh(*edges, frames, **{"rasterized": True, **colors, **(im_kw or {})})
        self._label_features(ax, edges[1])
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.im_, ax=ax, label=value_label, extend=_extend(frames, self.im_.norm)
            )
        return self

    def _feature_edges(self, n_features: int) -> np.ndarray:
        if self.frequencies is None:
            return np.arange(n_features + 1) - 0.5
        if self.frequency_scale == "linear":
            return _edges(np.asarray(self.frequencies), 1.0)
        htk = self.frequency_scale == "htk"
        mel = hz_to_mel(self.frequencies, htk=htk)
        edges = _edges(mel, 1.0)
        # The first and last filter extend to fmin and fmax, one step from their centres.
        edges[0], edges[-1] = 2 * edges[0] - mel[0], 2 * edges[-1] - mel[-1]
        return mel_to_hz(edges, htk=htk)

    def _label_features(self, ax: Any, edges: np.ndarray) -> None:
        if self.frequencies is not None:
            if self.frequency_scale != "linear":
                htk = self.frequency_scale == "htk"
                ax.set_yscale(
                    "function",
                    functions=(lambda hz: hz_to_mel(hz, htk=htk), lambda m: mel_to_hz(m, htk=htk)),
                )
                ax.set_yticks(MEL_TICKS, labels=[str(hz) for hz in MEL_TICKS])
            ax.set(ylabel="Frequency (Hz)", ylim=(max(edges[0], 0), edges[-1]))
        elif self.feature_groups is not None:
            names, sizes = zip(*self.feature_groups, strict=True)
            ends = np.cumsum(sizes)
            ax.set_yticks(ends - np.array(sizes) / 2 - 0.5, labels=[plain(n) for n in names])
            ax.tick_params(axis="y", length=0)
            for end in ends[:-1]:
                ax.axhline(end - 0.5, color="black", linewidth=0.8)
        else:
            count_ticks(ax.yaxis)
            ax.set_ylabel(self.feature_label)


def _edges(centers: np.ndarray, width: float) -> np.ndarray:
    """Return the borders between cells; ``width`` is used if there is only one cell."""
    if len(centers) == 1:
        return np.array([centers[0] - width / 2, centers[0] + width / 2])
    between = (centers[1:] + centers[:-1]) / 2
    ends = 2 * centers[[0, -1]] - between[[0, -1]]
    return np.concatenate([ends[:1], between, ends[1:]])


def _colors(frames: np.ndarray, value_scale: str) -> dict[str, Any]:
    from matplotlib.colors import CenteredNorm, LogNorm

    if value_scale == "signed":
        rest = np.abs(frames[1:] if len(frames) > 1 else frames)
        return {"cmap": "RdBu_r", "norm": CenteredNorm(halfrange=float(rest.max()) or 1.0)}
    if value_scale == "log" and frames.max() > 0:
        low = max(np.percentile(frames[frames > 0], 5), RANGE * frames.max())
        return {"cmap": "magma", "norm": LogNorm(low, frames.max(), clip=True)}
    return {"cmap": "magma"}


def _extend(frames: np.ndarray, norm: Any) -> str:
    """Return the ends of the color bar beyond which there are values."""
    below, above = frames.min() < norm.vmin, frames.max() > norm.vmax
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (bool(below), bool(above)), "neither"
    )
