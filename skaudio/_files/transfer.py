"""Receive a file over HTTP, with retries as long as there is progress."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

# Seconds to wait for a server that is silent, and between attempts; attempts that bring nothing.
TIMEOUT = 30.0
PAUSE = 1.0
ATTEMPTS = 3
BLOCK = 1 << 16
REDIRECTIONS = 10
# First bytes of files by suffix. Other content, such as a login page, begins differently.
ZIP = b"PK\x03\x04"
FIRST_BYTES = {
    ".zip": (ZIP, b"PK\x05\x06"),  # the second is an empty archive
    ".npz": (ZIP,),
    ".pt": (ZIP, b"\x80"),  # a pickle before torch 1.6
    ".pth": (ZIP, b"\x80"),
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".json": (b"[", b"{"),
}


class StoppedError(ConnectionError):
    """The file did not arrive completely; another attempt may succeed."""


class OtherFileError(ValueError):
    """The server sent another file than the one requested."""


@dataclass(frozen=True)
class RemoteFile:
    """The address of a file, and what is known about it.

    Attributes
    ----------
    url : str
    known_hash : str or None
        Expected hash of the content, with its kind: "sha256:..." or "md5:...".
    size : int or None
        In bytes.
    max_size : int or None
        Largest size that is accepted if ``size`` is None.
    hosts : tuple of str
        Other hosts to which the server may redirect, including their subdomains.
    """

    url: str
    known_hash: str | None = None
    size: int | None = None
    max_size: int | None = None
    hosts: tuple[str, ...] = ()


@dataclass
class _Version:
    """Version of a partly downloaded file, stored beside the part, to request the rest."""

    url: str
    validator: str = ""
    length: int | None = None

    @classmethod
    def load(cls, path: Path, url: str) -> _Version:
        """Read a side file; return an empty version if it is damaged or of another file."""
        with suppress(OSError, ValueError, TypeError):
            version = cls(**json.loads(path.read_text("utf-8")))
            whole = isinstance(version.validator, str) and isinstance(version.length, int | None)
            if whole and version.url == url:
                return version
        return cls(url)


class Transfer:
    """Download a source into an open file.

    Parameters
    ----------
    source : RemoteFile
    file : BufferedRandom
        Open for appending. Its content is kept as the beginning if it can be verified as such.
    side : Path
        File that states the version of the source that the beginning belongs to.
    suffix : str
        Suffix of the file's name, which determines the expected first bytes.
    bar : tqdm
        Shows the progress.
    """

    def __init__(
        self, source: RemoteFile, file: BufferedRandom, side: Path, suffix: str, bar: Any
    ) -> None:
        self.source = source
        self.file = file
        self.side = side
        self.bar = bar
        self.beginnings = FIRST_BYTES.get(suffix, ())
        self.version = _Version.load(side, source.url)

    def run(self) -> None:
        """Append the missing bytes to the file, and check it.

        Raises
        ------
        StoppedError
            If it does not arrive completely. The bytes received are kept if the download can be
            resumed.
        OtherFileError
            If the server sends another file.
        """
        if self._wrong_beginning() or not self._can_resume():
            self._empty()
        resumed = self._end() > 0
        while True:
            try:
                self._receive()
                self._check()
            except OtherFileError:
                if not resumed:
                    raise
                resumed = False  # the beginning may be from another file
                self._empty()
            except StoppedError:
                if not self._can_resume():
                    self._empty()
                raise
            else:
                return

    def _can_resume(self) -> bool:
        """Return whether the server can be asked for the rest of the same version."""
        return bool(self.source.known_hash or self.version.validator)

    def _receive(self) -> None:
        """Append the missing bytes; retry after an interruption while there is progress."""
        # Slow to import.
        import requests

        with requests.Session() as session:
            attempts, furthest = ATTEMPTS, self._end()
            while True:
                cause = None
                try:
                    with self._ask(session) as response:
                        if self._take(response):
                            return
                except requests.exceptions.RequestException as error:
                    cause = error
                attempts = ATTEMPTS if self._end() > furthest else attempts - 1
                furthest = max(furthest, self._end())
                if attempts <= 0:
                    reason = cause or f"the connection ended after {self._end()} bytes"
                    raise StoppedError(str(reason)) from cause
                time.sleep(PAUSE)

    def _ask(self, session: Any) -> Any:
        """Request the missing bytes, and return the response."""
        if not self._can_resume():
            self._empty()
        # No compression: a compressed transfer cannot be resumed, and its size cannot be limited.
        headers = {"Accept-Encoding": "identity"}
        if start := self._end():
            headers["Range"] = f"bytes={start}-"
            if self.version.validator:
                headers["If-Range"] = self.version.validator
        url, first = self.source.url, urlsplit(self.source.url)
        allowed = (str(first.hostname), *self.source.hosts)
        for _ in range(REDIRECTIONS):
            response = session.get(
                url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False
            )
            if not response.is_redirect:
                return response
            response.close()
            url = urljoin(url, response.headers["Location"])
            to = urlsplit(url)
            known = any(f".{to.hostname}".endswith(f".{host}") for host in allowed)
            if not known or to.scheme not in ("https", first.scheme):
                raise StoppedError(
                    f"it redirects to {to.scheme}://{to.hostname}, expected {first.scheme}://"
                    f"{' or '.join(allowed)}. Does the network ask for a login?"
                )
        raise StoppedError(f"more than {REDIRECTIONS} redirections")

    def _take(self, response: Any) -> bool:
        """Append what the server sends to the file; return whether all has arrived."""
        start, status = self._end(), response.status_code
        stated = re.fullmatch(
            r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        total = int(stated[2]) if stated and stated[2] != "*" else None
        if status == 416 and start:  # the server has no bytes after ``start``
            expected = total if self.source.size is None else self.source.size
            # If the total size is unknown, start again.
            return start == expected or self._empty()
        if status >= 500:
            response.raise_for_status()  # the next attempt may succeed
        if status not in (200, 206):
            raise StoppedError(f"{status} {response.reason}")
        if encoding := response.headers.get("Content-Encoding"):
            raise StoppedError(f"it is sent compressed ({encoding}), which was not asked for")
        validator = _validator(response)
        if status == 206:
            changed = validator and self.version.validator and validator != self.version.validator
            if not start or not stated or stated[1] != str(start) or changed:
                return self._empty()  # not the requested range
        else:  # the server cannot resume, or has another version, and sends the whole file
            self._empty()
            self.version = _Version(self.source.url, validator)
            start = 0
        announced = response.headers.get("Content-Length", "")
        if total is None and announced.isdecimal():
            total = start + int(announced)
        if None not in (total, self.version.length) and total != self.version.length:
            return self._empty()  # the file on the server has changed
        self.version.length = self.version.length if total is None else total
        self._check_length(self.version.length, whole=True)
        self.side.write_text(json.dumps(asdict(self.version)), "utf-8")
        self._append(response, start)
        if self.version.length is not None:
            return self._end() == self.version.length
        # The end of a chunked transfer is marked; another transfer may be incomplete.
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "")
        if not chunked and self.source.size is None and self.source.known_hash is None:
            raise StoppedError("the server does not say how long it is, nor where it ends")
        return True

    def _append(self, response: Any, start: int) -> None:
        self.bar.total = self.source.size if self.version.length is None else self.version.length
        self.bar.update(start - self.bar.n)
        for i, block in enumerate(response.iter_content(BLOCK)):
            self.file.write(block)
            self.bar.update(len(block))
            self._check_length(self.file.tell(), whole=False)
            if i == 0 and (wrong := self._wrong_beginning()):
                raise OtherFileError(wrong)

    def _end(self) -> int:
        return self.file.seek(0, os.SEEK_END)

    def _empty(self) -> bool:
        """Empty the file to start again. Return False: the file is not complete."""
        self.file.seek(self.file.truncate(0))
        self.version = _Version(self.source.url)
        return False

    def _check(self) -> None:
        """Raise an error if the file is not the expected one."""
        if wrong := self._wrong_beginning():
            raise OtherFileError(wrong)
        self._check_length(self._end(), whole=True)
        if self.source.known_hash is not None:
            kind, _, expected = self.source.known_hash.partition(":")
            self.file.seek(0)
            found = hashlib.file_digest(self.file, kind).hexdigest()
            if found != expected:
                raise OtherFileError(f"{kind} {found}, expected {expected}")

    def _check_length(self, n_bytes: int | None, *, whole: bool) -> None:
        size = self.source.size
        limit = self.source.max_size if size is None else size
        if n_bytes is not None and limit is not None and n_bytes > limit:
            raise OtherFileError(f"it has more than {limit} bytes")
        if whole and n_bytes is not None and size is not None and n_bytes < size:
            raise OtherFileError(f"{n_bytes} bytes, expected {size}")

    def _wrong_beginning(self) -> str:
        """Return a description of the first bytes if they are not as expected, else ""."""
        self.file.seek(0)
        first = self.file.read(16)
        self._end()
        short = any(one.startswith(first) for one in self.beginnings)
        right = not self.beginnings or short or first.startswith(self.beginnings)
        return "" if right else f"it begins with {first!r}"


def _validator(response: Any) -> str:
    """Return an identifier of the version of a file, or "" if the server does not state one."""
    etag = str(response.headers.get("ETag", ""))
    weak = not etag or etag.startswith("W/")
    return str(response.headers.get("Last-Modified", "")) if weak else etag
