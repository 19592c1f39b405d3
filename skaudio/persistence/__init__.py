"""Trained estimators in files that hold no code: `save`, `load`, `inspect`."""

from skaudio.persistence._models import inspect, load, save

__all__ = ["inspect", "load", "save"]
