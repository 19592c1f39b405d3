"""Trained estimators in files that run no code: `save`, `load`, `inspect`, `export_onnx`."""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.persistence._encode import estimator_tree as estimator_tree
from skaudio.persistence._models import inspect, load, save
from skaudio.persistence._onnx_export import export_onnx
from skaudio.persistence._versions import show_versions
from skaudio.persistence._versions import versions as versions

__all__ = ["export_onnx", "inspect", "load", "save", "show_versions"]
