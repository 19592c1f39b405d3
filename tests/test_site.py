"""The documentation site: its links, its pages, its pictures."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE = ("_build", "auto_examples", "generated")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("check_links", ROOT / "tools" / "check_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder, **pages):
    for name, text in pages.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.html").write_text(text, "utf-8")


def test_links_that_lead_somewhere(tool, tmp_path):
    write(
        tmp_path,
        index='<a href="sub/page.html#here">x</a><a href="sub/">x</a><a href="#top" id="top">x</a>'
        '<a href="https://example.org/none">x</a><img src="a%20b.png">',
    )
    write(tmp_path / "sub", page='<h1 id="here">x</h1>', index='<a href="../index.html">x</a>')
    (tmp_path / "a b.png").write_bytes(b"")
    assert tool.dead_links(tmp_path) == []
    assert tool.main([str(tmp_path)]) == 0


def test_dead_links_are_found(tool, tmp_path, capsys):
    write(
        tmp_path,
        index='<a href="none.html">x</a><a href="page.html#none">x</a><img src="none.png">',
        page="",
    )
    dead = ["none.html", "none.png", "page.html#none"]
    assert tool.dead_links(tmp_path) == [("index.html", link) for link in dead]
    assert tool.main([str(tmp_path)]) == 1
    assert "3 dead links" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"no \.html files: expected a built site"):
        tool.dead_links(tmp_path / "other")


def sources():
    return [
        path
        for path in sorted([*DOCS.rglob("*.rst"), *DOCS.rglob("*.md")])
        if not set(MADE) & set(path.relative_to(DOCS).parts)
    ]


def test_references_to_the_package_exist():
    """Sphinx does not warn about a class or function that it cannot find."""
    import skaudio

    missing = []
    for path in sources():
        text = path.read_text("utf-8")
        for target in re.findall(r":(?:class|func|mod|meth):`[^`]*?~?(skaudio[.\w]*)[^`]*`", text):
            found = skaudio
            for name in target.split(".")[1:]:
                found = getattr(found, name, None)
            if found is None:
                missing.append((path.name, target))
    assert missing == []


def test_pictures_of_the_landing_page_are_drawn():
    index = (DOCS / "index.rst").read_text("utf-8")
    shown = set(re.findall(r":img-top: pictures/(\w+)\.png", index))
    script = (DOCS / "_ext" / "pictures.py").read_text("utf-8")
    drawn = re.search(r"^PICTURES = (.*)$", script, re.MULTILINE)[1].split(", ")
    assert shown == set(drawn)
    assert len(shown) == 6
