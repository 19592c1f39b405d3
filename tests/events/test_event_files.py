"""Events in files: CSV, TSV, labels of Audacity, selection tables of Raven. Nothing is lost."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pandas as pd
import pytest

from skaudio.events import check_events, merge_events, read_events, write_events

COLUMNS = ["file", "onset", "offset", "event_label"]
# Names and labels that tables, spreadsheets and pandas take for something else.
HOSTILE = [
    *("007", "1", "1.0", "-1", "+1", "1e5", "0x10", "inf", "-inf", "\u0661"),
    *("NA", "N/A", "nan", "null", "None", "True", "", " ", "-", "#c", "//"),
    *("a\tb", "a\nb", "a\rb", "a\r\nb", "a\u2028b", "a\x85b", "a\x0bb", "a\x1cb", "a\x00b"),
    *(
        '"',
        '5" vinyl',
        '"dog" bark',
        "'",
        "''",
        ",",
        ";",
        "\\",
        "\ufeffdog",
        " dog ",
        "Käuzchen",
        "犬",
    ),
    *("=1+1", "=cmd|'/C calc'!A0", "+x", "-x", "@SUM(A1)", "'=1", "' =x", "\t=1", "＝1", "\udcff"),
]


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def values(events):
    """Return the rows, each missing value as None."""
    events = events.astype(object)
    return events.where(events.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize("name", ["events.csv", "events.tsv", "labels"])
def test_written_events_come_back(tmp_path, name):
    events = check_events(table(("a.wav", 0.125, 2, "dog"), ("b", 1, 1.5, "großer Hund")))
    path = tmp_path / name
    if name == "labels":
        path.mkdir()
    write_events(events, path)
    pd.testing.assert_frame_equal(read_events(path), events)


def is_refused(rows, path):
    """Write a table; return whether that is an error that names the file."""
    try:
        write_events([dict(zip(COLUMNS, row, strict=True)) for row in rows], path)
    except ValueError as error:
        return str(path) in str(error)
    return False


@pytest.mark.parametrize(
    "name",
    [
        "e.csv",
        "e.txt",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("e.tsv", "e.selections.txt")),
    ],
)
def test_names_and_labels_come_back_or_are_refused(tmp_path, name):
    path = tmp_path / name
    refused = set()
    names = [*HOSTILE, None] if path.suffix != ".txt" else ["a.wav"]
    for file, label in [*product(names, ["dog"]), *product(names[:1], HOSTILE)]:
        rows = [[file, 0.1, 1 / 3, label], [file, 0.5, 2 / 3, "x"]]
        if is_refused(rows, path):
            refused |= {file, label} - {names[0], "dog"}
            continue
        found = read_events(path, file="a.wav" if path.suffix == ".txt" else None)
        assert values(found[COLUMNS]) == [[file or None, *row[1:]] for row in rows]
    # No text file holds half a character; those of one line per label hold no line breaks.
    lines = {"a\tb", "a\nb", "a\rb", "a\r\nb", "\t=1"} if path.suffix == ".txt" else set()
    assert refused == {"\udcff", *lines}


def test_random_text_comes_back(tmp_path):
    draw = random.Random(0)
    alphabet = "ab01.,;\t\n\r\"'=+-@ #\\\u2028\x00é犬"
    text = ["".join(draw.choices(alphabet, k=draw.randrange(1, 6))) for _ in range(4000)]
    rows = [(text[i], i / 7, i / 7 + 1 / 3, text[-i]) for i in range(len(text))]
    for name in ("e.csv", "e.tsv"):
        write_events(table(*rows), tmp_path / name)
        pd.testing.assert_frame_equal(read_events(tmp_path / name), check_events(table(*rows)))


@pytest.mark.parametrize("separator", [",", "\t"])
def test_formulas_are_text_to_a_spreadsheet(tmp_path, separator):
    path = tmp_path / {",": "e.csv", "\t": "e.tsv"}[separator]
    events = table(("=1+1", 0, 1, "@x"), ("-1", 0, 1, "+2")).assign(score=-0.5, note="=A1")
    write_events(events.rename(columns={"note": "=note"}), path)
    lines = [line.split(separator) for line in path.read_text().splitlines()]
    assert lines == [
        [*COLUMNS, "score", "'=note"],
        ["'=1+1", "0.0", "1.0", "'@x", "-0.5", "'=A1"],
        ["-1", "0.0", "1.0", "+2", "-0.5", "'=A1"],
    ]
    assert values(read_events(path))[0] == ["=1+1", 0, 1, "@x", -0.5, "=A1"]


def test_rows_without_a_file_are_kept(tmp_path):
    for name in (None, np.nan):
        for other in ("a.wav", 1):
            rows = table((name, 0, 1, "dog"), (other, 0, 1, "dog"), (name, 0.5, 2, "dog"))
            assert values(merge_events(rows)) == [[other, 0, 1, "dog"], [None, 0, 2, "dog"]]
            write_events(rows, tmp_path / "e.csv")
            written = [[str(other), 0, 1, "dog"], [None, 0, 1, "dog"], [None, 0.5, 2, "dog"]]
            assert values(read_events(tmp_path / "e.csv")) == written
    with pytest.raises(ValueError, match=r"row 2 \('dog' in None\) begins at 0\.5 s"):
        check_events(rows)
    with pytest.raises(ValueError, match="'dog' at 0 s has no file, and labels in a folder"):
        write_events(rows, tmp_path)
    assert not list(tmp_path.glob("*.txt"))


def test_other_columns_come_back(tmp_path):
    events = table(("a", 0, 1, "dog"), ("b", 0, 1, "dog")).assign(
        score=[0.1, np.float32(1 / 3)],
        n=[1, -2],
        large=[2**63, 2**70],
        sure=[True, False],
        who=["01", "2"],
    )
    events["part"] = [np.nan, 0.5]
    write_events(events, tmp_path / "e.tsv")
    pd.testing.assert_frame_equal(read_events(tmp_path / "e.tsv"), check_events(events))


def test_a_table_that_is_replaced_keeps_permissions_and_links(tmp_path):
    first, link = tmp_path / "first.csv", tmp_path / "link.csv"
    write_events(table(("a", 0, 1, "dog")), first)
    plain = tmp_path / "plain"
    plain.touch()
    assert first.stat().st_mode == plain.stat().st_mode
    first.chmod(0o640)
    link.symlink_to(first)
    write_events(table(("b", 0, 1, "dog")), link)
    assert link.is_symlink()
    assert first.stat().st_mode & 0o777 == 0o640
    assert list(read_events(first)["file"]) == ["b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.csv", "link.csv", "plain"]


def test_tables_of_others(tmp_path):
    """A byte order mark, DCASE's recordings without events, CRLF, short and empty rows."""
    path = tmp_path / "e.tsv"
    header = ["", "filename\tonset\toffset\tevent_label"]
    lines = [*header, "b.wav\t\t\t", "", "a.wav\t1\t2.50\t", "c.wav"]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert values(read_events(path)) == [["a.wav", 1.0, 2.5, ""]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfef\x00", r"e\.csv is not UTF-8 text.*spreadsheet"),
        (b"file,onset,offset,event_label\na,0,1,K\xe4fer", r"e\.csv is not UTF-8 text.*byte 37"),
        (b"", r"e\.csv is empty"),
        (b"\n\n", r"e\.csv is empty"),
        (b"file,onset,offset,event_label\na,0,1,dog,loud", r"e\.csv, line 2: 5 cells, expected 4"),
        (b'file,onset,offset,event_label\na,0,1,"dog\n', r"e\.csv, line 2: no valid table"),
        (b"file,file,onset", r"e\.csv has the columns \['file'\] more than once"),
        (b"file,onset,offset,event_label\na,soon,1,dog", r"e\.csv: events: onset is not .*soon"),
        (b"file,onset,offset,event_label\na,2,1,dog", r"e\.csv: events: row 0 .* before its onset"),
        (b"file,onset,offset,label", r"e\.csv: events lacks the columns \['event_label'\]"),
    ],
)
def test_bad_tables(tmp_path, content, message):
    path = tmp_path / "e.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_events(path)


def test_audacity(tmp_path):
    path = tmp_path / "yard.txt"
    write_events(table(("a", 0.5, 2.25, "dog")), path)
    assert path.read_text() == "0.500000\t2.250000\tdog\n"
    # Audacity writes a second line where frequencies were marked.
    path.write_text("1.0\t2.0\tdog\tbig\n\\\t100.0\t5000.0\n3.0\t3.0\t\n")
    events = read_events(path, file="yard.flac")
    assert events.to_numpy().tolist() == [["yard.flac", 1, 2, "dog\tbig"], ["yard.flac", 3, 3, ""]]


def test_bad_files(tmp_path):
    two = table(("a/x", 0, 1, "dog"), ("b/x", 0, 1, "dog"))
    with pytest.raises(ValueError, match="belong to one recording, these events to 2"):
        write_events(two, tmp_path / "x.txt")
    with pytest.raises(ValueError, match="Two recordings have one name"):
        write_events(two, tmp_path)
    with pytest.raises(ValueError, match=r"x\.json': expected \.csv"):
        write_events(two, tmp_path / "x.json")
    with pytest.raises(ValueError, match=r"holds no \.txt files"):
        read_events(tmp_path)
    (tmp_path / "x.txt").write_text("1.0\t2.0\tdog\nsoon\tlater\tcat\n")
    with pytest.raises(ValueError, match=r"x\.txt, line 2: .*expected start<TAB>end<TAB>label"):
        read_events(tmp_path / "x.txt")


RAVEN = """\
Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies
1\tWaveform 1\t1\t0.250000000\t1.5\t2000.0\t8000.5\tCCLO
1\tSpectrogram 1\t1\t0.250000000\t1.5\t2000.0\t8000.5\tCCLO
2\tWaveform 1\t1\t1.0\t2.0\t0\t500\tCCLO
2\tSpectrogram 1\t1\t1.0\t2.0\t0\t500\tCCLO
"""


def test_raven(tmp_path):
    """Each selection once, overlapping ones of a species too; and back, with all columns."""
    path = tmp_path / "yard.Table.1.selections.txt"
    path.write_text(RAVEN)
    events = read_events(path)
    assert values(events) == [
        ["yard", 0.25, 1.5, "CCLO", 1, 2000.0, 8000.5],
        ["yard", 1.0, 2.0, "CCLO", 1, 0.0, 500.0],
    ]
    assert len(merge_events(events)) == 1
    pd.testing.assert_frame_equal(read_events(tmp_path), events)
    again = tmp_path / "again.selections.txt"
    write_events(events.assign(file="a/yard.wav"), again)
    pd.testing.assert_frame_equal(read_events(again), events.assign(file="a/yard.wav"))
    write_events(table(("yard.wav", 0.5, 2, "dog")), again)
    assert again.read_text().splitlines()[1].split("\t") == [
        *("1", "Spectrogram 1", "1", "0.500000", "2.000000", "0.0", "20000.0", "dog"),
        *("yard.wav", "0.500000"),
    ]


def test_raven_of_several_recordings(tmp_path):
    """Raven counts from the start of the first recording; the offset in the file is what counts."""
    path = tmp_path / "both.selections.txt"
    header = "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tCommon Name"
    path.write_text(f"{header}\n3.0\t6.0\ta.wav\t3.0\tRobin\n63.0\t64.5\tb.wav\t3.0\tRobin\n")
    expected = [["a.wav", 3, 6, "Robin"], ["b.wav", 3, 4.5, "Robin"]]
    assert values(read_events(path)) == expected
    text = path.read_text()
    path.write_text(text.replace("File Offset (s)", "Other"))
    with pytest.raises(ValueError, match=r"both\.sel.* 2 recordings .*lacks .*'File Offset \(s\)'"):
        read_events(path)
    path.write_text(text.replace("Common Name", "Bird"))
    with pytest.raises(
        ValueError, match=r"both\.sel.*none of the columns Annotation.*label_column="
    ):
        read_events(path)
    assert values(read_events(path, label_column="Bird")) == expected
    with pytest.raises(ValueError, match="has no column 'Tag'"):
        read_events(path, label_column="Tag")
    path.write_text("Begin Time (s)\tTag\n1\tx\n")
    with pytest.raises(ValueError, match=r"both\.sel.* lacks the column 'End Time"):
        read_events(path)
    path.write_text("Begin Time (s)\tEnd Time (s)\tTag\nsoon\t2\tx\n")
    with pytest.raises(ValueError, match=r"both\.sel.*Begin Time.*not a number of seconds.*soon"):
        read_events(path)
    path.write_text("Begin Time (s)\tEnd Time (s)\tTag\n1\t2\tx\ty\n")
    with pytest.raises(ValueError, match=r"both\.selections\.txt, line 2: 4 cells, expected 3"):
        read_events(path)
    with pytest.raises(ValueError, match=r"columns \['View'\], which Raven"):
        write_events(table(("a", 0, 1, "dog")).assign(View="x"), path)
    with pytest.raises(ValueError, match="belong to one recording, these events to 2"):
        write_events(table(("a", 0, 1, "dog"), (None, 0, 1, "dog")), path)
