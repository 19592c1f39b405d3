"""Folders of recordings: classes, groups, order, and nothing lost in silence."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

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
        with pytest.raises(ValueError, match=r"no sub-folders.*2 recording\(s\).*folder above"):
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
