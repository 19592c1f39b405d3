"""Folders of recordings: classes, groups, order, and nothing lost in silence."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from skaudio.datasets import load_audio_files

PETS = ("cat/tom_1.wav", "cat/tom_2.WAV", "cat/old/deep/kit_1.flac", "dog/rex_1.mp3")


@pytest.fixture
def make_files(tmp_path):
    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "pets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "pets"

    return make


def relative(paths, container):
    return [Path(path).relative_to(container).as_posix() for path in paths]


class TestRecordings:
    def test_sub_folders_are_classes_at_any_depth(self, make_files):
        container = make_files(*PETS)
        pets = load_audio_files(container)
        assert relative(pets.data, container) == [
            "cat/old/deep/kit_1.flac",
            "cat/tom_1.wav",
            "cat/tom_2.WAV",
            "dog/rex_1.mp3",
        ]
        assert pets.target.tolist() == [0, 0, 0, 1]
        assert pets.target_names.tolist() == ["cat", "dog"]
        assert pets.groups is None
        assert pets.frame is None
        assert pets.skipped == []
        assert pets.DESCR is None

    def test_paths_are_absolute_for_a_relative_container(self, make_files, monkeypatch):
        monkeypatch.chdir(make_files(*PETS).parent)
        assert all(Path(path).is_absolute() for path in load_audio_files("pets").data)

    def test_one_class_is_enough(self, make_files):
        pets = load_audio_files(make_files("cat/1.wav"))
        assert pets.target.tolist() == [0]

    def test_return_X_y(self, make_files):
        container = make_files(*PETS)
        X, y = load_audio_files(container, return_X_y=True)
        assert len(X) == len(y) == 4

    def test_as_frame(self, make_files):
        container = make_files(*PETS)
        pets = load_audio_files(container, groups=r"([a-z]+)_\d", as_frame=True)
        assert pets.frame.columns.tolist() == ["path", "target", "label", "group"]
        assert pets.frame["label"].tolist() == ["cat", "cat", "cat", "dog"]
        assert pets.data.columns.tolist() == ["path"]
        assert pets.target.tolist() == [0, 0, 0, 1]
        assert pets.groups.tolist() == ["kit", "tom", "tom", "rex"]

    def test_description(self, make_files):
        assert load_audio_files(make_files(*PETS), description="Mine.").DESCR == "Mine."

    def test_a_linked_folder_is_followed_and_a_loop_ends(self, make_files, tmp_path):
        container = make_files(*PETS)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "moo.wav").touch()
        try:
            (container / "cow").symlink_to(elsewhere)
            (container / "cat" / "again").symlink_to(container / "cat")
        except OSError:
            pytest.skip("no symbolic links here")
        pets = load_audio_files(container)
        assert relative(pets.data, container)[3:] == ["cow/moo.wav", "dog/rex_1.mp3"]


class TestCategories:
    def test_others_are_ignored(self, make_files):
        container = make_files(*PETS, "zebra/notes.txt", "readme.txt")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pets = load_audio_files(container, categories=["dog"])
        assert pets.target_names.tolist() == ["dog"]
        assert pets.target.tolist() == [0]

    def test_unknown(self, make_files):
        with pytest.raises(ValueError, match=r"categories=\['cow'\].*only \['cat', 'dog'\]"):
            load_audio_files(make_files(*PETS), categories=["dog", "cow"])

    def test_without_recordings(self, make_files):
        container = make_files(*PETS, "cow/notes.txt")
        with pytest.raises(ValueError, match=r"categories=\['cow'\]: no recordings"):
            load_audio_files(container, categories=["dog", "cow"])


class TestGroups:
    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            (r"([a-z]+)_(\d)", ["kit", "tom", "tom", "rex"]),
            (re.compile(r"([a-z]+)_\d"), ["kit", "tom", "tom", "rex"]),
            (r"([a-z]+)_(?P<take>\d)", ["1", "1", "2", "1"]),
            (r"(?P<take>[a-z]+)_(?P<group>\d)", ["1", "1", "2", "1"]),
        ],
        ids=["first", "compiled", "only named one", "one named group"],
    )
    def test_which_group_counts(self, make_files, pattern, expected):
        assert load_audio_files(make_files(*PETS), groups=pattern).groups.tolist() == expected

    def test_searched_in_the_path_below_the_container(self, make_files):
        pets = load_audio_files(make_files(*PETS), groups=r"^(\w+)/")
        assert pets.groups.tolist() == ["cat", "cat", "cat", "dog"]

    @pytest.mark.parametrize("pattern", [r"(tom)", r"/(tom)?[a-z]+"], ids=["none", "optional"])
    def test_a_file_that_does_not_match_is_named(self, make_files, pattern):
        with pytest.raises(ValueError, match="does not match the recording 'cat/old/deep/kit_1"):
            load_audio_files(make_files(*PETS), groups=pattern)

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("[a-z]+", "parentheses"),
            ("([a-z]+", "no regular expression"),
            (r"(?P<name>\w+)_(?P<take>\d)", r"several named groups \['name', 'take'\]"),
        ],
    )
    def test_unusable_pattern(self, make_files, pattern, message):
        with pytest.raises(ValueError, match=message):
            load_audio_files(make_files(*PETS), groups=pattern)


class TestSkipped:
    def test_other_files_are_listed_and_warned_about(self, make_files):
        container = make_files(*PETS, "cat/notes.txt", "dog/cover.jpg", "loose.wav", "readme.md")
        with pytest.warns(UserWarning, match=r"4 file\(s\) skipped.*loose\.wav"):
            pets = load_audio_files(container)
        assert relative(pets.skipped, container) == [
            "cat/notes.txt",
            "dog/cover.jpg",
            "loose.wav",
            "readme.md",
        ]
        assert len(pets.data) == 4

    def test_hidden_files_and_folders_are_passed_over(self, make_files):
        hidden = (".DS_Store", "cat/._tom_1.wav", ".git/x.wav", "dog/.cache/y.wav")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pets = load_audio_files(make_files(*PETS, *hidden))
        assert len(pets.data) == 4
        assert pets.skipped == []

    def test_folder_without_recordings_is_no_class(self, make_files):
        container = make_files(*PETS)
        (container / "cow").mkdir()
        with pytest.warns(UserWarning, match=r"not taken as classes: \['cow'\]"):
            pets = load_audio_files(container)
        assert pets.target_names.tolist() == ["cat", "dog"]

    def test_allowed_extensions(self, make_files):
        with pytest.warns(UserWarning, match="skipped"):
            pets = load_audio_files(
                make_files(*PETS, "cat/tom_3.wav"), allowed_extensions=[".wav", ".MP3"]
            )
        assert len(pets.data) == 4
        assert [Path(path).name for path in pets.skipped] == ["kit_1.flac"]

    def test_allowed_extensions_without_a_dot(self, make_files):
        with pytest.raises(ValueError, match=r"leading dot, as in '\.wav'"):
            load_audio_files(make_files(*PETS), allowed_extensions=["wav"])


class TestContainer:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nowhere.*no such folder"):
            load_audio_files(tmp_path / "nowhere")

    def test_file(self, make_files):
        with pytest.raises(NotADirectoryError, match="one sub-folder per class"):
            load_audio_files(make_files(*PETS) / "cat" / "tom_1.wav")

    def test_class_folder_itself(self, make_files):
        container = make_files("cat/1.wav", "cat/2.wav")
        with pytest.raises(ValueError, match=r"no sub-folders, but 2 recording\(s\).*folder above"):
            load_audio_files(container / "cat")

    def test_empty(self, tmp_path):
        with pytest.raises(ValueError, match=r"no sub-folders.*it is empty"):
            load_audio_files(tmp_path)

    def test_no_recordings(self, make_files):
        with pytest.raises(ValueError, match=r"holds no recordings.*cat/notes\.txt"):
            load_audio_files(make_files("cat/notes.txt"))


def test_real_folder(data_home):
    folder = data_home / "cats_dogs"
    if not folder.is_dir():
        pytest.skip("no cats_dogs in SKAUDIO_DATA")
    pets = load_audio_files(folder, groups=r"/([a-z]+)[a-z_]*\d+\.wav$")
    assert pets.target_names.tolist() == ["cats", "dogs"]
    assert len(pets.data) > 100
    assert "cat" in set(pets.groups[pets.target == 0])


def labels_of(pets):
    return pets.target_names[pets.target].tolist()


class TestTarget:
    TREE = ("train/cat/tom/1.wav", "train/dog/rex/1.wav", "test/cat/kit/1.wav")

    @pytest.mark.parametrize(
        ("level", "expected"),
        [
            (0, ["kit", "rex", "tom"]),
            (1, ["cat", "cat", "dog"]),
            (2, ["test", "train", "train"]),
            (-1, ["test", "train", "train"]),
            (-2, ["cat", "cat", "dog"]),
        ],
    )
    def test_level_counts_from_either_end(self, make_files, level, expected):
        assert labels_of(load_audio_files(make_files(*self.TREE), target=level)) == expected

    def test_level_that_is_not_there(self, make_files):
        with pytest.raises(ValueError, match=r"target=3: no such folder.*'test/cat/kit/1\.wav'"):
            load_audio_files(make_files(*self.TREE), target=3)

    def test_levels_of_groups(self, make_files):
        pets = load_audio_files(make_files(*self.TREE), target=1, groups=0)
        assert pets.groups.tolist() == ["kit", "tom", "rex"]

    def test_pattern_on_files_in_one_folder(self, make_files):
        container = make_files("7_lucas_0.wav", "10_george_0.wav", "7_george_1.wav")
        pets = load_audio_files(container, target=r"(?P<target>\d+)_(?P<group>[a-z]+)")
        assert labels_of(pets) == ["10", "7", "7"]
        assert pets.skipped == []

    def test_one_pattern_for_both(self, make_files):
        container = make_files("7_lucas_0.wav", "8_george_0.wav")
        pattern = r"(?P<target>\d+)_(?P<group>[a-z]+)"
        pets = load_audio_files(container, target=pattern, groups=pattern)
        assert pets.groups.tolist() == ["lucas", "george"]

    def test_callable(self, make_files):
        container = make_files(*PETS)
        pets = load_audio_files(container, target=lambda path: len(path.parent.name))
        assert labels_of(pets) == ["3", "3", "3", "4"]

    def test_callable_that_finds_none(self, make_files):
        with pytest.raises(ValueError, match=r"returns None for the recording 'cat/old"):
            load_audio_files(make_files(*PETS), groups=lambda path: None)

    def test_numbers_are_sorted_as_numbers(self, make_files):
        container = make_files("a/10.wav", "a/9.wav")
        pets = load_audio_files(container, target=lambda path: int(path.stem))
        assert pets.target_names.tolist() == ["9", "10"]

    @pytest.mark.parametrize("form", ["relative", "absolute", "name", "stem"])
    def test_column_of_a_table(self, make_files, form):
        container = make_files("x/1.wav", "x/2.wav", "y/3.wav")
        paths = [container / name for name in ("y/3.wav", "x/1.wav", "x/2.wav")]
        index = {
            "relative": [path.relative_to(container).as_posix() for path in paths],
            "absolute": [str(path) for path in paths],
            "name": [path.name for path in paths],
            "stem": [path.stem for path in paths],
        }[form]
        table = pd.DataFrame({"kind": ["dog", "cat", "dog"], "animal": ["c", "a", "b"]}, index)
        pets = load_audio_files(container, target=table["kind"], groups=table["animal"])
        assert relative(pets.data, container) == ["x/1.wav", "x/2.wav", "y/3.wav"]
        assert labels_of(pets) == ["cat", "dog", "dog"]
        assert pets.groups.tolist() == ["a", "b", "c"]

    def test_recording_that_a_table_lacks(self, make_files):
        container = make_files("1.wav", "2.wav")
        with pytest.raises(ValueError, match=r"target: the table has no value for.*'2\.wav'"):
            load_audio_files(container, target=pd.Series({"1.wav": "cat"}))

    def test_index_that_is_not_unique(self, make_files):
        table = pd.Series(["cat", "dog"], index=["1.wav", "1.wav"])
        with pytest.raises(ValueError, match=r"several values \['cat', 'dog'\]"):
            load_audio_files(make_files("1.wav"), target=table)

    def test_names_that_are_not_unique(self, make_files):
        container = make_files("x/1.wav", "y/1.wav")
        table = pd.Series({"a/1.wav": "cat", "b/1.wav": "dog"})
        with pytest.raises(ValueError, match=r"several values \['cat', 'dog'\]"):
            load_audio_files(container, target=table)

    def test_whole_table(self, make_files):
        with pytest.raises(TypeError, match=r"DataFrame with the columns \['kind'\]"):
            load_audio_files(make_files(*PETS), target=pd.DataFrame({"kind": ["a"]}))

    def test_something_else(self, make_files):
        with pytest.raises(TypeError, match=r"target=1\.5: expected a folder level"):
            load_audio_files(make_files(*PETS), target=1.5)

    def test_categories_are_labels(self, make_files):
        pets = load_audio_files(make_files(*self.TREE), target=1, categories=["dog"])
        assert labels_of(pets) == ["dog"]
        with pytest.raises(ValueError, match=r"categories=\['cow'\].*only \['cat', 'dog'\]"):
            load_audio_files(make_files(*self.TREE), target=1, categories=["cow"])

    def test_no_recordings(self, make_files):
        with pytest.raises(ValueError, match=r"holds no recordings; files of other.*notes\.txt"):
            load_audio_files(make_files("notes.txt"), target=0)


class TestFolderTooHigh:
    @pytest.mark.parametrize(
        "names",
        [
            ("train/cat/1.wav", "test/dog/1.wav"),
            ("fold1/cat/1.wav", "fold2/cat/2.wav"),
            ("pets/cat/1.wav", "pets/dog/1.wav"),
        ],
    )
    def test_warns(self, make_files, names):
        with pytest.warns(UserWarning, match=r"If those are the classes, pass target=-2"):
            load_audio_files(make_files(*names))

    @pytest.mark.parametrize(
        "names",
        [
            ("cat/tom/1.wav", "dog/tom/1.wav"),  # speakers below classes
            ("train/cat/1.wav", "train/2.wav", "test/3.wav"),
            ("train/horn/1.wav", "tram/bell/1.wav"),
            ("cat/tom/1.wav",),
        ],
    )
    def test_does_not_warn(self, make_files, names):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_audio_files(make_files(*names))


class TestOnError:
    def test_skips_what_cannot_be_read(self, make_files, write_audio, make_clip):
        container = make_files("cat/1.wav", "cat/2.wav", "dog/1.wav", "dog/2.mp3")
        write_audio(container / "cat" / "1.wav", make_clip(0.1))
        write_audio(container / "dog" / "1.wav", make_clip(0.1))
        (container / "dog" / "2.mp3").write_text("no sound")
        with pytest.warns(UserWarning, match=r"2 of 4 recordings cannot be read") as caught:
            pets = load_audio_files(container, on_error="skip", groups=r"(\d)")
        assert len(caught) == 1
        assert "2.wav' is empty" in str(caught[0].message).replace(")", "")
        assert relative(pets.data, container) == ["cat/1.wav", "dog/1.wav"]
        assert relative(pets.skipped, container) == ["cat/2.wav", "dog/2.mp3"]
        assert pets.groups.tolist() == ["1", "1"]

    def test_lists_ten(self, make_files, write_audio, make_clip):
        container = make_files(*(f"cat/{i:02}.wav" for i in range(15)))
        write_audio(container / "cat" / "00.wav", make_clip(0.1))
        with pytest.warns(UserWarning, match=r"14 of 15 recordings") as caught:
            load_audio_files(container, on_error="skip")
        message = str(caught[0].message)
        assert "10.wav" in message
        assert "11.wav" not in message

    def test_refuses_to_skip_all(self, make_files):
        with pytest.raises(ValueError, match=r"4 of 4 recordings cannot be read"):
            load_audio_files(make_files(*PETS), on_error="skip")

    def test_unknown(self, make_files):
        with pytest.raises(ValueError, match=r"on_error='ignore': expected 'raise' or 'skip'"):
            load_audio_files(make_files(*PETS), on_error="ignore")


def test_lists_what_can_be_decoded(make_files, monkeypatch):
    container = make_files("cat/1.wav", "cat/2.m4a")
    assert len(load_audio_files(container).data) == 2
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"1 file\(s\) skipped.*2\.m4a.*skaudio\[ffmpeg\]"):
        pets = load_audio_files(container)
    assert relative(pets.data, container) == ["cat/1.wav"]
