"""Pure kernels, testable without scikit-learn: arrays and tensors in, arrays and tensors out.

framing
    Windows, padding, frame counts.
analysis
    Waveform -> STFT, spectra, mel spectra, cepstra: `Analysis`.
mel, cepstrum, scaling
    Filter banks (warped where asked), cosine transform and lifter, log and dB.
simd
    The fast CPU implementation of an `Analysis`, by numba.
inversion
    The way back: inverse STFT, Griffin-Lim, spectra behind filter outputs.
"""
