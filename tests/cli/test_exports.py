"""CSV that is no formula, Markdown that is no markup."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.cli.exports import csv_text, markdown_lines

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")', "-", "＝1", "--1", "-1e", "-1-1"],
)
def test_what_a_spreadsheet_would_run_is_text(text):
    assert read(csv_text([[text]])) == [["'" + text]]


@pytest.mark.parametrize("text", ["-1", "+1.5", "-.5e-10", "-inf", "1", "a=b", "a-b", "", "-0.0", "5.", "größe", "nan"])
def test_numbers_and_plain_texts_stay_as_they_are(text):
    assert csv_text([[text, "x"]]) == f"{text},x\n"


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=4), min_size=1
    )
)
def test_every_cell_is_read_again_and_none_is_a_formula(rows):
    for said, found in zip(rows, read(csv_text(rows)), strict=True):
        for text, cell in zip(said, found, strict=True):
            assert cell in (text, "'" + text)
            if cell.startswith(DANGEROUS):
                assert float(cell) == float(cell) or cell in ("-nan", "+nan")


def test_what_would_part_a_line_elsewhere_is_quoted():
    assert csv_text([["a;=1+1", "b\t=1", " c"]]) == '"a;=1+1","b\t=1"," c"\n'


def test_markdown_shows_bars_lines_and_html_as_text():
    lines = markdown_lines(["name", "value"], [["a|b", "<script>\n</script>"], ["**x**", "[a](http://b)"]])
    assert lines[2] == r"| a\|b | &lt;script&gt;\\n&lt;/script&gt; |"
    assert lines[3] == r"| \*\*x\*\* | \[a\](http://b) |"


def test_names_with_underscores_stay_readable():
    assert markdown_lines(["val_loss_1", "_x_"], [])[0] == r"| val_loss_1 | \_x\_ |"


@given(st.lists(st.text(max_size=20), min_size=3, max_size=3))
def test_a_row_is_one_line_with_as_many_cells_as_there_are(cells):
    line = markdown_lines(["a", "b", "c"], [cells])[2]
    assert len(line.splitlines()) == 1
    bare = line.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 4
    assert "<" not in line
