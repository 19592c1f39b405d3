"""Files of other people: downloads, the folder that holds them, and whether one has changed.

Private; the other packages import from here alone.
"""

from skaudio._files.data_home import get_data_home
from skaudio._files.download import fetch_file, fetch_zip
from skaudio._files.identity import FileState, file_hash, file_state

__all__ = ["FileState", "fetch_file", "fetch_zip", "file_hash", "file_state", "get_data_home"]
