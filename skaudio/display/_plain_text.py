"""Names and labels as they are shown: as the characters that they are, never as markup."""

from __future__ import annotations

from typing import Any


def printable(value: Any) -> str:
    r"""Return a text in which what cannot be shown is written as an escape (``\n``, ``\udcff``)."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )


def plain(value: Any) -> str:
    r"""Return what makes matplotlib show a text as it is: between two ``$`` it sees a formula."""
    return printable(value).replace("$", r"\$")
