"""The tree of exceptions."""

from __future__ import annotations

import pickle
import re

import pytest

from opslib import errors
from opslib.host import params
from opslib.result import Report


def test_everything_raised_on_purpose_has_one_root():
    """All public exceptions, and no others, are OpslibErrors."""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.OpslibError)
    classes = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    assert {name for name in classes if not name.startswith("_")} == set(errors.__all__)


def test_the_drawing_in_the_docstring_is_true():
    """Each name stands below its parent."""
    parents = {0: None}
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│ ]*(?:├── |└── )?)([A-Z]\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            parents[depth] = found[2]
            drawn[found[2]] = parents[depth - 1] if depth else None
    assert set(drawn) == set(errors.__all__)
    for name, parent in drawn.items():
        if parent:
            assert issubclass(getattr(errors, name), getattr(errors, parent)), name
    assert errors.CarrierError.__mro__[1] is errors.OpslibError


def test_a_wrong_parameter_is_one_and_the_same_error():
    """A task raises what the library documents; whoever catches ValueError catches it too."""
    assert errors.ParamError is params.ParamError
    assert issubclass(errors.ParamError, errors.UsageError)
    assert issubclass(errors.ParamError, ValueError)


@pytest.mark.parametrize("kind", [errors.RunFailedError, errors.InterruptedRunError])
def test_errors_about_a_run_carry_its_report(kind):
    """What is known is not lost with the exception."""
    report = object.__new__(Report)
    error = kind("it failed", report)
    assert (str(error), error.report) == ("it failed", report)


@pytest.mark.parametrize("kind", [errors.RunFailedError, errors.InterruptedRunError])
def test_errors_about_a_run_come_out_of_a_pool_of_processes(kind):
    error = pickle.loads(pickle.dumps(kind("it failed", {"as": "a report"})))
    assert (type(error), str(error), error.report) == (kind, "it failed", {"as": "a report"})
