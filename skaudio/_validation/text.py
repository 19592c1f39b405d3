"""Names and labels in messages, pictures and pages."""

from __future__ import annotations

from typing import Any


def printable(value: Any) -> str:
    r"""Return a text in which what cannot be shown is written as an escape (``\n``, ``\udcff``)."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )
