"""scikit-learn's own checks, on every augmentation of the package."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from skaudio.augmentation import (
    VTLP,
    Convolution,
    FrequencyMask,
    FunctionAugmentation,
    Noise,
    RandomSegment,
    Speed,
    TimeMask,
    TimeShift,
    Volume,
)

ESTIMATORS = [
    Convolution(),
    FrequencyMask(),
    FunctionAugmentation(),
    Noise(),
    RandomSegment(),
    Speed(),
    TimeMask(),
    TimeShift(),
    VTLP(),
    Volume(),
]

# fit_transform differs from fit().transform() because the augmentation acts in it alone: that is
# what an augmentation is, and scikit-learn has no word for it. These two checks compare the two on
# an array (the first one on a read-only one as well).
ACTS_IN_FIT_ONLY = {
    "check_transformer_general": "acts in fit_transform, not in transform",
    "check_transformer_data_not_an_array": "acts in fit_transform, not in transform",
}

# The others do nothing to these arrays: their clips of three samples are shorter than the shift
# of a sample and their one frame than the shortest mask; warp factors are no samples; a function
# that is not given does nothing.
EXPECTED = {
    "Convolution": ACTS_IN_FIT_ONLY,
    "FrequencyMask": ACTS_IN_FIT_ONLY,
    "Noise": ACTS_IN_FIT_ONLY,
    "RandomSegment": ACTS_IN_FIT_ONLY,
    "Speed": ACTS_IN_FIT_ONLY,
    "Volume": ACTS_IN_FIT_ONLY,
}


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda e: EXPECTED.get(type(e).__name__, {})
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


def test_every_augmentation_is_checked(name):
    assert name in {type(estimator).__name__ for estimator in ESTIMATORS}
