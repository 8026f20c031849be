"""Points drawn in a terminal."""

from __future__ import annotations

import math
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.names import cell_width
from gittrack.core.scatter import scatter_lines

PAIRS = st.lists(st.tuples(st.floats(), st.floats()), max_size=20)


@given(PAIRS, PAIRS, st.integers(1, 120), st.integers(1, 20), st.booleans(), st.text(max_size=30))
def test_no_line_is_too_wide_and_nothing_controls_a_terminal(front, others, width, height, ascii_only, title):
    lines = scatter_lines(front, others, (title, "x"), width, height, ascii_only=ascii_only)
    assert all(cell_width(line) <= max(width, 20) for line in lines)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for line in lines for char in line)
    assert not ascii_only or all(line.isascii() for line in lines)


def test_the_front_is_drawn_over_the_others_where_it_belongs():
    lines = scatter_lines([(1.0, 0.0), (0.0, 1.0)], [(0.0, 0.0), (1.0, 0.0)], ("acc", "ms"), 40, 5)
    assert lines[0] == "acc over ms"
    assert lines[1].endswith("│●")
    assert lines[5].partition("│")[2].startswith("·")
    assert lines[5].endswith("●")


def test_what_is_not_finite_is_not_drawn():
    assert scatter_lines([(math.nan, 1.0)], [(math.inf, 0.0)], ("a", "b")) == []
