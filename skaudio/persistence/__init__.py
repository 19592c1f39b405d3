"""Trained estimators in files that run no code: `save`, `load`, `inspect`, `export_onnx`."""

from skaudio.persistence._models import inspect, load, save
from skaudio.persistence._onnx_export import export_onnx
from skaudio.persistence._versions import show_versions

__all__ = ["export_onnx", "inspect", "load", "save", "show_versions"]
