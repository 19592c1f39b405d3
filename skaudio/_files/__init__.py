"""Files: downloads, the folder that holds them, locks, and whether a file has changed.

Private; the other packages import from here alone.
"""

from skaudio._files.archive import fetch_zip
from skaudio._files.download import fetch_file, is_offline
from skaudio._files.local import (
    FileState,
    file_hash,
    file_lock,
    file_state,
    get_data_home,
    is_full,
    remove_left,
    write_whole,
)

__all__ = [
    "FileState",
    "fetch_file",
    "fetch_zip",
    "file_hash",
    "file_lock",
    "file_state",
    "get_data_home",
    "is_full",
    "is_offline",
    "remove_left",
    "write_whole",
]
