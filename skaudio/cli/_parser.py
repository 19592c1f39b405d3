"""The commands and their options."""

from __future__ import annotations

import argparse
from typing import NoReturn

FILES = "recordings, or folders: all recordings in them"
TARGET = (
    "where the class of a recording is found: a number, the level of a folder counted from the "
    "recording (0 is the folder it lies in), or a regular expression whose first group matches "
    "the class in the path. Default: the folder directly below FOLDER"
)
GROUPS = (
    "where the group (the speaker, the session) of a recording is found, written as for --target. "
    "Cross-validation keeps the recordings of a group together. Default: found in folders or file "
    "names where they are clear"
)


class Parser(argparse.ArgumentParser):
    """A parser that prints errors in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error, and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser(version: str) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="skaudio", description="Recognise, embed and detect sounds.")
    parser.add_argument("--version", action="version", version=f"skaudio {version}")
    # The parsers of commands have this class too, so that they print errors in one line.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    commands.required = True
    for add in (_look, _learn, _apply, _models):
        add(commands)
    return parser


def _command(commands: argparse._SubParsersAction[Parser], name: str, text: str) -> Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=name)
    output = parser.add_mutually_exclusive_group()
    for form, what in (("json", "JSON"), ("csv", "comma-separated values")):
        output.add_argument(
            f"--{form}",
            dest="form",
            action="store_const",
            const=form,
            default="table",
            help=f"print {what} instead of a table",
        )
    return parser


def _add_jobs(parser: Parser) -> None:
    parser.add_argument(
        "--jobs", type=_count, metavar="N", help="worker processes (default: threads of this one)"
    )


def _add_labels(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="recordings, in one folder per class")
    parser.add_argument("--target", metavar="WHERE", help=TARGET)
    parser.add_argument("--groups", metavar="WHERE", help=GROUPS)


def _look(commands: argparse._SubParsersAction[Parser]) -> None:
    info = _command(commands, "info", "describe recordings: format, duration, level, problems")
    info.add_argument("files", nargs="+", metavar="FILE", help=FILES)
    audit = _command(commands, "audit", "look for damage, duplicates and shortcuts in a collection")
    _add_labels(audit)
    audit.add_argument("--plot", metavar="PNG", help="draw the audit into this file")


def _learn(commands: argparse._SubParsersAction[Parser]) -> None:
    train = _command(commands, "train", "train a model, cross-validate it, and save it")
    _add_labels(train)
    train.add_argument("-o", "--output", required=True, metavar="MODEL", help="file to write")
    train.add_argument(
        "--task",
        choices=("words", "voices", "environment", "events"),
        help="which recipe to train (default: words if the median duration of the recordings is "
        "below two seconds, else environment)",
    )
    train.add_argument(
        "--pretrained",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="use a pretrained network, or none (default: as the recipe of the task)",
    )
    train.add_argument(
        "--folds",
        type=int,
        default=5,
        metavar="N",
        help="of the cross-validation (default: 5); 0: none",
    )
    train.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of everything random (default: 0)"
    )
    _add_jobs(train)
    evaluate = _command(commands, "evaluate", "score a model on recordings with known labels")
    evaluate.add_argument("model", metavar="MODEL", help="a saved model")
    _add_labels(evaluate)
    evaluate.add_argument(
        "--events", metavar="TABLE", help="the true events, to score a detector's events"
    )
    evaluate.add_argument("--worst", type=int, default=0, metavar="N", help="list N worst errors")


def _apply(commands: argparse._SubParsersAction[Parser]) -> None:
    predict = _command(commands, "predict", "predict the classes of recordings")
    predict.add_argument("model", metavar="MODEL", help="a saved model")
    predict.add_argument(
        "--top", type=_count, default=1, metavar="N", help="best N classes (default: 1)"
    )
    embed = _command(commands, "embed", "compute a row of features for each recording")
    embed.add_argument(
        "--model",
        default="mn04_as",
        help="a saved model, or the name of a pretrained network (default: mn04_as)",
    )
    embed.add_argument(
        "-o",
        "--output",
        metavar="NAME",
        help="write .csv, or .npy and .npy.txt; a name without suffix is a folder of Parquet "
        "parts, for large collections: a run that was ended goes on",
    )
    embed.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of a folder's rows"
    )
    tag = _command(commands, "tag", "name the sounds in recordings (classes of AudioSet)")
    tag.add_argument(
        "--model", default="mn04_as", help="name of a pretrained network (default: mn04_as)"
    )
    tag.add_argument(
        "--top", type=_count, default=5, metavar="N", help="best N labels (default: 5)"
    )
    tag.add_argument("--by-chunk", action="store_true", help="for each chunk of some seconds")
    detect = _command(commands, "detect", "list events with onset and offset")
    detect.add_argument("model", metavar="MODEL", help="a saved detector")
    detect.add_argument(
        "-o",
        "--output",
        metavar="NAME",
        help="write .csv, .tsv, or, of one recording, .txt for Audacity or .selections.txt for "
        "Raven; a name without suffix is a folder "
        "of Parquet parts",
    )
    tag.add_argument("-o", "--output", metavar="FOLDER", help="write a folder of Parquet parts")
    for parser in (predict, embed, tag, detect):
        parser.add_argument("files", nargs="+", metavar="FILE", help=FILES)
        _add_jobs(parser)
    for parser in (embed, tag, detect):
        _add_folder(parser)


def _add_folder(parser: Parser) -> None:
    """Add the options of results in a folder."""
    folder = parser.add_argument_group(
        "folders of Parquet parts",
        "FILE may also be one Parquet file that lists recordings, in the columns file, or file, "
        "onset and offset.",
    )
    folder.add_argument(
        "--part-size", type=_count, default=1000, metavar="N", help="recordings in a part"
    )
    folder.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="compute only every N-th part, beginning with part I, 0 <= I < N: N calls on N "
        "machines that share the folder do all of it",
    )
    folder.add_argument(
        "--dask", metavar="ADDRESS", help="let the workers of this dask scheduler compute"
    )
    folder.add_argument(
        "--retry", action="store_true", help="try recordings again that could not be read"
    )


def _models(commands: argparse._SubParsersAction[Parser]) -> None:
    show = _command(
        commands, "show", "describe a saved model without loading it, or a folder of Parquet parts"
    )
    export = _command(commands, "export", "write a model as an ONNX graph")
    show.add_argument("model", metavar="MODEL", help="a saved model, or a folder of Parquet parts")
    export.add_argument("model", metavar="MODEL", help="a saved model")
    export.add_argument("-o", "--output", required=True, metavar="FILE", help=".onnx file to write")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}, expected 1 or more")
    return number


_count.__name__ = "whole number"  # argparse names the type in its message


def _shard(text: str) -> tuple[int, int]:
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal() and int(i) < int(n)):
        raise argparse.ArgumentTypeError(f"{text}, expected I/N with 0 <= I < N, such as 0/4")
    return int(i), int(n)
