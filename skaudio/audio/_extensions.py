"""File name extensions by which a folder is searched for recordings."""

_SOUND = (
    ".aac .ac3 .aif .aifc .aiff .amr .ape .au .caf .flac .m4a .mka .mp2 .mp3 .mpga .oga .ogg .opus"
    " .rf64 .snd .sph .spx .w64 .wav .wave .wma .wv"
)
_VIDEO = ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .ogv .ts .webm .wmv"

AUDIO_EXTENSIONS = frozenset(f"{_SOUND} {_VIDEO}".split())
