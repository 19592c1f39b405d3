"""Data sets of recordings: bundled, on disk, or downloaded.

.. autosummary::

    load_spoken_digits
    load_audio_files
    fetch_fsdd
    fetch_esc10
    fetch_esc50
    load_cats_dogs
    make_soundscapes
    audit_recordings
    RecordingsAudit
    evaluate_embedder
    get_data_home

Every loader returns a Bunch with ``data``, ``target``, ``target_names`` and ``DESCR``, as
scikit-learn's loaders do; ``return_X_y=True`` returns ``(data, target)``, and ``as_frame=True``
returns pandas objects. ``data`` holds paths, which encoders accept. ``groups`` holds the speakers
or folds, for ``GroupKFold``.

- :func:`load_spoken_digits`: digits of ten synthetic voices; part of the package.
- :func:`load_audio_files`: recordings in a folder of your own, with one sub-folder per class.
- :func:`fetch_fsdd`: the Free Spoken Digit Dataset.
- :func:`fetch_esc10`, :func:`fetch_esc50`: environmental sounds in given folds.
- :func:`load_cats_dogs`: cats and dogs, from a folder of Kaggle's recordings.
- :func:`make_soundscapes`: mixes your recordings of events with backgrounds; the strong labels are
  exact.
- :func:`audit_recordings`: finds damaged, clipped, silent and duplicate recordings, and shortcuts
  to the classes; returns a :class:`RecordingsAudit`.
- :func:`evaluate_embedder`: accuracies of simple classifiers on the rows of an embedder, for these
  data sets.
- :func:`get_data_home`: the folder of downloaded data.
"""

from skaudio._files import get_data_home
from skaudio.datasets._audio_files import load_audio_files
from skaudio.datasets._audit import audit_recordings
from skaudio.datasets._audit_result import RecordingsAudit
from skaudio.datasets._cats_dogs import load_cats_dogs
from skaudio.datasets._esc10 import fetch_esc10
from skaudio.datasets._esc50 import fetch_esc50
from skaudio.datasets._evaluate_embedder import evaluate_embedder

# A name imported "as" itself is for the other packages. It is not public.
from skaudio.datasets._file_finding import recordings_below as recordings_below
from skaudio.datasets._fsdd import fetch_fsdd
from skaudio.datasets._soundscapes import make_soundscapes
from skaudio.datasets._spoken_digits import load_spoken_digits

__all__ = [
    "RecordingsAudit",
    "audit_recordings",
    "evaluate_embedder",
    "fetch_esc10",
    "fetch_esc50",
    "fetch_fsdd",
    "get_data_home",
    "load_audio_files",
    "load_cats_dogs",
    "load_spoken_digits",
    "make_soundscapes",
]
