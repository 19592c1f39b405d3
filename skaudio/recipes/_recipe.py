"""recipe: an unfitted estimator for a task, with the settings measured in this project."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skaudio._validation import check_choice, check_count, constraints_of
from skaudio.augmentation import VTLP, DynamicRange, RandomSegment, Speed
from skaudio.classifiers import LeNetClassifier
from skaudio.detectors import EventDetector
from skaudio.embedders import WCCN, SiameseEmbedder
from skaudio.encoders import MelSpectrogram
from skaudio.pooling import FramePooling
from skaudio.pretrained import PretrainedEmbedder

# The networks of pretrained=True. No network for speech is among those of skaudio.
PRETRAINED = {"voices": "ge2e", "environment": "mn04_as", "events": "mn04_as"}
# Tasks for which a pretrained network is better than training from scratch on all data measured.
USES_PRETRAINED = ("environment", "events")
# Number of training recordings for which the numbers of epochs below were chosen.
USUAL = 1500
# Words are augmented more up to this number of recordings, which are probably of few voices.
FEW_VOICES = 800
# Batches are smaller up to this number of recordings.
FEW = 120


def recipe(task: str, n_recordings: int | None = None, pretrained: bool | str | None = None) -> Any:
    """Return an unfitted estimator for a task, with the settings measured in this project.

    Nothing is read, downloaded or trained by this function. The result consists of estimators of
    scikit-learn and skaudio: print it to see the settings, and change them with ``set_params``.

    Parameters
    ----------
    task : {"words", "voices", "environment", "events"}
        - "words": which word is spoken, or any other short sound whose change over time matters. A
          `LeNetClassifier`; ``y`` holds one label per recording.
        - "voices": who speaks. A `SiameseEmbedder`: the rows of recordings of one speaker are near
          each other, also for speakers that are not in the training data. ``y`` holds the speakers.
          With ``pretrained``, a FeatureUnion of a network pretrained on speakers and whitened
          statistics of spectra, which has fewer errors.
        - "environment": which sound a recording contains (animals, machines, weather). A Pipeline
          of a network pretrained on AudioSet and a classifier; ``y`` holds one label per recording.
        - "events": which sounds occur, and when. An `EventDetector`; ``y`` holds the labels of
          whole recordings.
    n_recordings : int, default=None
        Number of training recordings. With fewer recordings, networks are trained for more epochs,
        up to twice as many. "words" is augmented more up to 800 recordings, and has smaller
        batches up to 120. None: the settings for about 1500 recordings.
    pretrained : bool, str or None, default=None
        Whether to use a pretrained network. None: use one for "environment" and "events", where it
        is more accurate. True: use "mn04_as", or "ge2e" for "voices"; a str: use the network of
        that name. False: train everything on the recordings. "words" has no recipe with a
        pretrained network. Missing weights are downloaded in `fit`, as by `PretrainedEmbedder`.

    Returns
    -------
    estimator : Pipeline, FeatureUnion or estimator
        A new, unfitted estimator. ``random_state`` is None in all of its parts.

    Raises
    ------
    ValueError
        If the task is unknown, or has no recipe with a pretrained network.

    See Also
    --------
    skaudio.pretrained.PretrainedEmbedder : How weights are found and downloaded.

    Notes
    -----
    The encoders resample recordings; those of "words" and "voices" to 16 kHz. Recordings with a
    lower sample rate are resampled as well, so that one model accepts recordings of any rate.

    Results of ``benchmarks/recipes.py``, with those of a simple baseline in brackets (statistics of
    MFCC; for events, the whole clip): "environment" has an accuracy of .988 (.756) on ESC-10 and of
    .995 (.926) on cats and dogs. "events" has a segment-based F1 of .89 (.39) with segments of 1 s,
    and an event-based F1 of .59 (0), on soundscapes. The guide has the whole table and the
    limitations.

    Examples
    --------
    >>> from skaudio import recipe
    >>> recipe("environment")
    Pipeline(steps=[('embedder', PretrainedEmbedder()), ('scaler', StandardScaler()),
                    ('classifier', LogisticRegression(max_iter=5000))])
    >>> recipe("words").set_params(max_epochs=10, random_state=0).max_epochs
    10
    """
    check_choice("task", task, list(_RECIPES))
    if n_recordings is not None:
        check_count("n_recordings", n_recordings)
    return _RECIPES[task](n_recordings, _check_pretrained(task, pretrained))


def _check_pretrained(task: str, pretrained: Any) -> str | None:
    """Return the name of the pretrained network to use, or None for none."""
    if pretrained is None:
        pretrained = task in USES_PRETRAINED
    if isinstance(pretrained, str):
        constraints_of(PretrainedEmbedder)["model"].check("pretrained", pretrained)
    elif not isinstance(pretrained, bool):
        raise TypeError(
            f"pretrained={pretrained!r}: expected True, False, None or the name of a network."
        )
    if pretrained and task not in PRETRAINED:
        raise ValueError(
            f"pretrained={pretrained!r}: there is no recipe with a pretrained network for "
            f"task={task!r}, expected None or False. Networks pretrained on AudioSet tell words "
            "apart less well than a network trained on recordings of them."
        )
    return PRETRAINED[task] if pretrained is True else pretrained or None


def _epochs(usual: int, n_recordings: int | None) -> int:
    """Return more epochs for fewer recordings, and at most twice as many."""
    if n_recordings is None:
        return usual
    return round(usual * min(max(math.sqrt(USUAL / n_recordings), 0.5), 2.0))


def _words(n_recordings: int | None, pretrained: str | None) -> Any:
    few = n_recordings is not None and n_recordings <= FEW_VOICES
    spread = (0.85, 1.15) if few else (0.9, 1.1)
    # Warped filters and changed speeds simulate other voices; random floors simulate other
    # background noise.
    encoder = Pipeline(
        [
            ("vtlp", VTLP(warp=spread)),
            ("speed", Speed(rate=spread)),
            ("mel", MelSpectrogram(n_mels=40, scale="db", top_db=60)),
            ("floor", DynamicRange(top_db=(25, 65))),
        ]
    )
    return LeNetClassifier(
        encoder,
        channels=(24, 48, 96, 128),
        max_epochs=_epochs(20, n_recordings),
        # With very few recordings, an epoch of batches of 32 has too few steps.
        batch_size=8 if n_recordings is not None and n_recordings <= FEW else 32,
        n_draws=8,
    )


def _voices(n_recordings: int | None, pretrained: str | None) -> Any:
    if pretrained is None:
        return SiameseEmbedder(MelSpectrogram())
    # Windows of a twentieth of a second resolve the harmonics of a voice. Side by side with these
    # statistics, the rows of the network made fewer errors than alone.
    harmonics = MelSpectrogram(n_mels=128, win_length=800, n_fft=1024, eps=1e-8)
    statistics = make_union(
        make_pipeline(MelSpectrogram(), FramePooling()), make_pipeline(harmonics, FramePooling())
    )
    return FeatureUnion(
        [
            ("network", PretrainedEmbedder(pretrained, unit_norm=True)),
            ("statistics", make_pipeline(statistics, StandardScaler(), WCCN(0.2))),
        ]
    )


def _environment(n_recordings: int | None, pretrained: str | None) -> Any:
    if pretrained is None:
        # These sounds last seconds: a hop of 20 ms halves the training time of a hop of 10 ms.
        # Training on a random segment of 2.5 s halves it again, and augments the data.
        encoder = Pipeline(
            [
                ("segment", RandomSegment(2.5, unit="seconds")),
                ("mel", MelSpectrogram(hop_length=320, scale="db")),
            ]
        )
        return LeNetClassifier(
            encoder, channels=(24, 48, 96, 128), max_epochs=_epochs(30, n_recordings)
        )
    return Pipeline(
        [
            ("embedder", PretrainedEmbedder(pretrained)),
            ("scaler", StandardScaler()),
            ("classifier", LogisticRegression(max_iter=5000)),
        ]
    )


def _events(n_recordings: int | None, pretrained: str | None) -> Any:
    if pretrained is None:
        return EventDetector(
            MelSpectrogram(n_mels=40, hop_length=320),
            channels=(16, 16, 32),
            frame_stride=2,
            hidden_size=32,
            pooling="max",
            standardize="both",
            median_filter=0.28,
            min_duration=0.1,
            max_gap=0.2,
            max_epochs=_epochs(10, n_recordings),
        )
    if not re.fullmatch(r"mn\d+_as", pretrained):
        raise ValueError(
            f"pretrained={pretrained!r}: expected an EfficientAT network for task='events', "
            f"such as {PRETRAINED['events']!r}: the recipe takes frames of 0.16 s from a layer in "
            "its middle."
        )
    frames = PretrainedEmbedder(pretrained, pooling=None, layer="features.12", resolution="layer")
    return EventDetector(
        frames,
        channels=(),
        frame_stride=1,
        min_duration=0.2,
        max_gap=0.3,
        max_epochs=_epochs(10, n_recordings),
    )


_RECIPES: dict[str, Callable[[int | None, str | None], Any]] = {
    "words": _words,
    "voices": _voices,
    "environment": _environment,
    "events": _events,
}
