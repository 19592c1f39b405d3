"""The pretrained networks by name: their classes, their files of weights, their licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from skaudio.pretrained._ced import CED
from skaudio.pretrained._efficientat import EfficientAT
from skaudio.pretrained._frame_mn import FrameMN
from skaudio.pretrained._ge2e import GE2E
from skaudio.pretrained._panns_cnn14 import Cnn14, Cnn14DecisionLevelMax
from skaudio.pretrained._panns_mobilenetv2 import MobileNetV2
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._redimnet import ReDimNet
from skaudio.pretrained._vggish import VGGish
from skaudio.pretrained._yamnet import YAMNet


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, as published by its authors.

    Attributes
    ----------
    name : str
        Name of the file in the folder ``pretrained`` of the data home.
    url : str
    size : int or None
        Size in bytes, if it is published.
    known_hash : str or None
        Hash with its kind, "sha256:..." or "md5:...". None if no hash is published and none was
        computed from the file.
    """

    name: str
    url: str
    size: int | None = None
    known_hash: str | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Further allowed hosts: GitHub and Hugging Face store large files on other hosts."""
        if "://huggingface.co/" in self.url:
            return ("hf.co",)
        return ("githubusercontent.com",) if "://github.com/" in self.url else ()


@dataclass(frozen=True)
class Model:
    """A pretrained network: its class and parameters, files, labels and licence."""

    net: type[PretrainedNet]
    files: tuple[WeightsFile, ...]
    licence: str
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    labels: str | None = "audioset"
    # Files that are needed only with this parameter of the network.
    extras: Mapping[str, WeightsFile] = field(default_factory=lambda: MappingProxyType({}))


def efficientat(width: float, file: str, size: int, known_hash: str | None = None) -> Model:
    """Return the registry entry of an EfficientAT network."""
    url = f"https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/{file}"
    files = (WeightsFile(file, url, size, known_hash),)
    return Model(EfficientAT, files, "MIT", {"width": width})


def ced(name: str, **params: Any) -> Model:
    """Return the registry entry of CED, whose weights are on Hugging Face."""
    url = f"https://huggingface.co/mispeech/{name}/resolve/main/model.safetensors"
    return Model(CED, (WeightsFile(f"{name}-model.safetensors", url),), "Apache-2.0", params)


def frame_mn(width: float, name: str, **facts: Any) -> Model:
    """Return the registry entry of a frame_mn network."""
    file = f"{name}_strong_1.pt"
    url = f"https://github.com/fschmid56/PretrainedSED/releases/download/v0.0.1/{file}"
    files = (WeightsFile(file, url, **facts),)
    return Model(FrameMN, files, "MIT", {"width": width}, labels="audioset_strong")


def pann(net: type[PretrainedNet], score: str, **facts: Any) -> Model:
    """Return the registry entry of a PANN."""
    file = f"{score}.pth"
    url = f"https://zenodo.org/record/3987831/files/{file.replace('=', '%3D')}"
    return Model(net, (WeightsFile(file, url, **facts),), "CC BY 4.0")


REDIMNET = "https://github.com/IDRnD/ReDimNet/releases/download/latest"
RESEMBLYZER = "https://raw.githubusercontent.com/resemble-ai/Resemblyzer/master/resemblyzer"
TORCHVGGISH = "https://github.com/harritaylor/torchvggish/releases/download/v0.1"

MODELS: dict[str, Model] = {
    "mn01_as": efficientat(0.1, "mn01_as_mAP_298.pt", 612421),
    "mn02_as": efficientat(0.2, "mn02_as_mAP_378.pt", 1432101),
    "mn04_as": efficientat(
        0.4,
        "mn04_as_mAP_432.pt",
        4066513,
        "sha256:899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    ),
    "mn05_as": efficientat(0.5, "mn05_as_mAP_443.pt", 5878097),
    "mn10_as": efficientat(
        1.0,
        "mn10_as_mAP_471.pt",
        19708753,
        "sha256:0bd7dc2443af498c289a2e739f02ebb515d6aa3fd3ab9db539c86123ae368a4e",
    ),
    "yamnet": Model(
        YAMNet,
        (
            WeightsFile(
                "yamnet.h5",
                "https://storage.googleapis.com/audioset/yamnet.h5",
                15296092,
                "sha256:13c3308955bbfaef262f175ac9c40e47b134573a93984f009220dd7cc12a1744",
            ),
        ),
        "Apache-2.0",
        labels="yamnet",
    ),
    "panns_mobilenetv2": pann(MobileNetV2, "MobileNetV2_mAP=0.383"),
    "panns_cnn14": pann(
        Cnn14, "Cnn14_mAP=0.431", size=327428481, known_hash="md5:541141fa2ee191a88f24a3219fff024e"
    ),
    "panns_cnn14_decision_level_max": pann(
        Cnn14DecisionLevelMax,
        "Cnn14_DecisionLevelMax_mAP=0.385",
        known_hash="md5:70539c43c18b6a289b3199c503a82c5a",
    ),
    "vggish": Model(
        VGGish,
        (WeightsFile("vggish-10086976.pth", f"{TORCHVGGISH}/vggish-10086976.pth"),),
        "Apache-2.0",
        labels=None,
        extras={
            "pca": WeightsFile(
                "vggish_pca_params-970ea276.pth", f"{TORCHVGGISH}/vggish_pca_params-970ea276.pth"
            )
        },
    ),
    "ge2e": Model(
        GE2E,
        (
            WeightsFile(
                "resemblyzer_pretrained.pt",
                f"{RESEMBLYZER}/pretrained.pt",
                17090379,
                "sha256:39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
            ),
        ),
        "Apache-2.0",
        labels=None,
    ),
    "redimnet_b2": Model(
        ReDimNet,
        (
            WeightsFile(
                "b2-vox2-ft_lm.pt",
                f"{REDIMNET}/b2-vox2-ft_lm.pt",
                20582650,
                "sha256:c9b6bb2f6747caa28a41eaf2e372d66b0d1563baef186d18f5e99abd5e71e06f",
            ),
        ),
        "CC BY 4.0",
        labels=None,
    ),
    "ced_tiny": ced("ced-tiny", width=192, n_heads=3),
    "ced_mini": ced("ced-mini", width=256, n_heads=4),
    "frame_mn06": frame_mn(0.6, "frame_mn06"),
    "frame_mn10": frame_mn(
        1.0,
        "frame_mn10",
        size=15537114,
        known_hash="sha256:4a0fe320d5369987b772394c51881fb20a602967e6842f72f3e5c8181065ece7",
    ),
}
