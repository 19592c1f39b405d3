"""Checks of parameters: each error names the parameter, the value, the expectation, the cause.

Private; the other packages import from here alone.
"""

from skaudio._validation.checks import (
    check_choice,
    check_count,
    check_counts,
    check_device,
    check_part,
    check_positive,
    check_range,
    check_sample_rate,
    is_number,
)
from skaudio._validation.constraints import (
    Checked,
    Constraint,
    anything,
    check_parameters,
    choice,
    count,
    device,
    flag,
    mapping,
    number,
    number_or_range,
    random_state,
    sample_rate,
    sequence,
    transformer,
)

__all__ = [
    "Checked",
    "Constraint",
    "anything",
    "check_choice",
    "check_count",
    "check_counts",
    "check_device",
    "check_parameters",
    "check_part",
    "check_positive",
    "check_range",
    "check_sample_rate",
    "choice",
    "count",
    "device",
    "flag",
    "is_number",
    "mapping",
    "number",
    "number_or_range",
    "random_state",
    "sample_rate",
    "sequence",
    "transformer",
]
