"""skaudio: scikit-learn for sound.

Packages:

audio
    Recordings: the accepted types of X, decoding, `AudioBatch`.
dsp
    Signal processing without scikit-learn: frames, filter banks, cepstra, inversions.
encoders
    Transformers from recordings to frames: `Waveform`, `STFT`, `Spectrogram`, `MelSpectrogram`,
    `MFCC`.
frames
    Sequences of frames: the containers of features between the steps of a Pipeline.
augmentation
    Random changes of recordings, in `fit` only: `Noise`, `Speed`, `VTLP`...
pooling
    From frames to one row per recording: `FramePooling`; frames of several encoders: `FrameUnion`.
nets
    torch modules for sequences of any length: `LeNet`, `GRU`, `CRNN`.
events
    Tables of events: validation, conversion from and to frames, files.
detectors
    Detection of events, trained on weak labels: `EventDetector`.
classifiers
    Neural classifiers: `LeNetClassifier`, `GRUClassifier`, `NetClassifier`.
embedders
    Embeddings of recordings: `NetEmbedder`, `SiameseEmbedder`.
pretrained
    Networks pretrained on AudioSet: `PretrainedEmbedder` (features), `AudioTagger` (classes),
    `FineTunedClassifier` (trained further). Features of any network: `TorchEmbedder`,
    `TransformersEmbedder`, `OnnxEmbedder`.
caching
    Caching of results on disk: `CachedTransformer`.
recipes
    Estimators for common tasks, with measured settings: `recipe`.
metrics
    Tables of scores, equal error rate, precision of neighbours, F1 of events.
datasets
    Data sets: `load_spoken_digits`, `load_audio_files`, `fetch_fsdd`...; checks of a collection:
    `audit_recordings`.
persistence
    Trained estimators in files without code: `save`, `load`, `inspect`.
scale
    Large collections of recordings: results in folders of Parquet files, on one or many machines.
cli
    The command line: ``skaudio COMMAND``, ``python -m skaudio COMMAND``.
display
    Plots: `SpectrogramDisplay`, `AugmentationDisplay`, `FeatureSpaceDisplay`...

All public names can also be imported from `skaudio`: ``from skaudio import MFCC``.
``import skaudio`` imports no package; a package is imported at the first use of one of its names.
"""

__version__ = "0.1.0.dev0"

# Public names of each package, as in its ``__all__``.
_NAMES = {
    "audio": "AudioBatch Recording Recordings check_recordings",
    "dsp": (
        "PAD_MODES Analysis Framing Scale check_invertible dct_matrix griffin_lim "
        "hz_to_mel istft mel_domain_filterbank mel_filterbank mel_frequencies mel_to_hz "
        "undo_dct unmix window_weights"
    ),
    "encoders": "MFCC STFT MelSpectrogram Spectrogram Waveform stream",
    "frames": "FrameOutputMixin FrameStack as_object_array check_frames pack validate_frames",
    "augmentation": (
        "VTLP Convolution DynamicRange FrequencyMask FunctionAugmentation Noise RandomSegment "
        "Speed TimeMask TimeShift TrainingPath Volume epoch_seeds"
    ),
    "pooling": "FramePooling FrameUnion",
    "nets": (
        "CRNN GRU LOUDNESS_WEIGHT TDNN AllPairsLoss AngularMarginLoss ContrastiveLoss LeNet "
        "MixedLabelLoss Standardize StandardizedNet StatisticsPooling StatisticsTDNN "
        "SupervisedContrastiveLoss TimePooling WeakLabelLoss WeakPooling recording_mean"
    ),
    "events": (
        "check_events events_to_frames events_to_target file_names frames_to_events "
        "merge_events read_events write_events"
    ),
    "detectors": "EventDetector",
    "classifiers": "GRUClassifier LeNetClassifier NetClassifier",
    "embedders": "WCCN NetEmbedder SiameseEmbedder",
    "pretrained": (
        "AudioTagger FineTunedClassifier OnnxEmbedder PretrainedEmbedder TorchEmbedder "
        "TransformersEmbedder download"
    ),
    "caching": "CacheInfo CachedTransformer",
    "metrics": (
        "equal_error_rate equal_error_threshold event_based_f1 event_based_scores "
        "make_event_scorer map_at_r normalized_scores precision_at_k r_precision scores_by "
        "segment_based_f1 segment_based_scores worst_classified"
    ),
    "recipes": "recipe",
    "datasets": (
        "RecordingsAudit audit_recordings evaluate_embedder fetch_esc10 fetch_esc50 fetch_fsdd "
        "get_data_home load_audio_files load_cats_dogs load_spoken_digits make_soundscapes"
    ),
    "persistence": "export_onnx inspect load save show_versions",
    "scale": (
        "ApproximateNeighborsTransformer FolderState detect embed folder_state iterate_rows "
        "load_events load_rows tag"
    ),
    "cli": "",
    "display": (
        "AudioPlayers AuditDisplay AugmentationDisplay EventsDisplay FeatureSpaceDisplay "
        "HistoryDisplay SpectrogramDisplay"
    ),
}
_PACKAGE_OF = {name: package for package, names in _NAMES.items() for name in names.split()}

# Without the packages: `from skaudio import *` in a notebook would replace IPython's `display`.
__all__ = [*_PACKAGE_OF]


def __getattr__(name: str) -> object:
    """Import a package, or a public name from its package, at its first use."""
    from importlib import import_module

    if name in _NAMES:
        return import_module(f"{__name__}.{name}")
    if name in _PACKAGE_OF:
        value = getattr(import_module(f"{__name__}.{_PACKAGE_OF[name]}"), name)
        globals()[name] = value  # not looked up again
        return value
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise _unknown(name)


def _unknown(name: str) -> Exception:
    """Return the error for an unknown name, with similar names."""
    import sys
    from difflib import get_close_matches

    lower = {known.lower(): known for known in (*_NAMES, *_PACKAGE_OF)}
    near = [lower[match] for match in get_close_matches(name.lower(), lower)]
    hint = f". Did you mean {' or '.join(near)}?" if near else "."
    # `from skaudio import name` drops the message of an AttributeError. It asks by this function.
    if sys._getframe(2).f_code.co_name == "_handle_fromlist":
        return ImportError(
            f"cannot import name {name!r} from {__name__!r} ({__file__}){hint}", name=__name__
        )
    # With a name, Python adds no "Did you mean" of its own.
    return AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *__all__})
