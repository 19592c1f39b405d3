"""Trained estimators in files: `save`, `load`, `inspect`, which run no code; `export_onnx`."""

from skaudio.persistence._models import inspect, load, save
from skaudio.persistence._onnx_export import export_onnx

__all__ = ["export_onnx", "inspect", "load", "save"]
