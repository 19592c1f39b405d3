"""Clips of files as recordings: tables of file, onset, offset; mappings with start and duration."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch, Recording, check_recordings, seconds_of, stream
from skaudio.augmentation import Convolution, Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import audit_recordings
from skaudio.detectors import EventDetector
from skaudio.display import AudioPlayers, EventsDisplay
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Waveform
from skaudio.events import check_events, file_names, merge_events
from skaudio.metrics import make_event_scorer
from skaudio.pooling import FramePooling, FrameUnion
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

RATE = 16000


@pytest.fixture(scope="session")
def files(tmp_path_factory, make_clip, write_audio):
    """Two files of 3 s."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_audio(folder / f"{i}.wav", make_clip(3.0, seed=i)) for i in range(2)]


@pytest.fixture
def table(files):
    """A table of events: six clips, with more columns, in no order, with an index of its own."""
    onsets = [1.0, 0.25, 2.0, 0.0, 1.5, 0.5]
    return pd.DataFrame(
        {
            "event_label": list("ababab"),
            "onset": onsets,
            "offset": np.add(onsets, [0.5, 0.75, 1.0, 0.6, 0.5, 0.8]),
            "file": files * 3,
            "score": 0.5,
        },
        index=list("uvwxyz"),
    )


@pytest.fixture
def arrays(table, files):
    """The same clips as waveforms."""
    whole = {path: Waveform().fit_transform([path])[0] for path in files}
    rows = table[["file", "onset", "offset"]].itertuples(index=False)
    return [whole[f][round(a * RATE) : round(a * RATE) + round((b - a) * RATE)] for f, a, b in rows]


def mappings(table):
    rows = table[["file", "onset", "offset"]].itertuples(index=False)
    return [{"path": f, "start": a, "duration": b - a} for f, a, b in rows]


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


FORMS = {
    "table": lambda t: t,
    "three columns": lambda t: t[["file", "onset", "offset"]],
    "DCASE's name": lambda t: t.rename(columns={"file": "filename"}),
    "categories": lambda t: t.astype({"file": "category"}),
    "paths": lambda t: t.assign(file=[Path(f) for f in t["file"]]),
    "mappings": mappings,
    "tuple of mappings": lambda t: tuple(mappings(t)),
    "Series of mappings": lambda t: pd.Series(mappings(t)),
    "array of mappings": lambda t: np.array(mappings(t), dtype=object),
    "recordings": lambda t: list(check_recordings(None, t, reset=True)),
    "items": lambda t: [r.as_item() for r in check_recordings(None, t, reset=True)],
    "pickled": lambda t: pickle.loads(pickle.dumps(check_recordings(None, t, reset=True))),
    "bytes": lambda t: [
        {"bytes": Path(m["path"]).read_bytes(), "start": m["start"], "duration": m["duration"]}
        for m in mappings(t)
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_samples_of_the_clip(form, table, arrays):
    same(list(Waveform().fit_transform(FORMS[form](table))), arrays)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library, table, arrays):
    module = pytest.importorskip(library)
    make = module.DataFrame if library == "polars" else module.table
    X = make(table.to_dict("list"))
    same(list(Waveform().fit_transform(X)), arrays)
    assert file_names(X) == table["file"].tolist()


def test_parts_may_be_left_out(files):
    whole = Waveform().fit_transform(files[:1])[0]
    clips = [
        {"path": files[0], "start": 2.5},
        {"path": files[0], "duration": 0.5},
        {"path": files[0], "start": None, "duration": float("nan")},
        {"path": files[0], "start": 2.75, "duration": 9.0},  # less is there
    ]
    expected = [whole[40000:], whole[:8000], whole, whole[44000:]]
    same(list(Waveform().fit_transform(clips)), expected)


def test_clips_of_arrays(make_clip):
    clip = make_clip(1.0, 8000)
    item = {"array": clip, "sampling_rate": 8000, "start": 0.25, "duration": 0.5}
    same(Waveform(sample_rate=8000).fit_transform([item]), [clip[2000:6000]])


def test_offset_and_duration_of_an_encoder_are_within_the_clip(table, arrays):
    found = Waveform(offset=0.1, duration=0.2).fit_transform(table)
    same(found, [clip[1600:4800] for clip in arrays])
    found = Waveform(offset=0.1, duration=2.0).fit_transform(table)
    same(found, [clip[1600:] for clip in arrays])
    with pytest.raises(ValueError, match=r"'.*0\.wav', 1 to 1\.5 s\): offset=0\.55 s is past the"):
        Waveform(offset=0.55).fit_transform(table)


@pytest.mark.parametrize("name", ["wav-pcm16", "flac", "ogg-vorbis", "ogg-opus", "mp3", "m4a"])
def test_every_container_is_read_from_the_start_of_the_clip(name, encode):
    path = encode(name, 5.0).path
    whole = STFT(sample_rate=44100).fit_transform([path])[0]
    assert whole.shape[1] > 400
    for start, duration in ((0.0, 0.5), (1.2, 0.4), (3.0, 1.5)):
        clip = {"path": str(path), "start": start, "duration": duration}
        part = Waveform(sample_rate=44100, offset=start, duration=duration).fit_transform([path])
        same(Waveform(sample_rate=44100).fit_transform([clip]), part)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["m4a", "video"])
def test_a_clip_late_in_a_file_is_sought(kind, tmp_path):
    """Not all before it is decoded: PyAV seeks."""
    av = pytest.importorskip("av")
    path, rate = str(tmp_path / ("a.mp4" if kind == "video" else "a.m4a")), 44100
    with av.open(path, "w", format="mp4") as file:
        if kind == "video":
            pictures = file.add_stream("mpeg4", rate=10)
            pictures.width = pictures.height = 32
        sound = file.add_stream("aac", rate=rate, layout="mono", bit_rate=192000)
        for i in range(300):
            if kind == "video":
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
                file.mux(pictures.encode(picture))
            t = np.arange(4410 * i, 4410 * (i + 1)) / rate
            tone = 0.3 * np.sin(2 * np.pi * (300 * t + 20 * t**2))
            frame = av.AudioFrame.from_ndarray(tone.astype("f4")[None], "fltp", "mono")
            frame.sample_rate, frame.pts = rate, 4410 * i
            file.mux(sound.encode(frame))
        for each in ([pictures] if kind == "video" else []) + [sound]:
            file.mux(each.encode(None))
    whole = Waveform(sample_rate=rate).fit_transform([path])[0]
    clip = {"path": path, "start": 25.0, "duration": 1.0}
    found = Waveform(sample_rate=rate).fit_transform([clip])[0]
    np.testing.assert_allclose(found, whole[25 * rate : 26 * rate], atol=1e-4)
    from skaudio.audio import _ffmpeg
    from skaudio.audio._content import Content

    with Content(path) as content:
        samples, first, _ = _ffmpeg.decode(content, "a", _not_opened(path), 25.0, 1.0)
    assert first > 20 * rate
    assert samples.shape[1] < 5 * rate


def _not_opened(path):
    import soundfile as sf

    with pytest.raises(sf.LibsndfileError) as caught:
        sf.SoundFile(path)
    return caught.value


REFUSED = {
    "offset in a mapping": (
        lambda f: [{"path": f, "offset": 1.0}],
        r"mapping with offset=1.0, expected 'start' and 'duration' in seconds: 'offset' is the end "
        r"of a clip in tables, but the start as a parameter of encoders",
    ),
    "rows of a table": (
        lambda f: [{"file": f, "onset": 0.0, "offset": 1.0}],
        r"mapping with offset=1.0.*Or pass a DataFrame with the columns file, onset and offset",
    ),
    "an onset in a mapping": (lambda f: [{"path": f, "onset": 1.0}], "mapping with onset=1.0"),
    "an end in a mapping": (lambda f: [{"path": f, "start": 1.0, "end": 2}], "mapping with end=2"),
    "a negative start": (
        lambda f: [{"path": f, "start": -1.0}],
        r"has start=-1.0: expected seconds, 0 or more",
    ),
    "a start that is text": (lambda f: [{"path": f, "start": "1"}], r"has start='1': expected sec"),
    "a duration of 0": (
        lambda f: [{"path": f, "duration": 0}],
        r"has duration=0: expected seconds, more than 0",
    ),
    "an endless duration": (lambda f: [{"path": f, "duration": np.inf}], "has duration=inf"),
    "a start past the end": (
        lambda f: [{"path": f, "start": 3.5}],
        r"\('.*', from 3\.5 s\): offset=3\.5 s is past the end, the recording lasts 3 s",
    ),
    "milliseconds": (
        lambda f: pd.DataFrame({"file": [f], "onset": [500], "offset": [1500]}),
        r"\('.*', 500 to 1500 s\): offset=500 s is past the end.*did you pass milliseconds",
    ),
    "columns exchanged": (
        lambda f: pd.DataFrame({"file": [f], "onset": [1.5], "offset": [0.5]}),
        r"has onset=1.5, offset=0.5: expected seconds, 0 <= onset < offset",
    ),
    "no times": (
        lambda f: pd.DataFrame({"file": [f], "onset": [np.nan], "offset": [np.nan]}),
        r"has onset=nan, offset=nan: expected seconds",
    ),
    "times that are text": (
        lambda f: pd.DataFrame({"file": [f], "onset": ["0"], "offset": ["1"]}),
        r"has onset=0, offset=1: expected seconds",
    ),
    "a missing file": (
        lambda f: pd.DataFrame({"file": [f, None], "onset": [0.0] * 2, "offset": [1.0] * 2}),
        r"recording 1 has file=.*, expected a path.*A missing value",
    ),
    "a file that is not there": (
        lambda f: pd.DataFrame({"file": ["gone.wav"], "onset": [0.5], "offset": [1.0]}),
        r"recording 0 \('gone.wav', 0\.5 to 1 s\): no such file",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_clip_is_named(kind, files):
    make, message = REFUSED[kind]
    with pytest.raises((TypeError, ValueError), match=message):
        Waveform().fit_transform(make(files[0]))


def test_only_files_with_names_make_a_table_of_clips(table):
    """In tables of events of bare arrays, files are called by their positions."""
    with pytest.raises(ValueError, match="expected one column of recordings, or clips of files"):
        Waveform().fit_transform(table.assign(file=range(6)))
    numbers = table[["onset", "offset"]].assign(file=range(6))
    assert Waveform().fit_transform(numbers).shape == (6, 3)


def test_the_index_travels_along(table):
    frames = MFCC().set_output(transform="pandas").fit_transform(table)
    assert frames.index.equals(table.index)
    waveforms = Waveform().fit_transform(table)
    assert waveforms.labels == tuple(table.index)
    assert waveforms.names == tuple(table["file"])


class TestEstimators:
    """Clips give what their samples as bare arrays give."""

    @pytest.mark.parametrize(
        "estimator",
        [
            MFCC(),
            MelSpectrogram(n_jobs=1, target_frames=20),
            make_pipeline(Waveform(normalize="max"), MelSpectrogram()),
            make_pipeline(Noise(p=0.0, random_state=0), MFCC(), FramePooling()),
            FrameUnion([("a", MFCC()), ("b", MelSpectrogram())]),
            PretrainedEmbedder("mn01_as", weights="random"),
            AudioTagger("mn01_as", weights="random"),
        ],
        ids=lambda e: type(e).__name__,
    )
    def test_transformers(self, estimator, table, arrays):
        expected = list(
            estimator.fit_transform([{"array": a, "sampling_rate": RATE} for a in arrays])
        )
        same(list(copy.deepcopy(estimator).fit_transform(table)), expected)
        same(list(estimator.transform(mappings(table))), expected)

    @pytest.mark.parametrize("noisy", [False, True])
    def test_nets(self, noisy, table, arrays):
        y = table["event_label"]
        encoder = make_pipeline(Noise(), MFCC()) if noisy else MFCC()
        gru = GRUClassifier(encoder, max_epochs=1, hidden_size=4, random_state=0)
        stated = [{"array": a, "sampling_rate": RATE} for a in arrays]
        expected = copy.deepcopy(gru).fit(stated, y).predict_proba(stated)
        np.testing.assert_array_equal(gru.fit(table, y).predict_proba(table), expected)
        rows = NetEmbedder(gru).fit(table, y).transform(table)
        assert rows.shape[0] == 6
        siamese = SiameseEmbedder(encoder, max_epochs=1, random_state=0)
        assert len(siamese.fit(table, y).transform(table)) == 6

    def test_scikit_learn_splits_a_table(self, table):
        model = make_pipeline(MFCC(), FramePooling(), LogisticRegression(max_iter=1000))
        labels, groups = list("aabbab"), table["file"]
        predicted = cross_val_predict(model, table, labels, groups=groups, cv=GroupKFold(2))
        assert len(predicted) == 6

    def test_columns_of_a_table(self, table, arrays):
        sound = make_pipeline(MFCC(), FramePooling())
        columns = make_column_transformer(
            (sound, ["file", "onset", "offset"]), ("passthrough", ["score"])
        )
        rows = columns.fit_transform(table)
        np.testing.assert_allclose(rows[:, :-1], sound.fit_transform(arrays), rtol=1e-6)

    def test_audits_see_the_clip(self, table):
        audited = audit_recordings(table).table
        np.testing.assert_allclose(audited["duration"], table["offset"] - table["onset"])

    def test_sources_of_augmentations(self, files, make_clip):
        source = {"path": files[0], "start": 1.0, "duration": 0.5}
        part = Waveform(offset=1.0, duration=0.5).fit_transform(files[:1])[0]
        X = AudioBatch([make_clip(0.4, seed=3)], RATE)
        as_array = {"array": part, "sampling_rate": RATE}
        for kind, name in ((Noise, "noise"), (Convolution, "impulse_response")):
            found, expected = (
                kind(**{name: [given]}, random_state=0).fit_transform(X)[0]
                for given in (source, as_array)
            )
            np.testing.assert_array_equal(found, expected)

    def test_players(self, table):
        assert AudioPlayers(table).to_html().count("<audio") == 6


class TestCache:
    def test_clips_of_one_file_are_kept_apart(self, table, files, tmp_path):
        clips = table.assign(file=files[0])
        encoder = make_pipeline(MFCC(), FramePooling())
        cached = CachedTransformer(encoder, tmp_path)
        expected = encoder.fit_transform(clips)
        for _ in range(2):
            np.testing.assert_array_equal(cached.fit_transform(clips), expected)
        assert cached.cache_info()[:2] == (6, 6)
        np.testing.assert_array_equal(cached.transform(mappings(clips)), expected)
        whole = cached.transform(files[:1])
        assert cached.cache_info()[:2] == (12, 7)
        np.testing.assert_array_equal(whole, encoder.transform(files[:1]))
        same(
            cached.transform([{"path": files[0], "start": 1.0}]),
            cached.transform([{"path": files[0], "start": 1.0, "duration": None}]),
        )

    def test_transformers_of_others_get_rows_of_the_table(self, table, tmp_path):
        from sklearn.preprocessing import FunctionTransformer

        def lengths(X):
            return (X["offset"] - X["onset"]).to_numpy()[:, np.newaxis]

        cached = CachedTransformer(FunctionTransformer(lengths), tmp_path, batch_size=4)
        np.testing.assert_array_equal(cached.fit_transform(table), lengths(table))


class TestStreams:
    def test_pieces_are_those_of_the_clip(self, table, arrays):
        for recording, clip in zip(check_recordings(None, table, reset=True), arrays, strict=True):
            assert seconds_of(recording, RATE) == pytest.approx(len(clip) / RATE)
            pieces = stream(recording, RATE, block=999, offset=0.1, duration=0.3)
            np.testing.assert_array_equal(np.concatenate(list(pieces)), clip[1600:6400])

    def test_the_end_of_the_file_ends_the_clip(self, files):
        recording = Recording(files[0], "a", start=2.5, duration=9.0)
        assert seconds_of(recording, RATE) == pytest.approx(0.5)
        assert replace(recording, duration=None).is_clip


class TestEvents:
    @pytest.fixture
    def detector(self, table):
        detector = EventDetector(
            MelSpectrogram(),
            channels=(4,),
            frame_stride=1,
            max_epochs=1,
            random_state=0,
            threshold=0.01,
            block_duration=0.7,
        )
        return detector.fit(table, table["event_label"])

    def test_times_are_those_of_the_file(self, detector, table, arrays):
        found = detector.predict_events(table)
        assert found["file"].tolist() == [f for f in table["file"] for _ in "ab"]
        np.testing.assert_allclose(found["onset"], np.repeat(table["onset"], 2), atol=0.02)
        np.testing.assert_allclose(found["offset"], np.repeat(table["offset"], 2), atol=0.02)
        alone = detector.predict_events([{"array": a, "sampling_rate": RATE} for a in arrays])
        np.testing.assert_allclose(
            found["offset"] - found["onset"], alone["offset"] - alone["onset"], atol=1e-9
        )
        assert file_names(table) == file_names(mappings(table)) == table["file"].tolist()

    def test_events_within_the_clips_tune_thresholds(self, detector, table, files):
        clips = table[table["file"] == files[0]].sort_values("onset")
        strong = pd.DataFrame(
            {
                "file": files[0],
                "onset": [0.3, 1.6],
                "offset": [1.2, 2.9],
                "event_label": ["a", "b"],
            }
        )
        tuned = copy.deepcopy(detector).tune_thresholds(clips, strong).thresholds_
        relative = pd.DataFrame(
            [
                {"file": i, "onset": max(o, a) - a, "offset": min(f, b) - a, "event_label": label}
                for i, (a, b) in enumerate(zip(clips["onset"], clips["offset"], strict=True))
                for o, f, label in strong[["onset", "offset", "event_label"]].itertuples(
                    index=False
                )
                if o < b and f > a
            ]
        )
        batch = Waveform().fit_transform(clips)
        bare = AudioBatch(list(batch), RATE)
        expected = copy.deepcopy(detector).tune_thresholds(bare, relative).thresholds_
        np.testing.assert_array_equal(tuned, expected)

    def test_scorers_take_events_within_the_clips(self, files):
        truth = check_events(
            [
                {"file": files[0], "onset": 0.5, "offset": 2.5, "event_label": "a"},
                {"file": files[1], "onset": 0.0, "offset": 1.0, "event_label": "a"},
            ]
        )

        class Perfect:
            """It finds what there is in the clips."""

            def predict_events(self, X):
                return pd.DataFrame(
                    [{"file": files[0], "onset": 1.0, "offset": 2.0, "event_label": "a"}]
                )

        clips = [{"path": files[0], "start": s, "duration": 0.5} for s in (1.0, 1.5)]
        assert make_event_scorer(truth)(Perfect(), clips) == 1.0
        assert make_event_scorer(truth)(Perfect(), files[:1]) < 1.0

    def test_tags_have_times_of_the_file(self, table):
        tagger = AudioTagger("mn01_as", weights="random")
        tags = tagger.tag(table, top=1)
        assert tags["file"].tolist() == table["file"].tolist()
        np.testing.assert_allclose(tags[["onset", "offset"]], table[["onset", "offset"]], atol=1e-4)

    def test_pictures_show_the_clip(self, detector, table):
        strong = merge_events(table)
        display = EventsDisplay.from_estimator(detector, table, events_true=strong, index=2)
        assert display.events["onset"].min() == pytest.approx(0.0, abs=0.02)
        assert len(display.events_true) == 1
        row = display.events_true.iloc[0]
        assert (row["onset"], row["offset"]) == pytest.approx((0.0, 1.0))
