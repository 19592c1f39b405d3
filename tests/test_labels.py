"""Labels: what is missing or of another type is named by position, wherever labels are taken."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multioutput import MultiOutputClassifier

from skaudio.datasets import audit_recordings
from skaudio.metrics import (
    event_based_f1,
    event_based_scores,
    map_at_r,
    precision_at_k,
    r_precision,
    scores_by,
    segment_based_f1,
    worst_classified,
)

from .cases import clips, inputs, small
from .test_neural_contract import NEURAL

N = 12


def every_use():
    """Name -> a function of labels that takes some, as y or as groups."""
    rows = np.arange(2.0 * N).reshape(N, 2)

    def audited(**labels):
        return audit_recordings([np.zeros(100)] * N, sample_rate=8000, **labels)

    def drawn(**labels):
        from skaudio.display import FeatureSpaceDisplay

        return FeatureSpaceDisplay(rows, **labels).plot()

    uses = {
        "scores_by y_true": ("y_true", lambda y: scores_by(y, y)),
        "scores_by groups": ("groups", lambda y: scores_by([0] * N, [0] * N, y)),
        "worst_classified": ("y_true", lambda y: worst_classified(range(N), y, np.eye(N))),
        "audit y": ("y", lambda y: audited(y=y)),
        "audit groups": ("groups", lambda y: audited(groups=y)),
        "display y": ("y", lambda y: drawn(y=y)),
        "display groups": ("groups", lambda y: drawn(groups=y)),
    }
    for measure in (precision_at_k, r_precision, map_at_r):
        uses[measure.__name__] = ("y", lambda y, measure=measure: measure(rows, y))
    for name in NEURAL:
        X, known = inputs(name)
        uses[f"{name} y"] = ("y", lambda y, n=name, X=X: small(n).fit(X, y))
        if name != "NetEmbedder":
            uses[f"{name} groups"] = (
                "groups",
                lambda y, n=name, X=X, known=known: small(n).fit(X, known, groups=y),
            )
    return uses


@pytest.fixture(autouse=True)
def _close_figures():
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


MISSING = {"None": None, "nan": float("nan"), "<NA>": pd.NA, "NaT": pd.NaT}
OTHER = {"number": 1, "bytes": b"high", "tuple": ("high",)}


@pytest.mark.parametrize("use", every_use())
def test_a_missing_label_is_named_by_position(use):
    called, call = every_use()[use]
    _, y = clips(N)
    for shown, value in MISSING.items():
        labels = y.astype(object)
        labels[7] = value
        with pytest.raises(ValueError, match=rf"^{called}\[7\] is {shown}: expected a label"):
            call(labels)
        with pytest.raises(ValueError, match=rf"^{called}\[7\] is {shown}: expected a label"):
            call(labels.tolist())
        with pytest.raises(ValueError, match=rf"^{called}\[7\] is (nan|{shown}): expected a label"):
            call(pd.Series(labels, index=range(N)[::-1]))
    numbers = pd.Series(np.arange(N) % 3, dtype="Int64")
    numbers[5] = pd.NA
    for labels in (numbers, numbers.astype(float)):
        with pytest.raises(ValueError, match=rf"^{called}\[5\] is (<NA>|nan): expected a label"):
            call(labels)


@pytest.mark.parametrize("use", every_use())
def test_labels_of_two_types_are_named_by_position(use):
    called, call = every_use()[use]
    _, y = clips(N)
    for value in OTHER.values():
        labels = y.astype(object)
        labels[7] = value
        with pytest.raises(ValueError, match=rf"{called}\[0\] is 'high' \(str\), {called}\[7\] is"):
            call(labels)


def test_strings_are_not_compared_with_numbers():
    with pytest.raises(ValueError, match=r"y_true\[0\]='a', y_pred\[0\]=0\. Expected the same la"):
        scores_by(["a", "b"], [0, 1])
    with pytest.raises(ValueError, match=r"y_true\[0\]='a', classes\[0\]=0\."):
        worst_classified(["x", "y"], ["a", "b"], np.eye(2), [0, 1])
    assert scores_by([True, False], [1, 0]).loc["mean", "accuracy"] == 1
    assert scores_by(np.array(["a"]), pd.Series(["a"], dtype="category")).loc["a", "accuracy"] == 1
    dog, one = ([{"file": "f", "onset": 0, "offset": 1, "event_label": x}] for x in ("dog", 1))
    for score in (event_based_f1, segment_based_f1):
        with pytest.raises(ValueError, match=r"'dog', events_pred.*=1"):
            score(dog, one)
        with pytest.raises(ValueError, match=r"\[0\] is 'dog' \(str\), .*\[1\] is 1 \(int\)"):
            score([*dog, *one], dog)


@pytest.mark.parametrize("labels", [["dog", "macro"], ["micro", "macro"], ["mean", "macro"]])
def test_labels_called_as_the_averages_are(labels):
    true = [
        {"file": "f", "onset": i, "offset": i + 1, "event_label": name}
        for i, name in enumerate(labels)
    ]
    found = true[1:]
    table = event_based_scores(true, found)
    assert table.index.tolist() == [*sorted(labels), "macro", "micro"]
    scores = dict(zip(labels, (0.0, 1.0), strict=True))
    assert table["f1"].tolist()[:-2] == [scores[name] for name in sorted(labels)]
    assert table["n_true"].tolist() == [1, 1, 2, 2]
    assert event_based_f1(true, found) == 0.5
    assert event_based_f1(true, found, average="micro") == pytest.approx(2 / 3)
    assert event_based_f1(true, found, average=None).to_dict() == scores
    assert scores_by(["mean", "a"], ["mean", "b"]).index.tolist() == ["a", "mean", "mean"]


# Several labels per recording


@pytest.fixture(scope="module")
def two_labels():
    X, y = clips(24)
    return X, pd.DataFrame({"tone": y == "low", "hiss": np.arange(24) // 2 % 2 == 1}).astype(int)


def detector(**params):
    return small("EventDetector").set_params(**params)


@pytest.mark.parametrize(
    "form",
    [
        "table",
        *(pytest.param(f, marks=pytest.mark.slow) for f in ("array", "booleans", "three labels")),
    ],
)
def test_cross_val_predict(two_labels, form):
    X, Y = two_labels
    if form == "three labels":
        Y = Y.assign(hum=(np.arange(24) // 4 % 2))
    y = {"array": Y.to_numpy(), "booleans": Y.astype(bool)}.get(form, Y)
    found = cross_val_predict(detector(), X, y, cv=3, method="predict_proba")
    assert found.shape == Y.shape
    train, test = np.arange(8, 24), np.arange(8)
    alone = detector().fit([X[i] for i in train], Y.iloc[train])
    np.testing.assert_array_equal(found[test], alone.predict_proba([X[i] for i in test]))
    assert cross_val_predict(detector(), X, y, cv=3).shape == Y.shape


@pytest.mark.slow
def test_scorers_of_several_labels(two_labels):
    """Those that score a random forest of the same labels score a detector."""
    X, Y = two_labels
    rows = np.array([[x.mean(), x.std(), len(x)] for x in X])
    forest = RandomForestClassifier(5, random_state=0).fit(rows, Y)
    fitted = detector().fit(X, Y)
    scored = []
    for name in get_scorer_names():
        with warnings.catch_warnings():
            # Of probabilities that do not sum to one, as those of several labels do not.
            warnings.simplefilter("ignore")
            try:
                get_scorer(name)(forest, rows, Y)
            except (ValueError, AttributeError, TypeError):
                continue
            scored.append(name)
            assert np.isfinite(get_scorer(name)(fitted, X, Y)), name
    assert {"accuracy", "f1_macro", "roc_auc", "average_precision", "neg_log_loss"} <= set(scored)
    probabilities = fitted.predict_proba(X)
    expected = get_scorer("roc_auc")._score_func(Y, probabilities)
    assert get_scorer("roc_auc")(fitted, X, Y) == expected
    search = GridSearchCV(detector(), {"dropout": [0.1]}, scoring="roc_auc", cv=2).fit(X, Y)
    assert search.predict_proba(X).shape == Y.shape


def test_score_takes_what_fit_takes(two_labels):
    X, Y = two_labels
    lists = [[name for name in Y if row[name]] for _, row in Y.iterrows()]
    fitted = detector().fit(X, Y)
    expected = (fitted.predict(X) == Y.to_numpy()).all(axis=1).mean()
    for y in (Y, Y.to_numpy(), Y.astype(bool), Y[["hiss", "tone"]], lists):
        assert fitted.score(X, y) == expected
    with pytest.raises(ValueError, match=r"y\[0\] holds 'hum', expected labels of fit"):
        fitted.score(X, [["hum"], *lists[1:]])
    with pytest.raises(ValueError, match="y has 3 columns, expected one for each of the 2 labels"):
        fitted.score(X, Y.assign(hum=0))
    with pytest.raises(ValueError, match=r"y\[0\]=0, labels_\[0\]='high'"):
        detector().fit(X, clips(24)[1]).score(X, [0, 1] * 12)


@pytest.mark.slow
def test_calibration_and_thresholds(two_labels):
    X, Y = two_labels
    y = clips(24)[1]
    calibrated = CalibratedClassifierCV(detector(), cv=2)
    assert calibrated.fit(X, y).predict_proba(X).shape == (24, 2)
    by_label = MultiOutputClassifier(calibrated).fit(X, Y).predict_proba(X)
    assert np.shape(by_label) == (2, 24, 2)
    binary = (y == "low").astype(int)
    for kind in (FixedThresholdClassifier, TunedThresholdClassifierCV):
        assert set(kind(detector()).fit(X, binary).predict(X)) <= {0, 1}
    # Of several labels at once scikit-learn calibrates nothing, whatever the classifier.
    for classifier in (detector(), DummyClassifier()):
        with pytest.raises(ValueError, match="y should be a 1d array"):
            CalibratedClassifierCV(classifier, cv=2).fit(X, Y)


def test_class_weights_of_several_labels(two_labels):
    X, Y = two_labels

    def probabilities(class_weight):
        return detector(class_weight=class_weight).fit(X, Y).predict_proba(X)

    by_label = probabilities({"hiss": 5})
    np.testing.assert_array_equal(by_label, probabilities([{0: 1, 1: 1}, {0: 1, 1: 5}]))
    np.testing.assert_array_equal(probabilities([{}, {1: 5}]), by_label)
    assert not np.array_equal(by_label, probabilities(None))
    assert not np.array_equal(probabilities("balanced"), probabilities([{0: 5}, {}]))
    with pytest.raises(ValueError, match="class_weight holds 'his', expected labels of y"):
        probabilities({"his": 5})
    with pytest.raises(ValueError, match="holds 1 dictionaries, expected one for each of the 2"):
        probabilities([{1: 5}])
    with pytest.raises(ValueError, match=r"class_weight=\{'hiss': -1\}: expected a dict of"):
        probabilities({"hiss": -1})


def test_cells_of_an_indicator_are_named(two_labels):
    X, Y = two_labels
    for value, shown in ((None, "None|nan"), (float("nan"), "nan"), (2, "2"), ("yes", "'yes'")):
        wrong = Y.astype(object)
        wrong.iloc[3, 1] = value
        with pytest.raises(ValueError, match=rf"y holds ({shown}) for the label 'hiss' in row 3"):
            detector().fit(X, wrong)
    # Columns of objects keep their names.
    named = clone(detector()).fit(X, Y.astype(bool).astype(object))
    assert named.labels_.tolist() == ["tone", "hiss"]
    with pytest.raises(ValueError, match="y holds no label"):
        detector().fit(X, [[]] * len(X))
    with pytest.raises(ValueError, match=r"y\[0\] is \['a'\] \(list\), y\[1\] is 'a' \(str\)"):
        detector().fit(X, [["a"], "a", *([["b"]] * 22)])


def test_cross_val_score_of_one_label_per_recording():
    X, y = clips(24)
    for scoring in ("accuracy", "neg_log_loss", "roc_auc"):
        scores = cross_val_score(detector(), X, y, cv=2, scoring=scoring, error_score="raise")
        assert np.isfinite(scores).all()
