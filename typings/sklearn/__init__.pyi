# Types of the classes of scikit-learn that skaudio derives from; everything else is Any.
# scikit-learn has no annotations, and mypy does not let untyped classes be derived from.
from typing import Any

def __getattr__(name: str) -> Any: ...
