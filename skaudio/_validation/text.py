"""Text of names and labels in messages, plots and pages."""

from __future__ import annotations

from typing import Any


def printable(value: Any) -> str:
    r"""Return a text in which characters that cannot be shown are escaped (``\n``, ``\udcff``)."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )
