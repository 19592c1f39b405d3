"""skaudio: scikit-learn for sound.

The rooms, from the ground up:

audio
    Recordings: what X may be, decoding, `AudioBatch`.
dsp
    Pure kernels: frames, filter banks, cepstra, inversions. No scikit-learn.
encoders
    Recordings -> frames: `Waveform`, `STFT`, `Spectrogram`, `MelSpectrogram`, `MFCC`.
frames
    Sequences of frames: the containers features travel in.
augmentation
    Recordings changed at random, in `fit` alone: `Noise`, `Speed`, `VTLP`...
pooling
    Frames -> one row per recording: `FramePooling`; several encoders side by side: `FrameUnion`.
nets
    torch modules for sequences of any length: `LeNet`, `GRU`, `CRNN`.
events
    Tables of events: validation, frames to events and back, files.
detectors
    Events from weak labels: `EventDetector`.
classifiers
    Neural classifiers: `LeNetClassifier`, `GRUClassifier`, `NetClassifier`.
embedders
    Recordings -> rows to measure distances between: `NetEmbedder`, `SiameseEmbedder`.
pretrained
    Nets that have heard AudioSet: `PretrainedEmbedder` (features), `AudioTagger` (classes).
caching
    Results on disk, one file per recording: `CachedTransformer`.
metrics
    Tables of scores, equal error rate, precision of neighbours, F1 of events.
datasets
    Recordings to learn from: `load_spoken_digits`, `load_audio_files`, `fetch_fsdd`,
    `fetch_esc10`.
display
    Pictures: `SpectrogramDisplay`, `AugmentationDisplay`, `FeatureSpaceDisplay`.

Nothing is imported here: ``from skaudio.encoders import MFCC``.
"""

__version__ = "0.1.0.dev0"
