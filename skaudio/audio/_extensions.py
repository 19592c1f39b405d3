"""File name extensions of recordings."""

LIBSNDFILE_EXTENSIONS = frozenset(
    [".8svx", ".aif", ".aifc", ".aiff", ".au", ".avr", ".caf", ".flac", ".mp2", ".mp3", ".mpga"]
    + [".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave"]
)
# Extensions that need PyAV (the extra "ffmpeg").
FFMPEG_EXTENSIONS = frozenset(
    [".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".eac3", ".flv", ".m4a", ".m4v", ".mka"]
    + [".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".spx", ".tta", ".webm", ".wma", ".wmv", ".wv"]
)

AUDIO_EXTENSIONS = LIBSNDFILE_EXTENSIONS | FFMPEG_EXTENSIONS
