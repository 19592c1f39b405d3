"""Files: whole or not there, within bounds, whoever writes beside."""

import errno
import io
import json
import os
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from filelock import FileLock

from skaudio._files.local import STALE
from skaudio.caching import CachedTransformer, _result_store
from skaudio.caching._cache_keys import digest
from skaudio.caching._lookup import fetch
from skaudio.caching._result_store import Store
from skaudio.encoders import MFCC

ROW = np.arange(6, dtype=np.float32)


def keys(n):
    return [digest(bytes([i])) for i in range(n)]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path, "Kind-1", "{}", None)
    made.prepare()
    return made


@pytest.mark.parametrize(
    "array",
    [
        ROW,
        ROW.reshape(2, 3),
        np.asfortranarray(ROW.reshape(2, 3)),
        ROW[::2],
        np.empty((3, 0), np.float32),
        np.arange(3, dtype=np.int16),
        np.array([1 + 2j], np.complex64),
        np.array([True, False]),
        ROW.astype(">f8"),
    ],
)
def test_arrays_come_back(store, array):
    (key,) = keys(1)
    store.save({key: array})
    back = store.load(key)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert back.flags.writeable
    np.testing.assert_array_equal(np.load(store.path_of(key)), array)  # a .npy file like any other


def damage(content, how):
    if how == "emptied":
        return b""
    if how == "cut":
        return content[:-7]
    if how == "header":
        return content[:20]
    if how == "zeros":
        return bytes(len(content))
    return content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]  # one bit


@pytest.mark.parametrize("how", ["emptied", "cut", "header", "zeros", "bit"])
def test_damaged_file_is_computed_again(store, how):
    (key,) = keys(1)
    fetch(store, [key], lambda positions: [ROW], batch_size=1)
    path = store.path_of(key)
    path.write_bytes(damage(path.read_bytes(), how))
    assert store.load(key) is None
    (again,) = fetch(store, [key], lambda positions: [ROW], batch_size=1)
    np.testing.assert_array_equal(again, ROW)
    np.testing.assert_array_equal(store.load(key), ROW)
    assert store.info()[:2] == (0, 2)


class TestBound:
    SIZE = 10_000

    def store(self, tmp_path, name="Kind-1"):
        made = Store(tmp_path, name, "{}", self.SIZE)
        made.prepare()
        return made

    def test_stays_within(self, tmp_path):
        store = self.store(tmp_path)
        rows = {key: np.zeros(200, np.float32) for key in keys(30)}
        for key, row in rows.items():
            store.save({key: row})
            assert sum(path.stat().st_size for path in tmp_path.rglob("*.npy")) <= self.SIZE
        info = store.info()
        assert info.evicted > 0
        assert info.currsize + info.evicted == 30
        assert 0.5 * self.SIZE < info.n_bytes <= self.SIZE

    def test_what_was_not_used_for_longest_goes(self, tmp_path):
        store = self.store(tmp_path)
        names = keys(10)
        for i, key in enumerate(names[:9]):
            store.save({key: np.zeros(200, np.float32)})
            os.utime(store.path_of(key), (i, i))
        assert store.load(names[0]) is not None  # used just now
        store.save({names[9]: np.zeros(600, np.float32)})
        there = [key for key in names if store.path_of(key).exists()]
        assert names[0] in there
        assert names[9] in there
        assert names[1] not in there
        assert there[1:] == names[10 - len(there) + 1 :]

    def test_is_that_of_all_transformers_together(self, tmp_path):
        first, second = self.store(tmp_path), self.store(tmp_path, "Kind-2")
        for key in keys(8):
            first.save({key: np.zeros(200, np.float32)})
            os.utime(first.path_of(key), (1, 1))
        for key in keys(8):
            second.save({key: np.zeros(200, np.float32)})
        assert first.info().n_bytes + second.info().n_bytes <= self.SIZE
        assert first.info().evicted > 0
        assert second.info()[2:4] == (0, 8)

    def test_results_larger_than_all_of_it(self, tmp_path):
        store = self.store(tmp_path)
        rows = fetch(store, keys(3), lambda p: [np.zeros(9000)] * len(p), batch_size=3)
        assert [row.shape for row in rows] == [(9000,)] * 3
        assert store.info().n_bytes <= self.SIZE

    def test_what_killed_processes_left_goes_too(self, tmp_path):
        store = self.store(tmp_path)
        store.save({keys(1)[0]: ROW})
        folder = store.path_of(keys(1)[0]).parent
        old, new = folder / "old.tmp", folder / "new.tmp"
        for path in (old, new):
            path.touch()
        os.utime(old, (time.time() - STALE - 9,) * 2)
        for key in keys(30)[1:]:
            store.save({key: np.zeros(200, np.float32)})
        assert not old.exists()
        assert new.exists()  # somebody may be writing it

    def test_bytes_are_added_up(self, tmp_path):
        store = self.store(tmp_path)
        one, two = keys(2)
        store.save({one: ROW})
        (tmp_path / "state.json").write_text('{"bytes": 1000}')
        store.save({two: ROW})
        total = json.loads((tmp_path / "state.json").read_text())["bytes"]
        assert total == 1000 + store.path_of(two).stat().st_size

    def test_results_that_vanish_meanwhile_are_not_counted(self, tmp_path):
        store = self.store(tmp_path)
        store.save({keys(1)[0]: ROW})
        (store.path_of(keys(1)[0]).parent / "gone.npy").symlink_to(tmp_path / "nowhere")
        assert store.info().currsize == 1

    def test_lost_state_is_counted_anew(self, tmp_path):
        store = self.store(tmp_path)
        for key in keys(8):
            store.save({key: np.zeros(200, np.float32)})
        (tmp_path / "state.json").write_text("{")
        for key in keys(30):
            store.save({key: np.zeros(200, np.float32)})
        assert store.info().n_bytes <= self.SIZE


def test_threads_compute_each_result_once(store):
    names = keys(40)
    done = []

    def run(order):
        def compute(positions):
            time.sleep(0.005)
            done.extend(order[i] for i in positions)
            return [np.full(3, order[i]) for i in positions]

        return fetch(store, [names[i] for i in order], compute, batch_size=4)

    orders = [list(range(40)), list(range(39, -1, -1)), [*range(20, 40), *range(20)]]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(run, orders))
    assert sorted(done) == list(range(40))
    for order, rows in zip(orders, results, strict=True):
        assert [row[0] for row in rows] == order
    assert store.info()[:2] == (80, 40)
    assert not list(store.own.rglob("*.lock"))


def test_failure_lets_go_of_the_locks(store):
    names = keys(3)

    def fail(positions):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fetch(store, names, fail, batch_size=2)
    assert not list(store.own.rglob("*.lock"))
    assert len(fetch(store, names, lambda p: [ROW] * len(p), batch_size=2)) == 3


def test_waits_for_who_is_computing_and_takes_over_from_who_fails(store):
    (key,) = keys(1)
    with ThreadPoolExecutor(1) as pool:
        with store.locked([key], 1) as ours:
            assert ours == [key]
            with store.locked([key], 1) as theirs:
                assert theirs == []
            waiting = pool.submit(fetch, store, [key], lambda p: [ROW], batch_size=1)
            time.sleep(0.1)
            assert not waiting.done()
        # without a result
        np.testing.assert_array_equal(waiting.result(timeout=30)[0], ROW)


def test_takes_what_others_do_not_hold(store):
    names = keys(5)
    done = []

    def compute(positions):
        done.extend(positions)
        return [ROW] * len(positions)

    with ThreadPoolExecutor(1) as pool:
        with store.locked(names, 2) as first, store.locked(names, 2) as second:
            assert (first, second) == (names[:2], names[2:4])
            waiting = pool.submit(fetch, store, names, compute, batch_size=2)
            time.sleep(0.2)
            assert done == [4]
            store.save({name: ROW for name in first})
        assert len(waiting.result(timeout=30)) == 5
    assert done == [4, 2, 3]


def test_interrupted_write_leaves_what_was_there(store, monkeypatch):
    (key,) = keys(1)
    store.save({key: ROW})

    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.save({key: ROW + 1})
    np.testing.assert_array_equal(store.load(key), ROW)
    assert not list(store.own.rglob("*.tmp"))


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "skaudio", "Kind-1", "{}", None)
    with pytest.raises(OSError, match=r"memory: results cannot be kept in .*file.*Expected"):
        fetch(store, keys(1), lambda p: [ROW], batch_size=1)


def test_reading_where_writing_is_forbidden(store, monkeypatch):
    names = keys(2)
    fetch(store, names, lambda p: [ROW] * len(p), batch_size=2)
    before = store.info()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert len(fetch(store, names, lambda p: pytest.fail("computed"), batch_size=2)) == 2
    assert store.info() == before


def test_facts_are_there_to_read(store):
    assert Path(store.own, "transformer.json").read_text() == "{}"


class TestWhatElseLiesThere:
    """Anything may happen to a folder between two runs; hits need nothing but the results."""

    X: ClassVar = [np.zeros(4000, np.float32), np.ones(4000, np.float32)]

    @pytest.fixture
    def cached(self, tmp_path):
        cached = CachedTransformer(MFCC(), tmp_path)
        cached.expected = np.asarray(cached.transform(self.X))
        return cached

    def same(self, cached):
        np.testing.assert_array_equal(cached.transform(self.X), cached.expected)

    @pytest.mark.parametrize("name", ["skaudio/*/counts.json", "skaudio/state.json"])
    @pytest.mark.parametrize(
        "content",
        [
            *("[]", "null", "3", '"x"', "{", "", "[" * 100_000, "\xff"),
            *('{"hits": null}', '{"hits": "1"}', '{"hits": -1}', '{"hits": true}', '{"bytes": []}'),
        ],
        ids=lambda content: content[:12],
    )
    def test_damaged_side_files(self, cached, tmp_path, name, content):
        (path,) = tmp_path.glob(name)
        path.write_text(content)
        self.same(cached)
        next(tmp_path.glob("skaudio/*/*/*.npy")).unlink()
        path.write_text(content)
        self.same(cached)
        assert cached.cache_info().misses <= 3
        assert all(type(n) is int for n in cached.cache_info()[:5])

    @pytest.mark.parametrize(
        "array",
        [
            np.array(3.0),
            np.array(["text"]),
            np.array([("a", 1)], dtype=[("a", "U1"), ("b", "i4")]),
            np.array(["2026-01-01"], dtype="M8[D]"),
            b"y" * 500,
            b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O', " + bytes(100),
            b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 100_000,
            b"",
            b"\x93NUMPY\x09\x00",
        ],
        ids=repr,
    )
    def test_right_checksum_and_wrong_kind(self, cached, tmp_path, array):
        for path in tmp_path.glob("skaudio/*/*/*.npy"):
            raw = array
            if not isinstance(array, bytes):
                stream = io.BytesIO()
                np.save(stream, array, allow_pickle=False)
                raw = stream.getvalue()
            for key in ("", path.stem):  # without the key, as another version would
                checksum = zlib.crc32(raw + key.encode())
                path.write_bytes(raw + checksum.to_bytes(4, "little"))
                self.same(cached)

    def test_results_under_each_others_names(self, cached, tmp_path):
        one, two = tmp_path.glob("skaudio/*/*/*.npy")
        contents = one.read_bytes(), two.read_bytes()
        one.write_bytes(contents[1])
        two.write_bytes(contents[0])
        self.same(cached)

    def test_hits_where_nothing_can_be_written(self, cached, monkeypatch):
        """A full disk takes no lock and no count either."""

        def fail(*args, **kwargs):
            raise OSError(errno.ENOSPC, "No space left on device")

        for name in ("write_whole", "FileLock", "file_lock"):
            monkeypatch.setattr(_result_store, name, fail)
        self.same(cached)

    def test_files_can_be_read_by_whoever_may_read_new_files(self, cached, tmp_path):
        (tmp_path / "plain").touch()
        modes = {path.stat().st_mode for path in tmp_path.rglob("*.*") if path.suffix != ".lock"}
        assert modes == {(tmp_path / "plain").stat().st_mode}

    def test_what_killed_processes_left_goes_at_the_next_miss(self, cached, tmp_path):
        (own,) = tmp_path.glob("skaudio/MFCC-*")
        folders = [own.parent, own, next(own.glob("??"))]
        left = [folder / "tmpkilled.tmp" for folder in folders] + [folders[-1] / "abc.lock"]
        held = folders[-1] / "held.lock"
        counting = own.parent / "state.lock"
        counting.touch()
        os.utime(counting, (time.time() - STALE - 9,) * 2)
        number = counting.stat().st_ino
        young = folders[-1] / "young.tmp"
        for path in [*left, young, held]:
            path.write_bytes(b"x")
            if path != young:
                os.utime(path, (time.time() - STALE - 9,) * 2)
        with FileLock(held):
            os.utime(held, (time.time() - STALE - 9,) * 2)
            _result_store._next_look.clear()
            cached.transform([np.full(4000, 0.5, np.float32)])
            assert not any(path.exists() for path in left)
            assert held.exists()
            assert young.exists()
            assert counting.stat().st_ino == number


class TestFullDisk:
    """What is computed is returned with one warning; nothing half-written is left."""

    ROWS: ClassVar = [ROW + i for i in range(9)]

    def fetch(self, store):
        done = []

        def compute(positions):
            done.extend(positions)
            return [self.ROWS[i] for i in positions]

        rows = fetch(store, keys(9), compute, batch_size=3)
        np.testing.assert_array_equal(rows, self.ROWS)
        return done

    def left(self, folder):
        found = (path for path in folder.rglob("*") if path.suffix in (".tmp", ".lock"))
        return [path for path in found if path.name != "state.lock"]

    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
    @pytest.mark.parametrize("n_before", [*range(0, 16, 2), 15])
    @pytest.mark.parametrize("place", ["mkdir", "lock", "write", "rename"])
    def test_at_any_step(self, tmp_path, monkeypatch, place, n_before, error):
        owner, name = {
            "mkdir": (Path, "mkdir"),
            "lock": (_result_store, "file_lock"),
            "write": (_result_store, "write_whole"),
            "rename": (os, "replace"),
        }[place]
        function = getattr(owner, name)
        calls = []

        def fill(*args, **kwargs):
            calls.append(args)
            if len(calls) > n_before:
                raise OSError(error, os.strerror(error))
            return function(*args, **kwargs)

        def store():
            return Store(tmp_path / "memory", "Kind-1", "{}", 10_000)

        with monkeypatch.context() as full:
            full.setattr(owner, name, fill)
            if place == "lock" and n_before >= 9:  # all locks are taken
                assert self.fetch(store()) == list(range(9))
            else:
                message = rf"cannot be stored in .*{os.strerror(error)}.*pass another folder\.$"
                with pytest.warns(UserWarning, match=message) as caught:
                    assert self.fetch(store()) == list(range(9))
                assert len(caught) == 1
                assert caught[0].filename == __file__
        assert self.left(tmp_path) == []
        stored = [key for key in keys(9) if store().load(key) is not None]
        # There is room again: what was not stored is computed, and all is counted.
        again = self.fetch(store())
        assert [keys(9)[i] for i in again] == [key for key in keys(9) if key not in stored]
        assert self.fetch(store()) == []
        if again:
            total = json.loads((tmp_path / "memory" / "state.json").read_text())["bytes"]
            assert total == store().info().n_bytes

    def test_computed_but_not_to_be_written(self, store, monkeypatch):
        """Whatever the error is, such as a network drive that went away."""

        def fail(path, content):
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as broken:
            broken.setattr(_result_store, "write_whole", fail)
            with pytest.warns(UserWarning, match=r"cannot be stored in .*Input/output error"):
                assert self.fetch(store) == list(range(9))
        assert store.info()[:5] == (0, 0, 0, 0, 0)

    @pytest.mark.parametrize("place", ["file_lock", "write_whole"])
    def test_forbidden_before_anything_is_computed(self, tmp_path, monkeypatch, place):
        def fail(*args, **kwargs):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(_result_store, place, fail)
        store = Store(tmp_path / "memory", "Kind-1", "{}", None)
        message = r"memory: results cannot be kept in .*memory \(Permission denied\)\. Expected"
        with pytest.raises(OSError, match=message):
            fetch(store, keys(9), lambda p: pytest.fail("computed"), batch_size=3)
        assert self.left(tmp_path) == []
