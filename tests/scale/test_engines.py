"""Worker processes, dask, kills, full and read-only disks: the same folder, or what it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skaudio.scale import _compute, embed, folder_state, load_rows

from .conftest import contents, small_model

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys, warnings
import pandas as pd
from sklearn.pipeline import make_pipeline
from skaudio import MFCC, FramePooling
from skaudio.scale import embed
if __name__ == "__main__":
    warnings.simplefilter("ignore")
    clips, folder, jobs = sys.argv[1:]
    model = make_pipeline(MFCC(n_mfcc=5), FramePooling())
    print(embed(model, pd.read_parquet(clips), folder, part_size=50, n_jobs=int(jobs)))
"""


def run(*arguments):
    """Run in a process of its own, and a group of its own."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def clips(files, tmp_path):
    """Return the path of a table of 2000 clips; some are of damaged files."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"file": rng.choice(files, 2000), "onset": rng.uniform(0, 0.1, 2000)})
    table.loc[table["file"].str.contains("03|17") & (rng.random(2000) < 0.9), "file"] = files[0]
    table["offset"] = table["onset"] + 0.1
    table.to_parquet(tmp_path / "clips.parquet")
    return tmp_path / "clips.parquet"


@pytest.mark.slow
def test_two_processes_write_what_one_writes(clips, tmp_path):
    X = pd.read_parquet(clips)
    embed(small_model(), X, tmp_path / "one", part_size=100, n_jobs=1)
    state = embed(small_model(), X, tmp_path / "two", part_size=100, n_jobs=2)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert state.n_failed > 0


@pytest.mark.slow
def test_dask_writes_the_same(files, make_clip, tmp_path, monkeypatch):
    """A worker of two threads in this process; the transformer goes through pickle all the same."""
    distributed = pytest.importorskip("distributed")
    built = []
    make = _compute.make_model
    monkeypatch.setattr(_compute, "make_model", lambda packed: built.append(1) or make(packed))
    monkeypatch.setattr(_compute, "_models", {})
    embed(small_model(), files, tmp_path / "alone", part_size=2)
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        embed(small_model(), files, tmp_path / "passed", part_size=2, client=client)
        embed(small_model(), files, tmp_path / "active", part_size=2)
        with pytest.raises(TypeError, match="recordings that are in memory, expected paths"):
            embed(small_model(), [make_clip()], tmp_path / "samples", client=client)
    assert built == [1]  # for both runs, and both threads
    for name in ("passed", "active"):
        assert contents(tmp_path / name) == contents(tmp_path / "alone")


@pytest.mark.slow
def test_killed_and_started_again(clips, tmp_path):
    """benchmarks/scale_runs.py does it thirty times."""
    X = pd.read_parquet(clips)
    embed(small_model(), X, tmp_path / "whole", part_size=50)
    folder = tmp_path / "killed"
    for jobs, n_parts in [(1, 1), (2, 7), (1, 20)]:
        process = run(clips, folder, jobs)
        while len(list(folder.glob("rows/part-*"))) < n_parts and process.poll() is None:
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert folder_state(folder).n_finished >= 20
    assert embed(small_model(), X, folder, part_size=50).is_complete
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.fixture
def small_disk():
    """A file system of 200 KB; to mount one takes root."""
    folder = tempfile.mkdtemp()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no small file system can be mounted here")
    yield Path(folder)
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_loses_nothing(jobs, small_disk, clips, tmp_path):
    X = pd.read_parquet(clips)
    folder = small_disk / "rows"
    (small_disk / "ballast").write_bytes(bytes(100_000))
    with pytest.raises(OSError, match=r"cannot be written \(No space left .* call again"):
        embed(small_model(), X, folder, part_size=50, n_jobs=jobs)
    state = folder_state(folder)
    assert 0 < state.n_finished < state.n_parts
    before = {name: (folder / name).read_bytes() for name in contents(folder)}
    assert len(load_rows(folder, partial=True).data) > 0
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    embed(small_model(), X, folder, part_size=50)
    after = contents(folder)
    assert {name: after[name] for name in before if name.endswith("parquet")} == {
        name: content for name, content in before.items() if name.endswith("parquet")
    }
    embed(small_model(), X, tmp_path / "whole", part_size=50)
    assert after == contents(tmp_path / "whole")


def test_a_full_disk_while_mapping(small_disk, good):
    embed(small_model(), good, small_disk / "rows")
    (small_disk / "ballast").touch()
    with pytest.raises(OSError, match="No space left"), open(small_disk / "ballast", "wb") as file:
        file.write(bytes(1 << 20))
    with pytest.raises(OSError, match=r"rows.npy cannot be written \(No space left"):
        load_rows(small_disk / "rows", mmap_mode="r")


def test_a_read_only_folder(small_disk, good):
    folder = small_disk / "rows"
    embed(small_model(), good, folder, part_size=5, shard=(0, 2))
    before = contents(folder)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match=r"cannot be written \(Read-only file system\)"):
        embed(small_model(), good, folder, part_size=5)
    assert contents(folder) == before
    assert embed(small_model(), good, folder, part_size=5, shard=(0, 2)).n_finished == 3
    with pytest.raises(OSError, match=r"manifest.json cannot be written"):
        embed(small_model(), good, small_disk / "another")
