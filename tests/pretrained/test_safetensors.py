"""Files of weights in the format safetensors, sound and damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from skaudio.pretrained._weights import read_tensors

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "c": torch.tensor(3, dtype=torch.int64),
    "empty": torch.zeros(0, 4),
}
TYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}


def write(path, tensors=TENSORS, change=lambda table: None, cut=0):
    """Write a file, after a change of its table, without its last bytes."""
    table, numbers = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        content = tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.ndim else b""
        content = content or tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        offsets = [len(numbers), len(numbers) + len(content)]
        table[name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
        numbers += content
    change(table)
    head = json.dumps(table).encode()
    content = len(head).to_bytes(8, "little") + head + numbers
    path.write_bytes(content[: len(content) - cut])
    return path


def test_tensors(tmp_path):
    found = read_tensors(write(tmp_path / "net.safetensors"))
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_of_the_library(tmp_path):
    library = pytest.importorskip("safetensors.torch")
    library.save_file(TENSORS, tmp_path / "net.safetensors")
    found = read_tensors(tmp_path / "net.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize(
    ("change", "cut", "message"),
    [
        (lambda table: None, 5, "c is stated to be at bytes 28 to 36 .* file has 31 bytes"),
        (lambda table: table["a"].update(shape=[2, 4]), 0, r"a is stated .* shape \(2, 4\)"),
        (lambda table: table["a"].update(shape=[-2, -3]), 0, "table is damaged"),
        (lambda table: table["a"].update(dtype="F8_E4M3"), 0, "table is damaged .KeyError"),
        (lambda table: table["a"].pop("data_offsets"), 0, "table is damaged"),
        (lambda table: table.update(a=3), 0, "table is damaged"),
        (lambda table: table["a"].update(data_offsets=[-24, 0]), 0, "a is stated"),
    ],
)
def test_damage(change, cut, message, tmp_path):
    path = write(tmp_path / "net.safetensors", change=change, cut=cut)
    with pytest.raises(ValueError, match=rf"net\.safetensors cannot be read.*{message}"):
        read_tensors(path)


def test_weights_that_are_not_finite(tmp_path):
    tensors = {"a": torch.tensor([1.0, np.nan])}
    with pytest.raises(ValueError, match="a holds NaN or infinity"):
        read_tensors(write(tmp_path / "net.safetensors", tensors))


def test_a_length_beyond_the_file_is_no_safetensors(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_tensors(path)
