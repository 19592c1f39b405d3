"""Collections of millions of recordings: results in folders of Parquet parts, on many machines.

embed, tag, detect
    Recordings -> a folder of rows, of labels, of events; a run that was ended goes on.
load_rows, iterate_rows, load_events
    Such a folder -> arrays and tables.
folder_state
    How far a folder is.
ApproximateNeighborsTransformer
    Nearest neighbours among millions of rows.
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
