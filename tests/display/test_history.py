"""Curves of trainings."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skaudio.classifiers import GRUClassifier
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC

from ..cases import clips

plt = pytest.importorskip("matplotlib.pyplot")

from skaudio.display import HistoryDisplay  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def gru(**params):
    return GRUClassifier(MFCC(n_mfcc=8), hidden_size=4, max_epochs=3, random_state=0, **params)


def test_losses_of_both_parts():
    X, y = clips()
    fitted = gru(early_stopping=True, validation_fraction=0.3).fit(X, y)
    display = HistoryDisplay.from_estimator(fitted)
    for name in ("train_loss", "valid_loss"):
        line = display.lines_[name]
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert line.get_ydata().tolist() == [row[name] for row in fitted.history_]
    ax = display.axes_[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epoch", "Loss")
    kept = 1 + int(np.argmin([row["valid_loss"] for row in fitted.history_]))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["training", "held out", f"epoch {kept}, kept"]
    assert np.all(np.mod(ax.get_xticks(), 1) == 0)


def test_whatever_was_measured():
    rows = [
        {"epoch": 4, "train_loss": 2.0, "train_loss_best": True, "batches": [{}], "dur": 0.1},
        {"epoch": 5, "train_loss": np.float64(1.0), "valid_accuracy": 0.5, "event_lr": 1e-3},
    ]
    display = HistoryDisplay(rows).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Accuracy", "Event lr"]
    np.testing.assert_array_equal(display.lines_["valid_accuracy"].get_ydata(), [np.nan, 0.5])
    assert display.lines_["train_loss"].get_xdata().tolist() == [4, 5]
    assert HistoryDisplay(rows[:1]).plot().lines_["train_loss"].get_marker() == "o"
    _, axes = plt.subplots(1, 3)
    assert HistoryDisplay(rows).plot(axes).axes_[0] is axes[0]
    with pytest.raises(ValueError, match="1 axes given, expected 3, one for each measure: loss,"):
        HistoryDisplay(rows).plot(axes[0])
    with pytest.raises(ValueError, match="history holds no measure"):
        HistoryDisplay([]).plot()


def test_where_the_net_is():
    X, y = clips()
    fitted = [
        gru().fit(X, y),
        make_pipeline(MFCC(n_mfcc=8), gru().set_params(encoder=None)).fit(X, y),
        NetEmbedder(gru()).fit(X, y),
        GridSearchCV(gru(), {"lr": [1e-3]}, cv=2).fit(X, y),
    ]
    for estimator in fitted:
        assert len(HistoryDisplay.from_estimator(estimator).lines_["train_loss"].get_xdata()) == 3
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(gru())
    with pytest.raises(TypeError, match="SVC has no history_: expected an estimator that trains"):
        HistoryDisplay.from_estimator(SVC().fit([[0], [1]], [0, 1]))
