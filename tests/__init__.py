"""A package, so that worker processes find these tests and not what others install as `tests`."""
