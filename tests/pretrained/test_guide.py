"""The table of networks in the guide says what the networks are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from skaudio.pretrained._model_table import MODELS

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "pretrained.rst"


def rows():
    """Return the cells of the table, by the name of the network."""
    lines = [line for line in GUIDE.read_text().splitlines() if line.startswith("``")]
    found = [line.split() for line in lines if " kHz " in line]
    return {cells[0].strip("`"): cells[1:] for cells in found}


def test_has_all_networks_in_order():
    assert list(rows()) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_row(name):
    model = MODELS[name]
    with torch.device("meta"):
        net = model.net(**model.params)
    n_parameters = sum(parameter.numel() for parameter in net.parameters())
    expected = [
        f"{net.front_end.sample_rate // 1000}",
        "kHz",
        f"{net.chunk_duration:g},",
        f"{net.chunk_hop:g}",
        str(net.n_features),
        str(net.n_classes or "none"),
        f"{n_parameters:,}",
        *model.licence.split(),
    ]
    assert rows()[name][: len(expected)] == expected
