"""``skaudio predict``, ``embed``, ``tag``, ``detect``, ``show`` and ``export``: apply models."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import skaudio
from skaudio._files import write_whole
from skaudio.cli._folders import into_folder, only_for_folders, show_folder
from skaudio.cli._inputs import find_recordings, run_over, text_rows
from skaudio.cli._printing import note, show, show_json
from skaudio.events import write_events

EVENT_COLUMNS = ["file", "onset", "offset", "event_label", "score"]


def load_model(path: str, ability: str, command: str) -> Any:
    """Load a model that has a given method; the error names the methods that it has."""
    model = skaudio.load(path)
    if not hasattr(model, ability):
        other = {"predict": "predict", "transform": "embed", "predict_events": "detect"}
        fits = [name for method, name in other.items() if hasattr(model, method)]
        hint = f": use skaudio {' or '.join(fits)}" if fits else ""
        raise ValueError(f"{path!r} is a {type(model).__name__}, which cannot {command}{hint}")
    return model


def predict(options: Any) -> int:
    """Predict classes, with probabilities if the model has them."""
    model = load_model(options.model, "predict", "predict")
    done = run_over(
        find_recordings(options.files),
        lambda files: _classes(model, files, options.top),
        jobs=options.jobs,
    )
    show(done.table, options.form)
    return done.code


def _classes(model: Any, files: list[str], top: int) -> pd.DataFrame:
    if not hasattr(model, "predict_proba"):
        return pd.DataFrame({"file": files, "label": model.predict(files)})
    probabilities = model.predict_proba(files)
    classes = np.asarray(model.labels_ if hasattr(model, "labels_") else model.classes_)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    n_best = best.shape[1]
    return pd.DataFrame(
        {
            "file": np.repeat(np.array(files, dtype=object), n_best),
            "label": classes[best].ravel(),
            "score": np.take_along_axis(probabilities, best, axis=1).ravel(),
        }
    )


def embed(options: Any) -> int:
    """Compute a row for each recording."""
    suffix = Path(options.output).suffix if options.output else ".csv"
    if suffix not in (".csv", ".npy", "", ".parquet"):
        raise ValueError(
            f"--output {options.output!r}: expected a name that ends in .csv or .npy, or a name "
            "without suffix, for a folder"
        )
    if Path(options.model).exists() or Path(options.model).suffix:  # a name of a network has none
        model = load_model(options.model, "transform", "embed")
    else:
        model = skaudio.PretrainedEmbedder(options.model).fit(options.files)
    if suffix in ("", ".parquet"):
        return into_folder(options, partial(skaudio.embed, model, dtype=options.dtype))
    only_for_folders(options)
    recordings = find_recordings(options.files)

    def rows(files: list[str]) -> pd.DataFrame:
        values = np.asarray(model.transform(files))
        if values.ndim != 2:
            raise ValueError(
                f"{options.model!r} returns frames over time, expected one row per recording"
            )
        return text_rows(files, values, model.get_feature_names_out())

    done = run_over(recordings, rows, jobs=options.jobs)
    if options.output is None:
        show(done.table, options.form)
    elif suffix == ".csv":
        write_whole(Path(options.output), skaudio.events.delimited(done.table, ",").encode())
    else:
        array = io.BytesIO()
        np.save(array, done.table.iloc[:, 1:].to_numpy(np.float32))
        write_whole(Path(options.output), array.getvalue())
        names = "".join(f"{file}\n" for file in done.table["file"])
        write_whole(Path(f"{options.output}.txt"), names.encode())
    return done.code


def tag(options: Any) -> int:
    """List the labels with the highest scores."""
    tagger = skaudio.AudioTagger(options.model).fit(options.files)
    which = {"top": options.top, "by_chunk": options.by_chunk}
    if options.output is not None:
        return into_folder(options, partial(skaudio.tag, tagger, **which))
    only_for_folders(options)
    recordings = find_recordings(options.files)
    done = run_over(recordings, lambda files: tagger.tag(files, **which), jobs=options.jobs)
    show(done.table, options.form)
    return done.code


def detect(options: Any) -> int:
    """List events, or write them to a file."""
    detector = load_model(options.model, "predict_events", "detect")
    if options.output is not None and not Path(options.output).suffix:
        return into_folder(options, partial(skaudio.detect, detector))
    only_for_folders(options)
    recordings = find_recordings(options.files)
    if str(options.output).lower().endswith(".txt") and len(recordings) > 1:
        raise ValueError(
            f"--output {options.output!r}: labels of Audacity or Raven belong to one recording, "
            f"given {len(recordings)}: expected a name that ends in .csv or .tsv"
        )
    done = run_over(recordings, detector.predict_events, jobs=options.jobs)
    table = done.table if len(done.table) else pd.DataFrame(columns=EVENT_COLUMNS)
    if options.output is None:
        show(table, options.form)
    else:
        write_events(table, options.output)
        note(f"{len(table)} events written to {options.output}")
    return done.code


def show_model(options: Any) -> int:
    """Describe a saved model, or how far a folder of results is."""
    if Path(options.model).is_dir():
        return show_folder(options)
    card = skaudio.inspect(options.model)
    if options.form == "table":
        print(card)
    else:
        show_json(card)
    return 0


def export(options: Any) -> int:
    """Write a model as an ONNX graph."""
    skaudio.export_onnx(skaudio.load(options.model), options.output)
    note(f"written: {options.output}")
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "predict": predict,
    "embed": embed,
    "tag": tag,
    "detect": detect,
    "show": show_model,
    "export": export,
}
