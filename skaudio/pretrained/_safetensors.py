"""Files of weights in the format safetensors: a table in JSON, then the numbers."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import torch

# Names of the types in the file.
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
# Bytes of the number that begins the file; the longest table that is read.
N_BYTES, LONGEST = 8, 100 << 20


def is_safetensors(head: bytes, size: int) -> bool:
    """Return whether a file of such a size begins as safetensors do: a length, then a table."""
    length = int.from_bytes(head[:N_BYTES], "little")
    return head[N_BYTES : N_BYTES + 1] == b"{" and length <= min(size - N_BYTES, LONGEST)


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors in a file by name.

    Raises
    ------
    ValueError
        If the table is damaged, or states other tensors than those in the file.
    """
    content = path.read_bytes()
    length = int.from_bytes(content[:N_BYTES], "little")
    numbers = memoryview(content)[N_BYTES + length :]
    try:
        table = json.loads(content[N_BYTES : N_BYTES + length])
        entries = {name: _entry(facts) for name, facts in table.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} cannot be read as safetensors: its table is damaged "
            f"({type(error).__name__}: {error}). Was its download interrupted?"
        ) from error
    tensors = {}
    for name, (dtype, shape, start, stop) in entries.items():
        if not 0 <= start <= stop <= len(numbers) or stop - start != prod(shape) * dtype.itemsize:
            raise ValueError(
                f"{path} cannot be read as safetensors: {name} is stated to be at bytes {start} to "
                f"{stop} with the shape {tuple(shape)}, and the file has {len(numbers)} bytes of "
                "numbers. Was its download interrupted?"
            )
        if start == stop:
            tensors[name] = torch.empty(shape, dtype=dtype)
        else:
            buffer = bytearray(numbers[start:stop])
            tensors[name] = torch.frombuffer(buffer, dtype=dtype).reshape(shape)
    return tensors


def _entry(facts: dict[str, Any]) -> tuple[torch.dtype, list[int], int, int]:
    start, stop = map(int, facts["data_offsets"])
    shape = [int(size) for size in facts["shape"]]
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return DTYPES[facts["dtype"]], shape, start, stop
