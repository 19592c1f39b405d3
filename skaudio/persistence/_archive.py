"""The zip archive of a saved model: written atomically, checked before it is read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT = "skaudio model"
VERSION = 1

# Allowed names of members. They are numbers, so that no name can lead out of a folder.
NAMES = re.compile(
    r"(card|model|probe)\.json|arrays/[0-9]{1,6}\.npy|weights/[0-9]{1,6}\.safetensors"
)
# Largest sizes in bytes: the directory at the end of the archive, an unpacked JSON member.
LARGEST_DIRECTORY = 4 << 20
LARGEST_JSON = 16 << 20
# Limits of a zip archive without the zip64 extension, and of the directory.
LARGEST, MOST_MEMBERS = (1 << 32) - (1 << 24), 30_000
# Largest numbers of containers and items in a JSON member; Python needs about 100 bytes for each.
MOST_CONTAINERS, MOST_ITEMS = 1 << 18, 1 << 19
# Largest depth of nested lists and mappings.
DEEPEST = 200
END = b"PK\x05\x06"
DAY = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same model gives the same bytes


class RefusedError(Exception):
    """A file is not loaded; the message is the reason, without the name of the file."""


def write_archive(path: Path, members: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write members and their manifest to a file atomically.

    Parameters
    ----------
    path : Path
        The file. An existing file is replaced at the end.
    members : mapping of str to bytes
    facts : mapping
        Further facts for the manifest.

    Raises
    ------
    OSError
        If the folder is missing or the disk is full. An existing file is not changed.
    """
    listed = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    }
    manifest = {"format": FORMAT, "version": VERSION, **facts, "members": listed}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                _add(archive, MANIFEST, as_json(manifest))
                for name, content in members.items():
                    _add(archive, name, content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def check_members(members: Mapping[str, bytes]) -> None:
    """Raise a RefusedError for members that `Archive` would not read."""
    for name, content in members.items():
        if name.endswith(".json"):
            read_json(name, content)
    n_json = sum(len(content) for name, content in members.items() if name.endswith(".json"))
    if n_json + 200 * len(members) > LARGEST_JSON or len(members) > MOST_MEMBERS:
        raise RefusedError(f"more than {MOST_MEMBERS} arrays, or {LARGEST_JSON} bytes of JSON")
    if sum(map(len, members.values())) > LARGEST:
        raise RefusedError(f"more than {LARGEST} bytes")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # Weights and arrays of floats are hardly compressible.
    kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
    info = zipfile.ZipInfo(name, DAY)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, content, kind)


def as_json(value: Any) -> bytes:
    """Return a value as JSON; NaN and infinity are errors."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


class Archive:
    """The members of a saved model, each read once and compared with the manifest.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    manifest : dict

    Raises
    ------
    RefusedError
        If the archive is damaged, or was not made by `write_archive`.
    OSError
        If the file does not exist or cannot be read.
    """

    def __init__(self, path: Path):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            beginning = file.read(100)
            if not beginning.startswith(b"PK\x03\x04") or b"/data.pkl" in beginning:
                raise RefusedError(what_it_is(beginning))
            _check_end(file, size)
            try:
                with zipfile.ZipFile(file) as archive:
                    self._read(archive, size)
            except RefusedError:
                raise
            except Exception as error:  # damage makes zipfile and zlib raise errors of any kind
                raise RefusedError(f"it is damaged ({error or repr(error)})") from error

    def json(self, name: str) -> Any:
        """Return a member of JSON."""
        return read_json(name, self.member(name))

    def member(self, name: Any) -> bytes:
        """Return the content of a member."""
        if not isinstance(name, str) or name not in self._members:
            raise RefusedError(f"it refers to {name!r:.60}, which it does not hold")
        return self._members[name]

    def _read(self, archive: zipfile.ZipFile, size: int) -> None:
        infos = archive.infolist()
        _check_entries(infos, size)
        contents = {info.filename: archive.read(info) for info in infos}
        manifest = read_json(MANIFEST, contents.pop(MANIFEST))
        _check_manifest(manifest)
        listed = manifest.get("members")
        if not isinstance(listed, dict) or listed.keys() != contents.keys():
            raise RefusedError("it holds other members than its manifest lists")
        for name, content in contents.items():
            sha256 = hashlib.sha256(content).hexdigest()
            if listed[name] != {"size": len(content), "sha256": sha256}:
                raise RefusedError(
                    f"{name} is not what its manifest states (size or SHA-256): it was changed or "
                    "damaged after it was saved"
                )
        self.manifest = manifest
        self._members = contents


def _check_end(file: Any, size: int) -> None:
    """Raise an error unless the file ends in a directory of moderate size, without a comment."""
    file.seek(max(0, size - 22))
    end = file.read(22)
    if len(end) < 22 or not end.startswith(END) or end[20:] != b"\0\0":
        raise RefusedError("it is cut off, or something follows its end")
    n_bytes, start = int.from_bytes(end[12:16], "little"), int.from_bytes(end[16:20], "little")
    if n_bytes > LARGEST_DIRECTORY or start + n_bytes + 22 != size:
        raise RefusedError("its directory is not where it should be, or is too large")
    file.seek(0)


def _check_entries(infos: list[zipfile.ZipInfo], size: int) -> None:
    """Raise an error for entries that no saved model has, before any is unpacked."""
    names = [info.filename for info in infos]
    if MANIFEST not in names:
        raise RefusedError(_other_zip(names))
    if len(set(names)) != len(names):
        raise RefusedError("it holds two members of one name")
    stored = unpacked = 0
    for info in infos:
        name, is_json = info.filename, info.filename.endswith(".json")
        if name != MANIFEST and not NAMES.fullmatch(name):
            raise RefusedError(f"it holds {name!r:.80}, which is not a member of a saved model")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
            raise RefusedError(f"{name} is a link, a folder or encrypted, expected a plain file")
        allowed = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if is_json else (zipfile.ZIP_STORED,)
        if info.compress_type not in allowed:
            raise RefusedError(f"{name} is compressed, which a saved model does not do")
        if not is_json and info.file_size != info.compress_size:
            raise RefusedError(f"{name} states two sizes")
        stored += info.compress_size
        unpacked += info.file_size if is_json else 0
    if unpacked > LARGEST_JSON or stored > size:
        raise RefusedError(
            f"it would unpack to more than its {size} bytes make likely, or more than "
            f"{LARGEST_JSON} bytes of JSON"
        )


def _check_manifest(manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RefusedError(f"its manifest does not say that it is a {FORMAT}")
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        raise RefusedError(f"version={version!r:.30} of its format is not a whole number from 1 on")
    if version > VERSION:
        versions = manifest.get("versions")
        made_by = versions.get("skaudio") if isinstance(versions, dict) else None
        raise RefusedError(
            f"it has version {version} of the format, this skaudio reads up to {VERSION}. It was "
            f"saved by skaudio {made_by!r:.30}: update skaudio"
        )


def read_json(name: str, content: bytes) -> Any:
    """Return JSON of bounded size and depth."""
    containers = content.count(b"[") + content.count(b"{")
    if containers > MOST_CONTAINERS or content.count(b",") > MOST_ITEMS:
        raise RefusedError(f"{name} has more items than a saved model needs")
    try:
        value = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{name} is not JSON ({error})") from error
    _check_depth(name, value)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _check_depth(name: str, value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inside += [v for v in item.values() if isinstance(v, (dict, list))]
            elif isinstance(item, list):
                inside += [v for v in item if isinstance(v, (dict, list))]
        if not inside:
            return
        level = inside
    raise RefusedError(f"{name} has more than {DEEPEST} lists and mappings inside each other")


# First bytes of other kinds of files.
AUDIO = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"FORM", b"caff")
PACKED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
PICKLE = (
    "it is {}, and skaudio.load never runs a pickle: loading one can run any code. If you trust "
    "its author, load it with pickle.load or joblib.load, and save it by skaudio.save"
)


def what_it_is(beginning: bytes) -> str:
    """Describe a file that is not a zip archive, by its first bytes."""
    if beginning.startswith(AUDIO) or beginning[4:8] == b"ftyp":
        return (
            "it is a recording, not a saved model. skaudio.Waveform().transform([path]) reads "
            "recordings, and skaudio.load_audio_files a folder of them"
        )
    if beginning[:1] == b"\x80" and beginning[1:2] in b"\x02\x03\x04\x05":
        return PICKLE.format("a pickle (of pickle, joblib, or torch before 1.6)")
    if b"/data.pkl" in beginning:
        return PICKLE.format("a file of torch.save, a pickle inside a zip archive")
    if beginning.startswith(PACKED):
        return PICKLE.format("compressed, as joblib's pickles may be")
    if not beginning:
        return "it is empty. Was saving it interrupted?"
    return f"it is not a saved model: it begins with {beginning[:8]!r}. skaudio.save makes them"


def _other_zip(names: list[str]) -> str:
    if "schema.json" in names:
        return "it is a file of skops: skops.io.load reads it"
    return f"it is another zip archive, not a saved model: it has no {MANIFEST}"
