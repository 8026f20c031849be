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


STEERING = "p\x1b[2Jx\x9b31m\u202e"
ESCAPED = r"p\x1b[2Jx\x9b31m\u202e"


@pytest.mark.parametrize("words", [("compare", "one", "other"), ("ls",), ("ls", "--columns", "name,params.*")])
def test_a_pipe_gets_csv_as_it_is_and_a_terminal_gets_escapes(cli, in_terminal, record, words):
    record("one", {"loss": [1.0]}, params={STEERING: STEERING, "px": 1})
    record("other", {"loss": [2.0]}, params={"px": 2})
    words = tuple(word.replace("params.*", f"params.`{STEERING}`") for word in words)
    piped = cli(*words, "--csv").out
    cells = {cell for row in read(piped) for cell in row}
    assert STEERING in cells
    if len(words) < 3 or words[0] == "compare":
        assert {"px", "param.px"} & cells
    shown, code = in_terminal(*words, "--csv", columns=400)
    assert code == 0
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert ESCAPED in shown
    assert len(shown.splitlines()) == len(piped.splitlines())  # line ends stay


def test_json_and_markdown_hold_nothing_that_steers_a_terminal(cli, in_terminal, record):
    record("one", {"loss": [1.0]}, params={STEERING: 1}, tags={STEERING: STEERING})
    for words in (("compare", "one"), ("ls",), ("ls", "--columns", f"params.`{STEERING}`")):
        for form in ("--json", "--md"):
            for text in (cli(*words, form).out, in_terminal(*words, form)[0]):
                assert not {"\x1b", "\x9b", "\u202e"} & set(text), (words, form)


def test_a_page_on_a_terminal_keeps_its_colours(in_terminal, record, cli):
    record("one", {"loss": [1.0]})
    assert "\x1b[" in in_terminal("show", "one")[0]
    assert cli("views", "save", "mine", "metrics.loss > 0").code == 0
    assert "\x1b[" in in_terminal("views", "show", "mine")[0]
    assert "\x1b[" in in_terminal("watch", "one", "--once")[0]
