"""Audits: each kind of damage is found where it was planted, and nothing is found elsewhere."""

from __future__ import annotations

import io
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import soxr
from scipy.signal import lfilter

from skaudio.datasets import audit_recordings, fetch_fsdd, load_audio_files, load_spoken_digits
from skaudio.display import AuditDisplay

RATE = 16000
SHARED = ("identical", "near-duplicate")


def encoded(samples, rate=RATE, format="WAV", subtype="PCM_16", **options):
    file = io.BytesIO()
    sf.write(file, np.asarray(samples).T, rate, format=format, subtype=subtype, **options)
    return file.getvalue()


def noise(seed, seconds=1.0, rate=RATE, scale=0.1):
    rng = np.random.default_rng(seed)
    envelope = 1 + np.sin(np.linspace(0, rng.uniform(5, 20), round(seconds * rate)))
    return (scale * envelope * rng.standard_normal(len(envelope)) / 2).astype(np.float32)


def problems(X, **options):
    return audit_recordings(X, **options).table["problems"].tolist()


def row(recording, **options):
    return audit_recordings([recording], **options).table.iloc[0]


def kinds(audit):
    return [finding.kind for finding in audit.findings]


class TestMeasures:
    def test_header(self):
        stereo = np.stack([noise(0), noise(1)])
        found = row(encoded(stereo, format="FLAC", subtype="PCM_24"))
        assert found[["container", "codec", "sample_rate", "channels", "bits"]].tolist() == [
            "FLAC",
            "PCM_24",
            RATE,
            2,
            24,
        ]
        assert found["duration"] == 1.0

    def test_header_by_ffmpeg(self, tmp_path):
        av = pytest.importorskip("av")
        path = tmp_path / "clip.wv"
        with av.open(str(path), "w") as file:
            stream = file.add_stream("wavpack", rate=RATE, layout="stereo")
            samples = np.stack([noise(0), noise(1)])
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = RATE
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        found = row(str(path))
        assert found[["container", "codec", "sample_rate", "channels"]].tolist() == [
            "WV",
            "WAVPACK",
            RATE,
            2,
        ]
        assert found["duration"] == pytest.approx(1.0, abs=0.01)

    def test_levels(self):
        t = np.arange(RATE) / RATE
        tone = 0.5 * np.sin(2 * np.pi * 1000 * t)
        tone[: RATE // 4] *= 0.01
        found = row({"array": tone, "sampling_rate": RATE})
        assert found["peak"] == pytest.approx(-6.02, abs=0.01)
        assert found["level"] == pytest.approx(10 * np.log10(0.125 * 0.75), abs=0.02)
        assert found["noise_floor"] == pytest.approx(-49.03, abs=0.1)
        assert found["silent"] == 0

    def test_silence_is_a_share(self):
        half = noise(0)
        half[: RATE // 2] = 0
        assert row(half, sample_rate=RATE)["silent"] == pytest.approx(0.5, abs=0.05)

    def test_offset_of_the_worst_channel(self):
        stereo = np.stack([noise(0), noise(1) + 0.05])
        found = row(encoded(stereo))
        assert found["dc_offset"] == pytest.approx(0.05, abs=0.003)
        assert found["problems"] == "dc offset"

    def test_clipping_in_one_channel(self):
        loud = np.stack([noise(0), np.clip(8 * noise(1), -0.8, 0.8)])
        found = row(encoded(loud))
        signs = "".join(np.where(loud[1] >= 0.8, "+", np.where(loud[1] <= -0.8, "-", " ")))
        n_clipped = sum(map(len, re.findall(r"\+{3,}|-{3,}", signs)))
        assert found["clipped"] == n_clipped / loud.size
        assert found["problems"] == "clipped"

    def test_peak_at_full_scale_is_no_clipping(self):
        samples = noise(0)
        assert row(encoded(samples / np.abs(samples).max()))["clipped"] == 0

    def test_one_flat_peak_of_few_bits_is_no_clipping(self):
        samples = np.round(noise(0) * 64) / 64
        samples[1000:1006] = 0.75
        assert row(samples, sample_rate=RATE)["clipped"] == 0

    @pytest.mark.parametrize(("old", "new"), [(8000, 16000), (8000, 44100), (16000, 44100)])
    def test_bandwidth_of_an_upsampled_recording(self, old, new):
        samples = soxr.resample(noise(0, rate=old), old, new)
        found = row(encoded(samples, new))
        assert found["bandwidth"] == pytest.approx(old / 2, rel=0.1)
        assert found["problems"] == "narrow band"

    def test_bandwidth_with_clicks(self):
        samples = soxr.resample(noise(0, 3.0, rate=8000), 8000, RATE)
        samples[RATE] += 0.5
        assert row(encoded(samples))["problems"] == "narrow band"

    def test_a_dark_sound_keeps_its_bandwidth(self):
        dark = lfilter([0.02], [1, -0.98], noise(0)) + 1e-3 * noise(1)
        assert row(encoded(dark))["bandwidth"] == RATE / 2

    @pytest.mark.parametrize("n", [1, 100, 255, 2047, 2048, 2049, 131072 + 5])
    def test_any_length(self, n):
        samples = noise(0, 9.0)[:n]
        found = row(samples, sample_rate=RATE)
        assert found["duration"] == n / RATE
        power = np.mean(np.square(samples, dtype=np.float64))
        assert found["level"] == pytest.approx(10 * np.log10(power), abs=0.01)

    def test_blocks_do_not_matter(self, monkeypatch):
        samples = np.stack([noise(0, 3.0), noise(1, 3.0)])
        X = [encoded(samples), encoded(samples[:, 100:], subtype="FLOAT")]
        whole = audit_recordings(X)
        monkeypatch.setattr("skaudio.datasets._audit_measures.BLOCK", 5000)
        parts = audit_recordings(X)
        exact = ["peak", "clipped", "duration", "near_duplicate_of"]
        pd.testing.assert_frame_equal(parts.table[exact], whole.table[exact])
        close = ["level", "noise_floor", "silent", "dc_offset", "bandwidth"]
        pd.testing.assert_frame_equal(parts.table[close], whole.table[close], rtol=1e-4)


class TestDamaged:
    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            (lambda data: b"", "is empty: 0 bytes"),
            (lambda data: data[: len(data) // 2], "truncated or damaged"),
            (lambda data: b"<html>no such page</html>", "it looks like text"),
        ],
    )
    @pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG"])
    def test_reason(self, damage, reason, format):
        subtype = "VORBIS" if format == "OGG" else "PCM_16"
        data = encoded(noise(0), format=format, subtype=subtype)
        audit = audit_recordings([encoded(noise(1)), damage(data)])
        assert audit.table["readable"].tolist() == [True, False]
        assert reason in audit.table["reason"][1]
        assert audit.table["problems"].tolist() == ["", "unreadable"]
        assert audit.findings[0].kind == "unreadable"
        assert audit.findings[0].recordings.tolist() == [1]

    def test_hole_in_a_copy(self):
        samples = np.random.default_rng(0).normal(0, 0.1, (2, 300_000))
        copy = bytearray(encoded(samples, 44100, "OGG", "VORBIS"))
        hole = len(copy) * 65 // 100
        copy[hole : hole + 3000] = bytes(3000)
        audit = audit_recordings([encoded(samples, 44100), bytes(copy)])
        assert len(audit.table) == 2

    def test_missing_file_and_folder(self, tmp_path):
        audit = audit_recordings([str(tmp_path / "none.wav"), str(tmp_path)])
        assert "no such file" in audit.table["reason"][0]
        assert "is a folder" in audit.table["reason"][1]

    def test_not_finite(self):
        bad = noise(0)
        bad[7] = np.nan
        found = row(bad, sample_rate=RATE)
        assert found["problems"] == "unreadable"
        assert "contains NaN at sample 7" in found["reason"]

    def test_decoder_that_fails(self):
        class Decoder:
            def get_all_samples(self):
                raise RuntimeError("out of order")

        assert row(Decoder())["reason"] == "out of order"


class TestDuplicates:
    def test_identical_in_another_format(self):
        samples = np.round(noise(0) * 32768).astype(np.int16)
        X = [encoded(samples), encoded(noise(1)), encoded(samples, format="FLAC")]
        audit = audit_recordings(X)
        assert audit.table["identical_to"].isna().tolist() == [True, True, False]
        assert audit.table["identical_to"][2] == 0
        assert audit.table["problems"].tolist() == ["", "", "identical"]

    def test_other_rate_is_not_identical(self):
        samples = noise(0)
        assert "identical" not in problems([encoded(samples), encoded(samples, 8000)])

    @pytest.mark.parametrize(
        "copy",
        [
            lambda x: encoded(0.3 * x),
            lambda x: encoded(-x),
            lambda x: encoded(x, subtype="ULAW"),
            lambda x: encoded(x, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.7),
            lambda x: encoded(x, format="OGG", subtype="VORBIS", compression_level=0.8),
            lambda x: encoded(soxr.resample(x, RATE, 44100), 44100),
            lambda x: encoded(soxr.resample(x, RATE, 8000), 8000),
            lambda x: encoded(x[1777:]),
            lambda x: encoded(np.r_[np.zeros(5000), x]),
            lambda x: encoded(np.r_[noise(99, 0.7), x]),
            lambda x: encoded(lfilter([1, -0.7], [1], x)),
        ],
        ids=[
            "gain",
            "inverted",
            "ulaw",
            "mp3",
            "ogg",
            "44k",
            "8k",
            "cut",
            "padded",
            "joined",
            "filtered",
        ],
    )
    def test_near_duplicate(self, copy):
        path = load_spoken_digits().data[100]
        speech = np.tile(sf.read(path, dtype="float32")[0], 3)[: 2 * RATE]
        others = [encoded(noise(seed)) for seed in range(3)]
        audit = audit_recordings([*others, encoded(speech), copy(speech)])
        assert audit.duplicates[["first", "second", "kind"]].to_numpy().tolist() == [
            [3, 4, "near-duplicate"]
        ]
        assert audit.table["near_duplicate_of"][4] == 3

    def test_lag_is_in_seconds(self):
        samples = noise(0, 2.0)
        audit = audit_recordings([samples, samples[4321:]], sample_rate=RATE)
        assert audit.duplicates["lag"][0] == pytest.approx(-4321 / RATE, abs=2 / 8000)

    def test_with_a_sample_of_the_keys(self, monkeypatch):
        """Of very many keys some are left out: the same ones in each copy."""
        monkeypatch.setattr("skaudio.datasets._audit_duplicates.MAX_KEYS", 300)
        X = [noise(i, 3.0) for i in range(6)]
        audit = audit_recordings([*X, 0.5 * X[2][3000:]], sample_rate=RATE)
        assert audit.duplicates[["first", "second"]].to_numpy().tolist() == [[2, 6]]

    def test_silence_is_no_duplicate(self):
        assert problems([np.zeros(RATE), np.zeros(RATE)], sample_rate=RATE) == ["silent"] * 2

    def test_three_copies_have_one_original(self):
        samples = noise(0)
        audit = audit_recordings([samples, 0.5 * samples, 0.25 * samples], sample_rate=RATE)
        assert audit.table["near_duplicate_of"].tolist() == [pd.NA, 0, 0]

    def test_across_classes_and_groups(self):
        a, b, c = noise(0), noise(1), noise(2)
        audit = audit_recordings(
            [a, a, b, b, c, c],
            ["cat", "dog", "cat", "cat", "dog", "dog"],
            ["tom", "tom", "tom", "kit", "rex", "rex"],
            sample_rate=RATE,
        )
        found = {finding.kind: finding.recordings.tolist() for finding in audit.findings}
        assert found["duplicates across classes"] == [0, 1]
        assert found["duplicates across groups"] == [2, 3]
        assert found["duplicates"] == [4, 5]


class TestFindings:
    def test_nothing(self):
        audit = audit_recordings([noise(i) for i in range(5)], sample_rate=RATE)
        assert audit.findings == []
        assert "nothing found" in str(audit)

    def test_mixed_formats_that_give_the_classes_away(self):
        X = [encoded(noise(i), 16000 if i % 2 else 22050) for i in range(20)]
        audit = audit_recordings(X, [i % 2 for i in range(20)])
        assert kinds(audit) == ["mixed sample rates"]
        message = audit.findings[0].message
        assert "16000 Hz (10)" in message
        assert "100% of the classes can be predicted from this alone (50%" in message

    def test_class_of_one_speaker_and_speaker_of_one_class(self):
        y = ["cat"] * 4 + ["dog"] * 4
        groups = ["a", "a", "a", "a", "a", "b", "b", "c"]
        audit = audit_recordings([noise(i) for i in range(8)], y, groups, sample_rate=RATE)
        found = {finding.kind: finding for finding in audit.findings}
        assert found["classes with one group"].message.endswith("tested on another: cat")
        assert found["groups with one class"].recordings.tolist() == [5, 6]

    def test_louder_class(self):
        y = np.repeat(["a", "b", "c"], 8)
        X = [noise(i, scale=0.4 if label == "b" else 0.1) for i, label in enumerate(y)]
        audit = audit_recordings(X, y, sample_rate=RATE)
        assert kinds(audit) == ["class level"]
        assert "class b is 12 dB louder than the others" in audit.findings[0].message
        assert audit.findings[0].recordings.tolist() == list(range(8, 16))

    def test_shortcut(self):
        rng = np.random.default_rng(0)
        y = np.tile(["x", "y"], 40)
        groups = np.repeat(np.arange(10), 8)
        seconds = np.where(y == "x", 0.3, 0.5) + rng.uniform(-0.05, 0.05, 80)
        X = [noise(i, length) for i, length in enumerate(seconds)]
        audit = audit_recordings(X, y, groups, sample_rate=RATE)
        assert kinds(audit) == ["shortcut"]
        assert audit.shortcuts["duration"] > 0.95
        assert audit.shortcuts["level"] < 0.75
        assert audit.shortcuts["largest class"] == 0.5
        assert "in groups not trained on" in audit.findings[0].message

    def test_shortcut_by_group_is_none(self):
        """What tells the speaker tells the class only of the speakers that were heard."""
        groups = np.repeat(np.arange(20), 4)
        y = np.random.default_rng(1).integers(2, size=20)[groups]
        X = [noise(i, 0.3 + 0.03 * group) for i, group in enumerate(groups)]
        audit = audit_recordings(X, y, groups, sample_rate=RATE)
        assert "shortcut" not in kinds(audit)
        assert "shortcut" in kinds(audit_recordings(X, y, sample_rate=RATE))


@pytest.fixture(scope="module")
def planted():
    digits = load_spoken_digits(as_frame=True).frame
    rng = np.random.default_rng(0)
    X = [path for path in digits["path"]]
    y, groups = digits["digit"].tolist(), digits["voice"].tolist()
    truth = [""] * len(X)
    chosen = iter(rng.permutation(len(X)))

    def plant(kind, data, label, group):
        X.append(data), y.append(label), groups.append(group), truth.append(kind)

    def read(i):
        samples = sf.read(digits["path"][i], dtype="float32")[0]
        return samples / np.abs(samples).max()

    def another(group):
        return next(name for name in sorted(set(groups)) if name != group)

    codecs = [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")]
    for k in range(5):
        i = next(chosen)
        plant("identical", encoded(sf.read(X[i], dtype="int16")[0]), y[i], another(groups[i]))
        i = next(i for i in chosen if len(read(i)) > 0.45 * RATE)
        format, subtype = codecs[k % 3]
        data = encoded(0.5 * read(i), format=format, subtype=subtype)
        plant("near-duplicate", data, y[i], another(groups[i]))
    for k in range(5):
        # New recordings: two voices at once, so that they are no copies of either.
        a, b = (read(next(chosen)) for _ in range(2))
        mix = np.zeros(max(len(a), len(b)), np.float32)
        mix[: len(a)] += a[::-1]
        mix[: len(b)] += b[::-1]
        plant("clipped", encoded(np.clip(2 * mix, -0.9, 0.9)), y[k], groups[k])
        plant("silent", encoded(1e-4 * rng.standard_normal(RATE)), y[k], groups[k])
    for k in range(10):
        thin = soxr.resample(read(next(chosen))[::-1], RATE, 8000)
        plant("narrow band", encoded(soxr.resample(0.3 * thin, 8000, RATE)), y[k], groups[k])
    for k in range(3):
        data = encoded(read(next(chosen)))
        plant("unreadable", data[: len(data) // (2 + k)], y[k], groups[k])
    return X, y, groups, truth


class TestPlanted:
    """The audit of a collection in which the faults are known."""

    def test_all_found_and_hardly_more(self, planted):
        X, y, groups, truth = planted
        audit = audit_recordings(X, y, groups)
        found = audit.table["problems"].tolist()
        missed = [(want, got) for want, got in zip(truth, found, strict=True) if want not in got]
        assert missed == []
        healthy = [got for want, got in zip(truth, found, strict=True) if not want]
        assert np.mean([got != "" for got in healthy]) <= 0.01
        leaks = next(f for f in audit.findings if f.kind == "duplicates across groups")
        copies = {i for i, kind in enumerate(truth) if kind in SHARED}
        assert copies <= set(leaks.recordings)

    def test_louder_class(self):
        digits = load_spoken_digits(as_frame=True).frame
        X = []
        for path, label in zip(digits["path"], digits["digit"], strict=True):
            samples = sf.read(path, dtype="float32")[0]
            X.append(samples * (10 ** (12 / 20) if label == 7 else 1))
        audit = audit_recordings(X, digits["digit"], digits["voice"], sample_rate=RATE)
        (finding,) = [f for f in audit.findings if f.kind == "class level"]
        assert "class 7 is" in finding.message
        assert (digits["digit"][finding.recordings] == 7).all()


class TestInput:
    def test_bare_arrays_need_a_rate(self):
        with pytest.raises(ValueError, match="recording 1 states no sample rate: pass sample_rate"):
            audit_recordings([encoded(noise(0)), noise(1)])

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ({"y": ["a"]}, "y has 1 entries, X holds 2 recordings"),
            ({"groups": ["a"] * 3}, "groups has 3 entries"),
            ({"y": [0.5, 1.25]}, "expected the labels of classes|expected class labels"),
            ({"groups": ["a", None]}, r"groups\[1\] is None: expected a label for every recording"),
        ],
    )
    def test_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            audit_recordings([noise(0), noise(1)], sample_rate=RATE, **labels)

    def test_index_is_kept(self):
        X = pd.Series([noise(0), noise(1)], index=["p", "q"])
        assert audit_recordings(X, sample_rate=RATE).table.index.tolist() == ["p", "q"]

    def test_table_of_equal_clips(self):
        X = np.stack([noise(0), noise(1)])
        assert problems(X, sample_rate=RATE) == ["", ""]

    def test_progress(self, capsys):
        audit_recordings([noise(0), noise(1)], sample_rate=RATE, verbose=1)
        assert "2/2" in capsys.readouterr().err

    def test_threads_do_not_matter(self, monkeypatch):
        X = [*map(noise, range(6)), noise(3)]
        tables = []
        for n in ("1", "3"):
            monkeypatch.setattr("skaudio._parallel.n_threads", lambda n=n: int(n))
            tables.append(audit_recordings(X, sample_rate=RATE).table)
        pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
class TestRealRecordings:
    def test_spoken_digits_are_no_duplicates(self, data_home):
        digits = fetch_fsdd(data_home=data_home, download_if_missing=False)
        audit = audit_recordings(digits.data, digits.target, digits.groups)
        assert np.mean(audit.table["problems"] != "") <= 0.01
        assert len(audit.duplicates) <= 2

    def test_copies_of_spoken_words_are_found(self, data_home):
        words = load_audio_files(data_home / "arabic_digits", groups=r"/(\d+)_").data[::10]
        copies = [
            encoded(0.5 * sf.read(path)[0][800:], format="MP3", subtype="MPEG_LAYER_III")
            for path in words[:50]
        ]
        audit = audit_recordings([*words, *copies])
        pairs = audit.duplicates[["first", "second"]].to_numpy().tolist()
        expected = [[i, len(words) + i] for i in range(50)]
        assert sum(pair in pairs for pair in expected) >= 49
        assert all(pair in expected for pair in pairs)


def test_one_is_not_called_many():
    audit = audit_recordings([np.zeros(RATE)], sample_rate=RATE)
    assert repr(audit) == "<RecordingsAudit of 1 recording with 1 finding; print it>"
    assert str(audit).startswith("1 recording, ")


@pytest.fixture
def close_figures():
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


@pytest.mark.usefixtures("close_figures")
def test_plot_of_what_is_no_table():
    audit = audit_recordings([noise(0), noise(1)], sample_rate=RATE)
    with pytest.raises(TypeError, match=r"table is a RecordingsAudit, expected .* audit\.plot\(\)"):
        AuditDisplay(audit).plot()
    with pytest.raises(ValueError, match=r"lacks the columns .*'duration'.* expected the table of"):
        AuditDisplay(audit.table[["level"]]).plot()
    with pytest.raises(ValueError, match="table=list lacks the columns"):
        AuditDisplay([1, 2]).plot()


@pytest.mark.usefixtures("close_figures")
def test_numbers_of_recordings_are_whole():
    display = audit_recordings([noise(0), noise(1), noise(0)], sample_rate=RATE).plot()
    display.figure_.canvas.draw()
    durations, _, problems, bandwidths = display.axes_
    for axis in (durations.yaxis, problems.xaxis, bandwidths.yaxis):
        assert np.all(np.mod(axis.get_majorticklocs(), 1) == 0)
    assert "." not in "".join(label.get_text() for label in problems.get_xticklabels())


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    X = [noise(i, scale=0.05 + 0.01 * i) for i in range(40)]
    X[3] = X[2]
    display = audit_recordings(X, np.arange(40) % 2, sample_rate=RATE).plot()
    assert [ax.get_title() for ax in display.axes_] == [
        "Durations",
        "Levels",
        "Problems",
        "Shortcuts",
    ]
    assert {name: len(p.get_offsets()) for name, p in display.points_.items()} == {
        "0": 20,
        "1": 20,
    }
    _, axes = plt.subplots(3)
    with pytest.raises(ValueError, match="3 axes given, expected 4"):
        display.plot(axes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audit_recordings([b"no sound"]).plot()
    plt.close("all")
