"""Collections of millions of recordings: results in folders of Parquet parts, on many machines.

ApproximateNeighborsTransformer
    Nearest neighbours among millions of rows.
"""

from skaudio.scale._neighbors import ApproximateNeighborsTransformer

__all__ = ["ApproximateNeighborsTransformer"]
