"""Models outside of the session that fitted them.

export_onnx
    A fitted estimator as one graph of standard operators: waveforms in, scores out.
"""

from skaudio.persistence._onnx_export import export_onnx

__all__ = ["export_onnx"]
