"""The command line: what it prints, what it writes, and what a mistake looks like."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skaudio
from skaudio.audio import Recording
from skaudio.classifiers import LeNetClassifier
from skaudio.cli import main
from skaudio.cli._labels import guess_groups
from skaudio.datasets import load_spoken_digits
from skaudio.detectors import EventDetector
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import equal_error_rate
from skaudio.pooling import FramePooling


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a sub-folder per digit, and files named after their speakers."""
    folder = tmp_path_factory.mktemp("digits")
    digits = load_spoken_digits()
    for i, (path, target) in enumerate(zip(digits.data, digits.target, strict=True)):
        if target < 3:
            (folder / f"{target}").mkdir(exist_ok=True)
            shutil.copy(path, folder / f"{target}" / f"{digits.groups[i]}_{i}.wav")
    return folder


@pytest.fixture(scope="module")
def models(folder):
    """Return the paths of a saved classifier and of a saved detector."""
    data = skaudio.load_audio_files(folder)
    encoder = MelSpectrogram(n_mels=16, hop_length=320)
    y = data.target_names[data.target]
    classifier = LeNetClassifier(encoder, channels=(4, 8), max_epochs=8, random_state=0)
    detector = EventDetector(encoder, channels=(4, 4), hidden_size=4, max_epochs=1, random_state=0)
    paths = folder.parent / "classifier.skaudio", folder.parent / "detector.skaudio"
    skaudio.save(classifier.fit(data.data, y), paths[0])
    skaudio.save(detector.fit(data.data, y), paths[1])
    return [str(path) for path in paths]


@pytest.fixture
def run(capsys):
    """Return a function that runs a command, and returns its code, stdout and stderr."""

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse ends the process
            code = stop.code
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


@pytest.fixture
def damaged(tmp_path):
    path = tmp_path / "damaged.wav"
    path.write_bytes(b"RIFF is not enough")
    return path


def files_of(folder, n=3):
    return sorted(folder.rglob("*.wav"))[:n]


class TestLooking:
    def test_info_states_what_soundfile_states(self, run, folder):
        file = files_of(folder)[0]
        code, out, _ = run("info", file, "--json")
        (row,) = json.loads(out)
        stated = sf.info(file)
        assert code == 0
        assert (row["file"], row["sample_rate"]) == (str(file), stated.samplerate)
        assert row["duration"] == pytest.approx(stated.duration)

    def test_folders_hold_recordings(self, run, folder):
        code, out, _ = run("info", folder, "--csv")
        assert code == 0
        assert len(out.splitlines()) == 1 + len(list(folder.rglob("*.wav")))

    def test_audit_finds_a_copy(self, run, folder, tmp_path):
        copied = tmp_path / "copied"
        shutil.copytree(folder, copied)
        first = files_of(copied)[0]
        shutil.copy(first, first.with_name("zz_999.wav"))
        code, out, _ = run("audit", copied, "--plot", tmp_path / "audit.png")
        assert code == 0
        assert "identical" in out
        assert (tmp_path / "audit.png").stat().st_size > 1000
        _, out, _ = run("audit", copied, "--json")
        assert "duplicates" in [finding["kind"] for finding in json.loads(out)["findings"]]

    def test_audit_needs_no_classes(self, run, folder, tmp_path):
        for file in files_of(folder):
            shutil.copy(file, tmp_path)
        assert run("audit", tmp_path)[0] == 0


class TestApplying:
    def test_predict_is_predict(self, run, folder, models):
        files = files_of(folder, 40)  # more than are processed at a time
        model = skaudio.load(models[0])
        _, out, _ = run("predict", models[0], *files, "--top", 2, "--json")
        rows = pd.DataFrame(json.loads(out))
        scores = model.predict_proba(files)
        assert rows["label"][::2].tolist() == model.predict(files).tolist()
        np.testing.assert_allclose(rows["score"][::2], scores.max(axis=1))
        assert rows["file"][::2].tolist() == list(map(str, files))

    def test_damaged_files_are_listed_and_the_others_predicted(self, run, folder, models, damaged):
        files = files_of(folder)
        code, out, err = run("predict", models[0], files[0], damaged, *files[1:], "--csv")
        assert code == 1
        assert len(out.splitlines()) == 4
        assert "1 of 4 recordings could not be read" in err
        assert f"{damaged}: " in err

    def test_rows_of_a_saved_model(self, run, folder, models, tmp_path):
        files = files_of(folder)
        embedder = skaudio.NetEmbedder(LeNetClassifier(MelSpectrogram(), max_epochs=1))
        data = skaudio.load_audio_files(folder)
        path = tmp_path / "embedder.skaudio"
        skaudio.save(embedder.fit(data.data, data.target), path)
        output = tmp_path / "rows.npy"
        assert run("embed", *files, "--model", path, "-o", output)[0] == 0
        np.testing.assert_array_equal(np.load(output), embedder.transform(files))
        assert Path(f"{output}.txt").read_text().splitlines() == list(map(str, files))
        _, out, _ = run("embed", files[0], "--model", path, "--csv")
        assert len(out.splitlines()[1].split(",")) == 1 + np.load(output).shape[1]

    def test_rows_in_a_folder(self, run, folder, damaged, tmp_path):
        files = [*files_of(folder, 5), damaged]
        model = make_pipeline(MFCC(), FramePooling())
        path = skaudio.save(model, tmp_path / "mfcc.skaudio")
        output = tmp_path / "rows"
        call = ["embed", *files, "--model", path, "-o", output, "--part-size", 2]
        code, out, err = run(*call, "--shard", "0/2")
        assert (code, out) == (1, "")
        assert "4 of 6 recordings done (2 of 3 parts), 1 could not be read" in err
        _, out, _ = run("show", output)
        assert "missing parts: 1" in out
        assert run(*call, "--dtype", "float32")[0] == 1
        np.testing.assert_array_equal(skaudio.load_rows(output).data, model.transform(files[:5]))
        assert json.loads(run("show", output, "--json")[1])["is_complete"]
        shutil.copy(files[0], damaged)
        assert run(*call, "--retry")[0] == 0
        code, _, err = run(*call, "--dtype", "float16")
        assert code == 2
        assert len(err.splitlines()) == 1
        assert "dtype is 'float32' there, 'float16' here" in err

    def test_a_parquet_file_lists_recordings(self, run, folder, tmp_path):
        files = files_of(folder)
        table = tmp_path / "list.parquet"
        pd.DataFrame({"file": list(map(str, files))}).to_parquet(table)
        model = skaudio.save(make_pipeline(MFCC(), FramePooling()), tmp_path / "mfcc.skaudio")
        call = ["embed", table, "--model", model, "-o", tmp_path / "rows"]
        assert run(*call)[0] == 0
        assert len(skaudio.load_rows(tmp_path / "rows").data) == len(files)
        code, _, err = run(call[0], files[0], *call[1:])
        assert code == 2
        assert "expected no other files beside it" in err

    @pytest.mark.slow
    def test_workers_of_dask_compute_a_folder(self, run, folder, tmp_path, monkeypatch):
        distributed = pytest.importorskip("distributed")
        files = files_of(folder)
        model = make_pipeline(MFCC(), FramePooling())
        path = skaudio.save(model, tmp_path / "mfcc.skaudio")
        call = ["embed", *files, "--model", path, "-o", tmp_path / "rows", "--part-size", 2]
        cluster = distributed.LocalCluster(
            n_workers=1, processes=False, protocol="tcp", dashboard_address=None
        )
        with cluster:
            assert run(*call, "--dask", cluster.scheduler_address)[0] == 0
        rows = skaudio.load_rows(tmp_path / "rows").data
        np.testing.assert_array_equal(rows, model.transform(files))
        client = distributed.Client
        monkeypatch.setattr(
            distributed, "Client", lambda address, timeout: client(address, timeout=1)
        )
        code, _, err = run(*call, "--dask", "tcp://127.0.0.1:9")
        assert code == 2
        assert "no scheduler answers there" in err

    def test_events_in_a_folder(self, run, folder, models, tmp_path):
        files = files_of(folder)
        assert run("detect", models[1], *files, "-o", tmp_path / "events")[0] == 0
        found = skaudio.load_events(tmp_path / "events").events
        expected = skaudio.load(models[1]).predict_events(files)
        pd.testing.assert_frame_equal(found[expected.columns.tolist()], expected)

    def test_tags_of_a_pretrained_network(self, run, folder, data_home, monkeypatch):
        monkeypatch.setenv("SKAUDIO_DATA", str(data_home))
        if not (data_home / "pretrained" / "mn04_as_mAP_432.pt").is_file():
            pytest.skip("no weights of mn04_as")
        files = files_of(folder, 2)
        _, out, _ = run("tag", *files, "--top", 3, "--json")
        expected = skaudio.AudioTagger().fit(files).tag(files, top=3)
        assert [row["event_label"] for row in json.loads(out)] == expected["event_label"].tolist()

    def test_events(self, run, folder, models, tmp_path):
        files = files_of(folder)
        expected = skaudio.load(models[1]).predict_events(files)
        output = tmp_path / "events.csv"
        assert run("detect", models[1], *files, "-o", output)[0] == 0
        found = skaudio.read_events(output)
        assert found["event_label"].tolist() == expected["event_label"].tolist()
        np.testing.assert_allclose(found["onset"], expected["onset"])
        truth = expected.assign(file=[Path(name).relative_to(folder) for name in expected["file"]])
        skaudio.write_events(truth.astype({"file": str}), output)
        _, out, _ = run("evaluate", models[1], folder, "--events", output, "--json")
        assert json.loads(out) == [{"event_based_f1": 1.0, "segment_based_f1": 1.0}]

    def test_show(self, run, models):
        code, out, _ = run("show", models[0])
        assert code == 0
        assert "LeNetClassifier" in out

    def test_interrupted(self, run, folder, models, monkeypatch):
        """What is finished is printed."""
        files = files_of(folder, 40)
        read, late = Recording.read, str(files[35])

        def stopped(self, *args, **kwargs):
            if self.path == late:
                raise KeyboardInterrupt
            return read(self, *args, **kwargs)

        monkeypatch.setattr(Recording, "read", stopped)
        code, out, err = run("predict", models[0], *files, "--csv")
        assert code == 130
        assert len(out.splitlines()) == 1 + 32
        assert "interrupted after 32 of 40" in err


class TestLearning:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        """Replace the recipe by a net that is trained in a second."""
        net = LeNetClassifier(MelSpectrogram(n_mels=16), channels=(4, 8), max_epochs=4)
        monkeypatch.setattr(skaudio, "recipe", lambda task, **kwargs: net, raising=False)

    def test_by_group(self, run, folder, tmp_path):
        path = tmp_path / "digits.skaudio"
        code, out, err = run("train", folder, "-o", path, "--folds", 2, "--json")
        assert code == 0, err
        assert "groups: part 1 of the names of the files" in err
        result = json.loads(out)
        first, second = (set(fold["groups"].split()) for fold in result["folds"])
        assert first.isdisjoint(second)
        accuracies = [fold["accuracy"] for fold in result["folds"]]
        assert result["scores"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
        code, out, _ = run("evaluate", path, folder, "--worst", 2, "--csv")
        assert code == 0
        table = out.splitlines()
        assert table[0].endswith("accuracy,standard_error,n_recordings")
        model = skaudio.load(path)
        data = skaudio.load_audio_files(folder)
        accuracy = model.score(data.data, data.target_names[data.target])
        assert f"{accuracy:.3f}" in run("evaluate", path, folder, "--groups", "(wav)$")[1]

    def test_rows_are_scored_by_their_distances(self, run, folder, tmp_path):
        """Also those of a Pipeline or FeatureUnion, which has no score of its own."""
        data = skaudio.load_audio_files(folder)
        rows = make_pipeline(MFCC(), FramePooling()).fit_transform(data.data)
        i, j = np.triu_indices(len(rows), 1)
        same = data.target[i] == data.target[j]
        rate = equal_error_rate(same, -np.linalg.norm(rows[i] - rows[j], axis=1))
        skaudio.save(make_pipeline(MFCC(), FramePooling()).fit(data.data), tmp_path / "m.skaudio")
        code, out, _ = run("evaluate", tmp_path / "m.skaudio", folder, "--json")
        assert code == 0
        assert json.loads(out)[0]["equal_error_rate"] == pytest.approx(rate, abs=1e-6)

    def test_damaged_files_are_left_out_and_listed(self, run, folder, damaged, tmp_path):
        copied = tmp_path / "copied"
        shutil.copytree(folder, copied)
        shutil.copy(damaged, copied / "0" / "zoe_0.wav")
        path = tmp_path / "digits.skaudio"
        code, _, err = run("train", copied, "-o", path, "--folds", 0)
        assert code == 1
        assert path.is_file()
        assert "zoe_0.wav" in err

    def test_pipelines(self, run, folder, tmp_path, monkeypatch):
        """Steps of scikit-learn have a ``verbose`` of their own, which prints to stdout."""
        rows = make_pipeline(MFCC(), FramePooling(), LogisticRegression(max_iter=500))
        monkeypatch.setattr(skaudio, "recipe", lambda task, **kwargs: rows)
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        path = tmp_path / "digits.skaudio"
        code, out, err = run("train", folder, "-o", path, "--folds", 2, "--json")
        assert code == 0, err
        assert "accuracy" in json.loads(out)["scores"]
        assert path.is_file()

    def test_seeds(self, run, folder, tmp_path):
        tables = []
        for seed in (0, 0, 1):
            path = tmp_path / "digits.skaudio"
            run("train", folder, "-o", path, "--folds", 0, "--seed", seed)
            tables.append(skaudio.load(path).predict_proba(files_of(folder)))
        np.testing.assert_array_equal(tables[0], tables[1])
        assert not np.array_equal(tables[0], tables[2])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "required: COMMAND"),
        (["listen"], "invalid choice: 'listen'"),
        (["info"], "required: FILE"),
        (["info", "nowhere.wav"], "nowhere.wav: no such file"),
        (["info", "EMPTY"], "folder without recordings"),
        (["audit", "nowhere"], "no such folder"),
        (["train", "FOLDER"], "required: -o/--output"),
        (["train", "FOLDER", "-o", "/nowhere/m"], "no folder to write to"),
        (["train", "FOLDER", "-o", "m", "--task", "birds"], "invalid choice: 'birds'"),
        (["train", "FOLDER", "-o", "m", "--groups", "("], "nor a regular expression"),
        (["train", "EMPTY", "-o", "m"], "one sub-folder per class"),
        (["predict", "nowhere.skaudio", "FILE"], "nowhere.skaudio"),
        (["predict", "FILE", "FILE"], "Waveform"),
        (["predict", "MODEL", "FILE", "--top", "0"], "expected 1 or more"),
        (["detect", "MODEL", "FILE"], "cannot detect: use skaudio predict"),
        (["embed", "FILE", "--model", "mn99"], "mn99"),
        (["embed", "FILE", "--model", "new.skaudio"], "No such file or directory: 'new.skaudio'"),
        (["embed", "FILE", "-o", "rows.xlsx"], "ends in .csv or .npy"),
        (["embed", "FILE", "--shard", "0/2"], "--shard is for results in a folder"),
        (["embed", "FILE", "-o", "rows", "--shard", "2/2"], "expected I/N with 0 <= I < N"),
        (["detect", "DETECTOR", "FOLDER", "-o", "a.txt"], "belong to one recording, given 90"),
        (["detect", "DETECTOR", "FILE", "--retry"], "--retry is for results in a folder"),
        (["detect", "DETECTOR", "FILE", "-o", "FOLDER"], "holds other files"),
        (["show", "EMPTY"], "has no manifest.json"),
        (["evaluate", "MODEL", "EMPTY"], "one sub-folder per class"),
        (["show", "FILE"], "FILE"),
    ],
)
def test_mistakes_are_one_line(arguments, words, run, folder, models, tmp_path):
    stands_for = {
        "FOLDER": str(folder),
        "EMPTY": str(tmp_path),
        "FILE": str(files_of(folder)[0]),
        "MODEL": models[0],
        "DETECTOR": models[1],
    }
    code, out, err = run(*[stands_for.get(argument, argument) for argument in arguments])
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("skaudio")
    assert stands_for.get(words, words) in err


@pytest.mark.parametrize(
    "names, expected",
    [
        (["a/ann/1.wav", "a/bob/1.wav", "b/ann/1.wav", "b/bob/1.wav"] * 2, "ann bob"),
        (["a/ann_1.wav", "a/bob_1.wav", "b/ann_1.wav", "b/bob_1.wav"] * 2, "ann bob"),
        (["a/01_1.wav", "a/02_1.wav", "b/01_1.wav", "b/02_1.wav"] * 2, None),  # takes or speakers?
        (["a/ann_1.wav", "a/ann_2.wav", "b/bob_1.wav", "b/bob_2.wav"] * 2, None),  # one class each
        (["a/x.wav", "a/y.wav", "b/z.wav", "b/w.wav"], None),
    ],
)
def test_groups_are_guessed_where_they_are_clear(names, expected):
    paths = [Path(name) for name in names]
    found, _ = guess_groups(paths, np.array([path.parts[0] for path in paths]))
    assert (None if found is None else " ".join(sorted(set(found)))) == expected


def test_process(folder):
    """The module runs, ends quietly where its reader has enough, and --help needs no libraries."""
    command = [sys.executable, "-m", "skaudio"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "predict the classes of recordings" in shown.stdout
    child = subprocess.Popen(
        [*command, "info", str(folder), "--csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stdout.close()
    _, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, b"")
