"""One grammar for values on a command line, ours and a script's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.script_params import params_from_argv
from gittrack.core.text_values import typed_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("3", 3), ("-3", -3), ("0", 0), ("0.1", 0.1), (".5", 0.5), ("1e-3", 0.001), ("5.", 5.0), ("TRUE", True)),
        *(("false", False), ("007", "007"), ("1e999", "1e999"), ("nan", "nan"), ("", ""), ("1_000", "1_000")),
        *(("a=b", "a=b"), ("٣", "٣"), ("1 ", "1 ")),
    ],
)
def test_a_param_is_typed_as_it_is_written(text, value):
    found = typed_text(text)
    assert (found, type(found)) == (value, type(value))


@given(st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_read_as_it_was_written(number):
    assert typed_text(str(number)) == number


@pytest.mark.parametrize(
    "text", ["1" * 301, "1" * 302, "1" * 5000, "0." + "1" * 5000, "+5", "-0", "00.5", "-.5e3", "5e", "."]
)
def test_a_scripts_argument_is_typed_as_one_of_gittrack_itself(text):
    found = params_from_argv(["train.py", f"--value={text}"])["value"]
    assert (found, type(found)) == (typed_text(text), type(typed_text(text)))


@given(st.text("0123456789.eE+-", max_size=12))
def test_what_is_a_number_to_gittrack_is_that_number_to_python(text):
    found = typed_text(text)
    assert found == text if isinstance(found, str) else found == float(text)
