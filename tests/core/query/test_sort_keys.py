"""Sort keys as texts."""

from __future__ import annotations

import pytest

from gittrack.core.query.sort_keys import parse_sort_key, sort_key_text
from gittrack.core.query.tree import Field, SortKey
from gittrack.errors import QuerySyntaxError

ACC = Field("metrics", "acc", "last")
START = Field("attributes", "start_time")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("metrics.acc", SortKey(ACC)),
        ("-metrics.acc", SortKey(ACC, descending=True)),
        ("- metrics.acc", SortKey(ACC, descending=True)),
        ("+metrics.acc", SortKey(ACC)),
        ("metric.acc DESC", SortKey(ACC, descending=True)),
        ("metrics.acc asc", SortKey(ACC)),
        ("attributes.Created desc", SortKey(START, descending=True)),
        ("`run name`", SortKey(Field("attributes", "name"))),
        ("params.`a b` DESC", SortKey(Field("params", "a b"), descending=True)),
        ("-summary.loss.min", SortKey(Field("metrics", "loss", "min"), descending=True)),
        ("metrics.desc", SortKey(Field("metrics", "desc", "last"))),
    ],
)
def test_a_sort_key_is_a_field_and_a_direction(text, key):
    assert parse_sort_key(text) == key
    assert parse_sort_key(sort_key_text(key)) == key


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("-", 1),
        ("desc", 0),
        ("-metrics.acc desc", 13),
        ("metrics.acc down", 12),
        ("inputs.size", 0),
        ("- statu", 2),
        ("metrics.acc, status", 11),
    ],
)
def test_what_is_no_sort_key_is_refused_at_its_place(text, position):
    with pytest.raises(QuerySyntaxError) as raised:
        parse_sort_key(text)
    assert raised.value.position == position


def test_what_is_wrong_is_said_of_the_sort_key():
    with pytest.raises(QuerySyntaxError, match="no attribute 'statu', at character 2 of the sort key"):
        parse_sort_key("-statu")
    with pytest.raises(QuerySyntaxError) as raised:
        parse_sort_key(" ")
    assert (raised.value.message, raised.value.excerpt) == ("a sort key is empty", "")
