"""ESC-10 and ESC-50: their layouts, folds as groups, and the downloads."""

from __future__ import annotations

import csv
import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sklearn.model_selection import LeaveOneGroupOut

from skaudio.datasets import _esc10, _esc50, fetch_esc10, fetch_esc50

CLASSES = ["Dog bark", "Rain", "Sea waves", "Baby cry", "Clock tick", "Person sneeze"]
CLASSES += ["Helicopter", "Chainsaw", "Rooster", "Fire crackling"]


def esc10_files(n_per_fold: int = 8, classes: list[str] = CLASSES) -> dict[str, bytes]:
    names = [
        f"{i:03} - {name}/{fold}-{100 * fold + clip}-A.ogg"
        for i, name in enumerate(classes, 1)
        for fold in range(1, 6)
        for clip in range(n_per_fold)
    ]
    return {"README.md": b"ESC-10", **dict.fromkeys(names, b"sound")}


def esc50_files(n_per_fold: int = 8, n_classes: int = 50, listed: int = 50) -> dict[str, bytes]:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
    files = {}
    for target in range(listed):
        for fold in range(1, 6):
            for clip in range(n_per_fold):
                name = f"{fold}-{1000 * target + clip}-A-{target}.wav"
                is_esc10 = target % 5 == 0
                clip_id = 1000 * target + clip
                rows.writerow([name, fold, target, f"class {target}", is_esc10, clip_id, "A"])
                if target < n_classes:
                    files[f"audio/{name}"] = b"sound"
    return {**files, "meta/esc50.csv": table.getvalue().encode()}


SETS = {
    "esc10": (fetch_esc10, _esc10, esc10_files),
    "esc50": (fetch_esc50, _esc50, esc50_files),
}
both = pytest.mark.parametrize("name", SETS)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def serve(tmp_path, monkeypatch) -> Iterator[Callable[[dict[str, bytes]], Path]]:
    """Serve an archive in place of the official ones; returns its path."""
    root = tmp_path / "server"
    root.mkdir()
    handler = partial(QuietHandler, directory=str(root))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    for _, module, _ in SETS.values():
        monkeypatch.setattr(module, "_URL", f"http://127.0.0.1:{server.server_port}/esc.zip")

    def make(files: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(root / "esc.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(f"ESC-master/{name}", content)
        return root / "esc.zip"

    yield make
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@both
def test_folds_are_groups(name, home):
    fetch, _, files = SETS[name]
    put(home / name, files())
    bunch = fetch(data_home=home, download_if_missing=False, as_frame=True)
    table = bunch.frame
    n_classes = len(bunch.target_names)
    assert len(table) == 40 * n_classes
    assert (table.groupby(["label", "fold"]).size() == 8).all()
    assert (bunch.target_names[table.target] == table.label).all()
    assert bunch.groups.tolist() == table.fold.tolist()
    assert set(table.fold) == set("12345")
    for path, fold, clip in zip(table.path, table.fold, table.clip_id, strict=True):
        assert Path(path).name.startswith(f"{fold}-{clip}-A")
    folds = LeaveOneGroupOut().split(bunch.data, bunch.target, bunch.groups)
    assert [set(table.fold.iloc[test]) for _, test in folds] == [{f} for f in "12345"]
    X, y = fetch(data_home=home, return_X_y=True)
    assert X.tolist() == table.path.tolist()
    np.testing.assert_array_equal(y, table.target)
    assert "CC BY" in bunch.DESCR


def test_esc10_names_and_order(home):
    put(home / "esc10", esc10_files(1, ["Dog bark", "Rain"]))
    put(home / "esc10" / "010 - Fire crackling", {"2-9-B.ogg": b"", "2-10-A.ogg": b"", "._x": b""})
    esc10 = fetch_esc10(data_home=home)
    assert esc10.target_names.tolist() == ["Dog bark", "Rain", "Fire crackling"]
    assert [Path(path).name for path in esc10.data[-2:]] == ["2-9-B.ogg", "2-10-A.ogg"]
    assert esc10.target[-2:].tolist() == [2, 2]


def test_esc50_takes_what_is_there_of_what_is_listed(home):
    put(home / "esc50", esc50_files(n_per_fold=1, n_classes=3))
    put(home / "esc50", {"audio/9-9-A-9.wav": b"not listed"})
    esc50 = fetch_esc50(data_home=home, as_frame=True)
    assert len(esc50.data) == 15
    assert len(esc50.target_names) == 50  # the set's numbers keep their meaning
    assert esc50.frame.groupby("target").esc10.first().tolist() == [True, False, False]


@both
def test_missing_and_no_download_wanted(name, home):
    fetch = SETS[name][0]
    message = rf"download_if_missing=False.*karolpiczak.*{re.escape(str(home / name))}"
    with pytest.raises(FileNotFoundError, match=message):
        fetch(data_home=home, download_if_missing=False)
    assert not home.exists()


@both
def test_folder_with_something_else(name, home):
    put(home / name, {"notes.txt": b""})
    with pytest.raises(ValueError, match="holds files, but no recording"):
        SETS[name][0](data_home=home)


def test_esc10_strange_name(home):
    put(home / "esc10" / "001 - Dog bark", {"dog.ogg": b""})
    with pytest.raises(ValueError, match=r"dog\.ogg: expected a name such as 1-100032-A\.ogg"):
        fetch_esc10(data_home=home)


@pytest.mark.parametrize(
    "table, message",
    [
        (b"filename,fold\n", r"lacks the columns \['category', 'esc10', 'src_file'"),
        (
            b"filename,fold,target,category,esc10,src_file,take\na.wav,1,3,dog,True,1,A\n",
            r"expected targets 0, 1, 2\.\.\., found \[3\]",
        ),
    ],
)
def test_esc50_table_of_another_kind(home, table, message):
    put(home / "esc50", {"meta/esc50.csv": table})
    with pytest.raises(ValueError, match=message):
        fetch_esc50(data_home=home)


@both
def test_downloads_once(name, home, serve, capsys):
    fetch, _, files = SETS[name]
    archive = serve(files())
    with pytest.warns(UserWarning, match="no reference hash is known for"):
        bunch = fetch(data_home=home)
    assert "licence CC BY" in capsys.readouterr().err
    assert len(bunch.data) == 40 * len(bunch.target_names)
    assert [path.name for path in home.iterdir()] == [name]
    archive.unlink()
    assert fetch(data_home=home).data.tolist() == bunch.data.tolist()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name, files, message",
    [
        ("esc10", esc10_files(7), "350 recordings, expected 400"),
        ("esc10", esc10_files(9, CLASSES[:9]), "9 classes, expected 10"),
        ("esc50", esc50_files(n_classes=49), "1960 recordings, expected 2000"),
        ("esc50", esc50_files(9, listed=49), "49 classes, expected 50"),
        ("esc50", {"audio/1-1-A-1.wav": b""}, r"no meta/esc50\.csv"),
    ],
)
def test_archive_with_other_content_leaves_nothing_behind(name, files, message, home, serve):
    serve(files)
    with pytest.raises(ValueError, match=f"not the expected archive.*{message}"):
        SETS[name][0](data_home=home, verbose=0)
    assert list(home.iterdir()) == []


@both
def test_offline(name, home, monkeypatch):
    fetch, module, _ = SETS[name]
    monkeypatch.setattr(module, "_URL", "http://127.0.0.1:9/esc.zip")
    with pytest.raises(ConnectionError, match=r"esc\.zip could not be.*by hand"):
        fetch(data_home=home, verbose=0)
    assert list(home.iterdir()) == []


def test_real_esc10(data_home):
    if not (data_home / "esc10").is_dir():
        pytest.skip("no esc10 in SKAUDIO_DATA")
    esc10 = fetch_esc10(download_if_missing=False, as_frame=True)
    assert esc10.target_names.tolist() == CLASSES
    assert (esc10.frame.groupby(["label", "fold"]).size() == 8).all()
    assert (esc10.frame.groupby("clip_id").fold.nunique() == 1).all()
    assert sf.info(esc10.data["path"].iloc[0]).samplerate == 44100


def test_real_esc50(data_home):
    if not (data_home / "esc50").is_dir():
        pytest.skip("no esc50 in SKAUDIO_DATA")
    esc50 = fetch_esc50(download_if_missing=False, as_frame=True)
    assert len(esc50.target_names) == 50
    assert (esc50.frame.groupby("clip_id").fold.nunique() == 1).all()
