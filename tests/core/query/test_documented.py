"""``docs/how-to/search.md`` names every field and operator there is, and its queries are queries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gittrack.core.query.evaluate import RunFacts, evaluate
from gittrack.core.query.fields import ATTRIBUTES, METRIC_PARTS, OTHER_NAMES, PARTS, SCOPES
from gittrack.core.query.parser import parse_query
from gittrack.errors import QuerySyntaxError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "search.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```query\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
QUERIES = [line for block in BLOCKS for line in block.splitlines()]


def spans_of(section: str) -> list[str]:
    """What stands in backticks in the first column of the tables of a section."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!--)(.*?) \|", text, re.MULTILINE)
    return [span for row in rows for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", row)]


@pytest.mark.parametrize("text", QUERIES)
def test_the_queries_of_the_page_are_queries(text):
    assert evaluate(parse_query(text, now=0), RunFacts()) in (True, False)


def test_there_are_queries():
    assert len(QUERIES) >= 8


@pytest.mark.parametrize(
    "name", [*ATTRIBUTES, *OTHER_NAMES, *METRIC_PARTS, *sorted({part for each in PARTS.values() for part in each})]
)
def test_every_attribute_and_part_is_described(name):
    assert f"`{name}`" in PAGE or name == "run name"


@pytest.mark.parametrize("name", SCOPES)
def test_every_scope_is_described(name):
    assert f"`{name}." in PAGE or f"`{name}`" in PAGE or name in ("input", "artifact", "datasets")


@pytest.mark.parametrize("test", spans_of("Operators"))
def test_every_operator_of_the_page_is_one(test):
    if test in ("+", "-", "*", "/"):
        text = f"metrics.a {test} 1 > 2"
    elif test in ("and", "or"):
        text = f"dirty {test} deleted"
    elif test == "not":
        text = "not dirty"
    elif test.startswith(("has", "code", "text", "dirty")):
        text = test
    elif test in ("between", "in", "like", "not between", "not in", "not like", "!~", "not matches"):
        value = {"between": "1 and 2", "in": "(1)"}.get(test.removeprefix("not "), "'a'")
        text = f"params.a {test} {value}"
    else:
        text = f"params.a {test}" + ("" if " " in test else " 1")
    parse_query(text, now=0)


@pytest.mark.parametrize("value", spans_of("Values"))
def test_every_value_of_the_page_is_one(value):
    fields = ("params.a", "dirty", "start_time", "duration", "id")
    accepted = []
    for field in fields:
        try:
            parse_query(f"{field} = {value}", now=0)
        except QuerySyntaxError:
            continue
        accepted.append(field)
    assert accepted


def test_the_error_of_the_page_is_what_is_said():
    query = "metrics.acc > 1 and statu = 'x'"
    with pytest.raises(QuerySyntaxError) as raised:
        parse_query(query, now=0)
    assert f"```text\n{raised.value}\n```" in PAGE
