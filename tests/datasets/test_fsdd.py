"""Fetching: what is there is used; what is downloaded is checked, and put in place whole."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import soundfile as sf

from skaudio.datasets import _fsdd, fetch_fsdd, get_data_home

TOP = "free-spoken-digit-dataset-1.0.10"


def wav_bytes() -> bytes:
    stream = io.BytesIO()
    sf.write(stream, [0.0, 0.5, -0.5, 0.0], 8000, format="WAV")
    return stream.getvalue()


def names(n_per_digit: int = 100, digits: range = range(10)) -> list[str]:
    return [
        f"{TOP}/recordings/{digit}_{speaker}_{index}.wav"
        for digit in digits
        for speaker in ("ann", "bob")
        for index in range(n_per_digit)
    ]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def serve(tmp_path, monkeypatch) -> Iterator[Callable[..., Path]]:
    """Serve an archive in place of the official one; returns its path."""
    root = tmp_path / "server"
    root.mkdir()
    handler = partial(QuietHandler, directory=str(root))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setattr(_fsdd, "_URL", f"http://127.0.0.1:{server.server_port}/fsdd.zip")

    def make(files: list[str]) -> Path:
        content = wav_bytes()
        with zipfile.ZipFile(root / "fsdd.zip", "w") as archive:
            for name in files:
                archive.writestr(name, content)
        return root / "fsdd.zip"

    yield make
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


def put(home: Path, *file_names: str) -> None:
    folder = home / "fsdd" / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    for name in file_names:
        (folder / name).write_bytes(wav_bytes())


class TestDataHome:
    def test_argument_comes_first(self, monkeypatch, tmp_path):
        monkeypatch.setenv("SKAUDIO_DATA", str(tmp_path / "env"))
        assert get_data_home(tmp_path / "arg") == tmp_path / "arg"
        assert get_data_home() == tmp_path / "env"
        assert not (tmp_path / "env").exists()

    @pytest.mark.parametrize("value", [None, ""])
    def test_cache_folder_is_the_default(self, monkeypatch, value):
        monkeypatch.delenv("SKAUDIO_DATA", raising=False)
        if value is not None:
            monkeypatch.setenv("SKAUDIO_DATA", value)
        assert get_data_home().is_absolute()
        assert "skaudio" in get_data_home().parts

    def test_tilde(self):
        assert get_data_home("~/sounds") == Path.home() / "sounds"


class TestPresent:
    def test_used_without_a_download_in_numeric_order(self, home, capsys):
        put(home, "1_bob_10.wav", "1_bob_9.wav", "0_bob_0.wav", "1_ann_3.wav", "._junk.wav")
        fsdd = fetch_fsdd(data_home=home)
        expected = ["0_bob_0.wav", "1_ann_3.wav", "1_bob_9.wav", "1_bob_10.wav"]
        assert [Path(path).name for path in fsdd.data] == expected
        assert fsdd.target.tolist() == [0, 1, 1, 1]
        assert fsdd.groups.tolist() == ["bob", "ann", "bob", "bob"]
        assert fsdd.target_names[fsdd.target[1]] == "one"
        assert "CC BY-SA 4.0" in fsdd.DESCR
        assert capsys.readouterr().out == ""

    def test_environment_variable(self, home, monkeypatch):
        put(home, "0_bob_0.wav")
        monkeypatch.setenv("SKAUDIO_DATA", str(home))
        X, y = fetch_fsdd(return_X_y=True)
        assert len(X) == len(y) == 1

    def test_as_frame(self, home):
        put(home, "3_bob_7.wav")
        fsdd = fetch_fsdd(data_home=home, as_frame=True)
        assert fsdd.frame.columns.tolist() == ["path", "digit", "speaker", "index"]
        assert fsdd.frame.iloc[0, 1:].tolist() == [3, "bob", 7]
        assert fsdd.target.name == "digit"
        assert fsdd.groups.name == "speaker"

    def test_strange_name(self, home):
        put(home, "0_bob_0.wav", "ten_bob_0.wav")
        with pytest.raises(ValueError, match=r"ten_bob_0\.wav: expected a name such as"):
            fetch_fsdd(data_home=home)

    def test_folder_with_something_else(self, home):
        put(home, "0_bob_0.mp3")
        with pytest.raises(ValueError, match="holds files, but no recording"):
            fetch_fsdd(data_home=home)

    def test_missing_and_no_download_wanted(self, home):
        message = rf"download_if_missing=False.*github.*{re.escape(str(home))}.*0_george_0"
        with pytest.raises(FileNotFoundError, match=message):
            fetch_fsdd(data_home=home, download_if_missing=False)
        assert not home.exists()


class TestDownload:
    def test_downloads_once(self, home, serve, capsys):
        archive = serve([*names(), f"{TOP}/README.md"])
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        with pytest.warns(UserWarning, match=f"no reference hash.*{sha256}"):
            fsdd = fetch_fsdd(data_home=home)
        output = capsys.readouterr()
        assert "CC BY-SA 4.0" in output.err
        assert sha256 in output.err
        assert "100%" in output.err
        assert len(fsdd.data) == 2000
        assert sf.read(fsdd.data[0])[1] == 8000
        assert (home / "fsdd" / "README.md").is_file()
        assert [path.name for path in home.iterdir()] == ["fsdd"]

        archive.unlink()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert fetch_fsdd(data_home=home).data.tolist() == fsdd.data.tolist()

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_quiet(self, home, serve, capsys):
        serve(names())
        fetch_fsdd(data_home=home, verbose=0)
        assert capsys.readouterr() == ("", "")

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_folder_that_lacks_the_recordings_is_completed(self, home, serve):
        put(home)
        (home / "fsdd" / "README.md").write_text("mine")
        serve([*names(), f"{TOP}/README.md"])
        assert len(fetch_fsdd(data_home=home, verbose=0).data) == 2000
        assert (home / "fsdd" / "README.md").read_text() == "mine"

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (names(n_per_digit=3), "60 recordings, expected at least 2000"),
            (names(n_per_digit=120, digits=range(9)), r"no recordings of the digits \[9\]"),
            ([*names(), f"{TOP}/recordings/x.wav"], r"x\.wav: expected a name"),
            ([*names(), "../evil.wav"], r"unsafe path '\.\./evil\.wav'"),
            ([*names(), "/evil.wav"], "unsafe path"),
            ([*names(), f"{TOP}\\..\\..\\evil.wav"], "unsafe path"),
            ([*names(), "C:/evil.wav"], "unsafe path"),
            ([*names(), "second/x.txt"], "one folder at the top"),
            ([], "one folder at the top"),
        ],
        ids=["few", "digit", "name", "dots", "absolute", "backslash", "drive", "tops", "empty"],
    )
    def test_archive_with_other_content_leaves_nothing_behind(self, home, serve, files, message):
        serve(files)
        with pytest.raises(ValueError, match=f"(?s)not the expected archive.*{message}"):
            fetch_fsdd(data_home=home, verbose=0)
        assert list(home.iterdir()) == []
        assert not list(home.parent.rglob("evil*"))

    def test_no_archive_at_all(self, home, serve):
        serve([]).write_text("<html>Please log in</html>")
        with pytest.raises(ValueError, match="not the expected file: it begins with b'<html>"):
            fetch_fsdd(data_home=home, verbose=0)

    def test_damaged_archive(self, home, serve):
        archive = serve(names())
        content = bytearray(archive.read_bytes())
        content[len(TOP) + 80] ^= 0xFF
        archive.write_bytes(content)
        with pytest.raises(ValueError, match="not the expected archive"):
            fetch_fsdd(data_home=home, verbose=0)
        assert list(home.iterdir()) == []

    def test_not_found_on_the_server(self, home, serve):
        with pytest.raises(ConnectionError, match="404"):
            fetch_fsdd(data_home=home, verbose=0)

    def test_offline(self, home, monkeypatch):
        # The discard port: nobody listens there.
        monkeypatch.setattr(_fsdd, "_URL", "http://127.0.0.1:9/fsdd.zip")
        message = (
            rf"127\.0\.0\.1:9/fsdd\.zip could not be.*unpack it so that {re.escape(str(home))}"
        )
        with pytest.raises(ConnectionError, match=message):
            fetch_fsdd(data_home=home, verbose=0)
        assert list(home.iterdir()) == []


def test_real_recordings(data_home):
    if not (data_home / "fsdd" / "recordings").is_dir():
        pytest.skip("no fsdd in SKAUDIO_DATA")
    fsdd = fetch_fsdd(download_if_missing=False, as_frame=True)
    assert len(fsdd.data) >= 1000
    assert set(fsdd.target) == set(range(10))
    assert fsdd.groups.nunique() >= 4
    assert (fsdd.frame.groupby(["speaker", "digit"]).size() >= 10).all()
    assert sf.info(fsdd.data["path"].iloc[0]).samplerate == 8000
