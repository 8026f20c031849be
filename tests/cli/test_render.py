"""Tables, trees, numbers and pairs: pure, on made-up runs."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.api.farewell import ENDED_LINES, code_text, ended_lines, how_it_ended
from gittrack.api.read import SavedRun
from gittrack.cli import render
from gittrack.cli.arguments import parse_pairs
from gittrack.cli.render import Cell, Column, short_ids, table, tree
from gittrack.cli.run_page import value_text
from gittrack.cli.shapes import plain
from gittrack.cli.terminal import Terminal
from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.names import cell_width
from gittrack.core.records import CodeState, ExperimentRef, LeftOut, MetricSummary, Person, RunRecord, RunStatus
from gittrack.errors import UsageError


def run(id: str, parent: str | None = None, **facts) -> SavedRun:
    record = RunRecord(
        **{
            "id": RunId(id),
            "name": f"run-{id}",
            "experiment": ExperimentRef(ExperimentId("0"), "Default"),
            "status": RunStatus.FINISHED,
            "start_time": 0,
            "end_time": 1000,
            "author": Person("a", "b"),
            "code": CodeState(ObjectId("c" * 40)),
            "parent": None if parent is None else RunId(parent),
            **facts,
        }
    )
    return SavedRun(record, ObjectId("d" * 40))


def drawn(runs) -> list[str]:
    return [f"{branch}{each.id}" for branch, each in tree(runs)]


class TestTree:
    def test_children_stand_below_their_parent_oldest_first(self):
        runs = [run("f"), run("e", "b"), run("d", "c"), run("c", "b"), run("b"), run("a")]
        assert drawn(runs) == ["f", "b", "├─ c", "│  └─ d", "└─ e", "a"]

    def test_a_child_whose_parent_is_not_listed_stands_at_the_top(self):
        assert drawn([run("b", "zzz"), run("a")]) == ["b", "a"]

    def test_runs_that_are_each_others_parents_are_listed_once(self):
        assert sorted(each.id for _, each in tree([run("a", "b"), run("b", "a"), run("c", "c")])) == ["a", "b", "c"]

    def test_a_chain_of_thousands_needs_no_recursion(self):
        runs = [run(f"{number:05}", f"{number - 1:05}") for number in reversed(range(3000))]
        assert len(tree(runs)) == 3000

    @given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefghz")))
    def test_every_run_is_listed_exactly_once(self, parents):
        runs = [run(id, parent) for id, parent in parents.items()]
        assert sorted(each.id for _, each in tree(runs)) == sorted(parents)


def test_ids_are_as_long_as_tells_them_apart():
    ids = ["1" * 32, "2" * 10 + "a" * 22, "2" * 10 + "b" * 22]
    assert list(short_ids([run(id) for id in ids]).values()) == ["1" * 8, "2" * 10 + "a", "2" * 10 + "b"]
    assert short_ids([]) == {}


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), min_size=1, max_size=5),
    st.integers(min_value=24, max_value=100),
)
def test_no_line_is_wider_than_the_terminal_and_no_character_moves_the_cursor(rows, width):
    columns = [Column("A", least=8), Column("B", least=8)]
    for line in table(columns, [[Cell(a), Cell(b)] for a, b in rows], Terminal(width=width)):
        assert cell_width(line) <= width
        assert (
            line == "" or line.replace("\u3000", " ").isprintable() or all(c.isprintable() or c.isspace() for c in line)
        )
        assert "\n" not in line and "\x1b" not in line


def test_numbers_are_set_to_the_right_and_wide_characters_count_twice():
    lines = table(
        [Column("N", right=True), Column("T")], [[Cell("1"), Cell("日本")], [Cell("100"), Cell("x")]], Terminal()
    )
    assert lines == ["  N  T", "  1  日本", "100  x"]


def test_the_lines_at_the_end_are_at_most_eight_whatever_the_run_holds():
    code = CodeState(ObjectId("c" * 40), ObjectId("e" * 40), "main", True, left_out=(LeftOut("a", "size"),) * 3)
    metrics = {name: MetricSummary(1, 1, 1, 1, 1, 0, 0) for name in "abcdef"}
    full = run("3" * 32, name="full", status=RunStatus.FAILED, error="E: x\ny", exit_code=3, code=code, metrics=metrics)
    lines = ended_lines(full)
    assert lines == [
        "run 'full' failed after 1.0s, exit code 3",
        "  id         33333333",
        "  experiment Default",
        "  code       cccccccc, uncommitted changes on top of eeeeeeee on main",
        "  left out   3 files of the work tree",
        "  error      E: x\\ny",
        "  metric     a 1",
        "  next       gittrack show 33333333",
    ]
    assert len(lines) == ENDED_LINES
    assert len(ended_lines(run("4" * 32))) == 5


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (CodeState(None), "unknown"),
        (CodeState(None, reason="no\x1b commits"), "unknown: no\\x1b commits"),
        (CodeState(ObjectId("a" * 40), ObjectId("a" * 40), "main"), "aaaaaaaa on main, clean"),
        (CodeState(ObjectId("a" * 40), None, None, True), "aaaaaaaa, a snapshot of uncommitted changes"),
    ],
)
def test_the_code_in_a_line(code, text):
    assert code_text(code) == text


@pytest.mark.parametrize("status", RunStatus)
def test_how_a_run_ended_is_one_line_for_every_status(status):
    line = how_it_ended("a\nb", status, 61_000)
    assert line.startswith("run 'a\\nb' ")
    assert line.endswith(" 1m01s")


def test_every_status_has_a_colour():
    assert set(render.STATUS_ROLES) == set(RunStatus)


def test_pairs_keep_further_signs_in_the_value():
    assert parse_pairs(["a=b=c", "d="], "x") == {"a": "b=c", "d": ""}
    for bad in (["a"], ["=a"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            parse_pairs(bad, "x")


@given(st.recursive(st.none() | st.floats() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=10))
def test_whatever_is_printed_is_strict_json(value):
    json.loads(json.dumps(plain(value), allow_nan=False), parse_constant=pytest.fail)


def test_values_are_shown_as_one_would_type_them():
    shown = [value_text(value) for value in ("a b", "", 1, 0.1, math.inf, True, None, [1, "x"], {})]
    assert shown == ["a b", '""', "1", "0.1", "inf", "true", "null", '[1, "x"]', "{}"]
