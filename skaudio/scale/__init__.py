"""Collections of millions of recordings: results in folders of Parquet parts, on many machines."""

__all__: list[str] = []
