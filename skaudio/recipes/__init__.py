"""Estimators for common tasks, with the settings measured in this project.

recipe
    Return an unfitted estimator for words, voices, sounds of an environment, or events.

The settings are in one place, here: the README, the guide and the command line use them.
``benchmarks/recipes.py`` measures them.
"""

from skaudio.recipes._recipe import recipe

__all__ = ["recipe"]
