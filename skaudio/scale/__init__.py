"""Large collections of recordings: results in folders of Parquet files, on one or many machines.

embed, tag, detect
    Compute rows, labels or events of recordings into a folder; interrupted runs can be continued.
load_rows, iterate_rows, load_events
    Read such a folder as arrays and tables.
folder_state
    Return the progress of a folder.
ApproximateNeighborsTransformer
    Approximate nearest neighbours among millions of rows.
"""

from skaudio.scale._embed import detect, embed, tag
from skaudio.scale._load import iterate_rows, load_events, load_rows
from skaudio.scale._manifest import FolderState, folder_state
from skaudio.scale._neighbors import ApproximateNeighborsTransformer

__all__ = [
    "ApproximateNeighborsTransformer",
    "FolderState",
    "detect",
    "embed",
    "folder_state",
    "iterate_rows",
    "load_events",
    "load_rows",
    "tag",
]
