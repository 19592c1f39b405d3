"""The names of `skaudio` for type checkers and editors: those of each package's ``__all__``."""

# ruff: noqa: F403
from skaudio import audio as audio
from skaudio import augmentation as augmentation
from skaudio import caching as caching
from skaudio import classifiers as classifiers
from skaudio import cli as cli
from skaudio import datasets as datasets
from skaudio import detectors as detectors
from skaudio import display as display
from skaudio import dsp as dsp
from skaudio import embedders as embedders
from skaudio import encoders as encoders
from skaudio import events as events
from skaudio import frames as frames
from skaudio import metrics as metrics
from skaudio import nets as nets
from skaudio import persistence as persistence
from skaudio import pooling as pooling
from skaudio import pretrained as pretrained
from skaudio import recipes as recipes
from skaudio import scale as scale
from skaudio.audio import *
from skaudio.augmentation import *
from skaudio.caching import *
from skaudio.classifiers import *
from skaudio.cli import *
from skaudio.datasets import *
from skaudio.detectors import *
from skaudio.display import *
from skaudio.dsp import *
from skaudio.embedders import *
from skaudio.encoders import *
from skaudio.events import *
from skaudio.frames import *
from skaudio.metrics import *
from skaudio.nets import *
from skaudio.persistence import *
from skaudio.pooling import *
from skaudio.pretrained import *
from skaudio.recipes import *
from skaudio.scale import *

__version__: str
