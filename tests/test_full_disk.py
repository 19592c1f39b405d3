"""Disks that are full: results are returned, or an error says so; what was there before is left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from skaudio._files import fetch_file, transfer
from skaudio.caching import CachedTransformer
from skaudio.encoders import MFCC
from skaudio.events import write_events

CODE = """
import numpy as np
from sklearn.pipeline import make_pipeline
from skaudio._neural import decoding
from skaudio.augmentation import Noise
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC
from skaudio.events import write_events

decoding.MEMORY_LIMIT = 1 << 20  # 2 GiB for users
X = np.random.default_rng(0).normal(size=(40, 160000)).astype("f4") * 0.1
GRUClassifier(make_pipeline(Noise(), MFCC()), max_epochs=1).fit(X, np.arange(40) % 2)
"""


@pytest.fixture
def small_disk():
    """A file system of 3 MB; to mount one takes root."""
    folder = tempfile.mkdtemp()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_spilled_recordings(small_disk):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        env={**os.environ, "TMPDIR": small_disk},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.returncode  # below 0: ended by a signal
    assert f"do not fit into the temporary folder {small_disk}" in result.stderr


def fill(folder, room):
    """Make a file so large that ``room`` bytes are left, in whole pages."""
    path = Path(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
        file.truncate(file.tell() - room)
    return path


@pytest.mark.parametrize("room", [0, 4096, 10_000, 40_960])
def test_cache(small_disk, make_clip, room):
    """No room at all, none for the folders, for the first result, for the next ones."""
    clips = [make_clip(0.5, seed=i) for i in range(24)]
    expected = np.asarray(MFCC().fit_transform(clips))
    filler = fill(small_disk, room)
    cached = CachedTransformer(MFCC(), small_disk, batch_size=4)
    with pytest.warns(UserWarning, match=r"cannot be stored in .*No space left") as caught:
        np.testing.assert_array_equal(cached.transform(clips), expected)
    assert len(caught) == 1
    left = [path for path in Path(small_disk).rglob("*") if path.suffix in (".tmp", ".lock")]
    assert [path.name for path in left if path.name != "state.lock"] == []
    filler.unlink()
    for _ in range(2):
        np.testing.assert_array_equal(cached.transform(clips), expected)
    assert cached.cache_info().currsize == 24


EVENTS = [{"file": "a.wav", "onset": i, "offset": i + 1, "event_label": "dog"} for i in range(9999)]


@pytest.mark.parametrize("name", ["e.csv", "e.tsv", "e.txt", "e.selections.txt"])
def test_tables_of_events(small_disk, name):
    """What is there is not overwritten by a half."""
    path = Path(small_disk, name)
    write_events(EVENTS[:3], path)
    before = path.read_bytes()
    fill(small_disk, 8192)
    with pytest.raises(OSError, match="No space left"):
        write_events(EVENTS, path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(small_disk)) == [name, "filler"]


def test_downloads(small_disk, monkeypatch):
    """The error says what does not fit where, and nothing is left."""
    monkeypatch.setattr(transfer, "PAUSE", 0)
    fill(small_disk, 40_960)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "300000")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(bytes(300_000))

        def log_message(self, format, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url, path = f"http://127.0.0.1:{server.server_port}/x", Path(small_disk, "net.bin")
        message = rf"{url} does not fit into {small_disk} \(No space left on device\): free some"
        with pytest.raises(OSError, match=message):
            fetch_file(url, path, known_hash=None, size=300_000, by_hand="", verbose=0)
        server.shutdown()
    assert os.listdir(small_disk) == ["filler"]
