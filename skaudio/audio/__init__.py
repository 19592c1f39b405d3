"""Recordings: the accepted types of X, decoding, and batches of decoded recordings.

AudioBatch
    A batch of decoded mono recordings with sample rates, which scikit-learn can index.
Recording
    One recording that is not decoded yet: its source, and methods to read it or a part.
check_recordings
    Converts X of any accepted type to a list of `Recording`, for authors of estimators.
"""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.audio._arrays import check_overflow as check_overflow
from skaudio.audio._arrays import to_float as to_float
from skaudio.audio._audio_batch import AudioBatch
from skaudio.audio._audio_batch import read_batch as read_batch
from skaudio.audio._columns import clip_rows as clip_rows
from skaudio.audio._containers import as_recording as as_recording
from skaudio.audio._containers import check_recordings
from skaudio.audio._containers import forget_table as forget_table
from skaudio.audio._errors import warn as warn
from skaudio.audio._extensions import AUDIO_EXTENSIONS as AUDIO_EXTENSIONS
from skaudio.audio._extensions import FFMPEG_EXTENSIONS as FFMPEG_EXTENSIONS
from skaudio.audio._extensions import LIBSNDFILE_EXTENSIONS as LIBSNDFILE_EXTENSIONS
from skaudio.audio._faults import READING_ERRORS as READING_ERRORS
from skaudio.audio._faults import each_or_reason as each_or_reason
from skaudio.audio._faults import find_errors as find_errors
from skaudio.audio._faults import listed as listed
from skaudio.audio._faults import raise_all as raise_all
from skaudio.audio._faults import reason_of as reason_of
from skaudio.audio._faults import warn_of_nan as warn_of_nan
from skaudio.audio._recording import Recording, Recordings
from skaudio.audio._recording import check_samples as check_samples
from skaudio.audio._recording import open_blocks as open_blocks
from skaudio.audio._sample_stream import ArrivingSamples as ArrivingSamples
from skaudio.audio._sample_stream import SampleStream as SampleStream
from skaudio.audio._sound_url import as_url as as_url
from skaudio.audio._stream import read_through as read_through
from skaudio.audio._stream import seconds_of as seconds_of
from skaudio.audio._stream import stream as stream

__all__ = ["AudioBatch", "Recording", "Recordings", "check_recordings"]
