"""Checks of parameters: each error names the parameter, the value, the expectation, the cause.

Private; the other packages import from here alone.
"""

from skaudio._validation.checks import (
    check_choice,
    check_counts,
    check_part,
    check_range,
    check_sample_rate,
    is_number,
)
from skaudio._validation.constraints import (
    Checked,
    Constraint,
    anything,
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
from skaudio._validation.vocabulary import (
    PATH,
    POSITIVE,
    POSITIVE_SECONDS,
    SECONDS,
    TEXT,
    VOCABULARY,
    check_count,
    check_parameters,
    constraints_of,
    optional,
)

__all__ = [
    "PATH",
    "POSITIVE",
    "POSITIVE_SECONDS",
    "SECONDS",
    "TEXT",
    "VOCABULARY",
    "Checked",
    "Constraint",
    "anything",
    "check_choice",
    "check_count",
    "check_counts",
    "check_parameters",
    "check_part",
    "check_range",
    "check_sample_rate",
    "choice",
    "constraints_of",
    "count",
    "device",
    "flag",
    "is_number",
    "mapping",
    "number",
    "number_or_range",
    "optional",
    "random_state",
    "sample_rate",
    "sequence",
    "transformer",
]
