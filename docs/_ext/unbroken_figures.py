"""Keep figures in table cells, such as ``0.995 ± 0.003``, on one line."""

from __future__ import annotations

import re

from docutils import nodes

# Spaces around a sign between two numbers, and before seconds.
SPACES = re.compile(r"(?<=\d) (?=± [\d.]|x \d|s$)|(?<=±) (?=[\d.])|(?<=\d x) (?=\d)")


def unbroken(app, doctree, docname):
    """Replace these spaces by ones at which no line is broken."""
    for cell in doctree.findall(nodes.entry):
        for text in list(cell.findall(nodes.Text)):
            kept = SPACES.sub("\u00a0", str(text))
            if kept != text:
                text.parent.replace(text, nodes.Text(kept))


def setup(app):
    app.connect("doctree-resolved", unbroken)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
