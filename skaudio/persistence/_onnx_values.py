"""What flows between the steps of an exported pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from skaudio.persistence._onnx_graph import Graph, Value


@dataclass(frozen=True)
class Waves:
    """Waveforms (n, n_samples), zeros beyond the ``lengths`` (n,)."""

    values: Value
    lengths: Value

    @property
    def mask(self) -> Value:
        return self.values.graph.mask(self.lengths, self.values.size(1))


@dataclass(frozen=True)
class Frames:
    """Frames (n, n_features, n_frames) and their ``lengths`` (n,); values beyond are undefined."""

    values: Value
    lengths: Value
    n_features: int

    @property
    def graph(self) -> Graph:
        return self.values.graph

    @property
    def mask(self) -> Value:
        """True inside the lengths, (n, 1, n_frames)."""
        return self.graph.mask(self.lengths, self.values.size(2)).unsqueeze(1)

    def fill(self, value: float) -> Value:
        """Return the values with another one beyond the lengths."""
        return self.graph.where(self.mask, self.values, value)


@dataclass(frozen=True)
class Rows:
    """Rows (n, n_columns), one per recording."""

    values: Value
    n_columns: int
