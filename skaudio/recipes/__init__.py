"""Estimators for common tasks, with the settings measured in this project.

recipe
    Return an unfitted estimator for words, voices, environmental sounds or events.

The README, the guide and the command line use these settings. ``benchmarks/recipes.py`` measures
them.
"""

from skaudio.recipes._recipe import recipe

__all__ = ["recipe"]
