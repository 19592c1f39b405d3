"""The README: its blocks of Python run, one after the other; its files and picture are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def namespace():
    """The variables that the blocks share."""
    return {"__name__": "readme"}


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Train for one epoch, and write into a temporary folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("skaudio.recipes._recipe._epochs", lambda usual, n_recordings: 1)


def without_download(code):
    """Use random weights of a small network: the text has official ones, which are downloaded."""
    return code.replace('("mn04_as")', '("mn01_as", weights="random")')


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks_run(number, namespace, quick, capsys):
    """In order; a block uses the variables of those before it."""
    exec(compile(without_download(BLOCKS[number]), f"README, block {number}", "exec"), namespace)
    if number == 0:  # with the number that the comment states
        stated = re.search(r"print\(.*# .* ([\d.]+)$", BLOCKS[0], re.MULTILINE)[1]
        assert capsys.readouterr().out.strip() == stated


def test_there_are_a_result_and_six_jobs():
    assert len(BLOCKS) == 7


def test_lines_fit_on_a_page():
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 105


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_pictures_are_small():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).stat().st_size < 60_000 for picture in pictures)
