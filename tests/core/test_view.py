"""Saved views and chosen columns: what a file may hold, whoever wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.run_columns import MOST_COLUMNS, parse_columns
from gittrack.core.view import MAX_VIEW_BYTES, View, check_view_name, parse_view, view_bytes
from gittrack.errors import CorruptRecordError, GittrackError, InvalidNameError, QuerySyntaxError, UsageError

QUERIES = st.sampled_from(["", "metrics.acc > 0.9", "params.model = 'it''s'", "start_time > -7d and not dirty"])
KEYS = st.sampled_from(["-metrics.acc", "duration", "params.lr DESC", "tags.`a,b`"])
COLUMNS = st.sampled_from(["name", "metrics.acc", "age", "metrics", "data.train.hash", "tags.`a,b`"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
VIEWS = st.builds(
    View,
    st.just("some"),
    query=QUERIES,
    columns=st.lists(COLUMNS, max_size=5).map(tuple),
    sort=st.lists(KEYS, max_size=3).map(tuple),
    number=st.none() | st.integers(1, 10**9),
    description=TEXTS,
)


def test_what_is_wrong_with_a_column_is_said_of_it():
    for text in ("nam", "metrics.acc,statu", "metrics.", "a.b"):
        with pytest.raises(QuerySyntaxError, match="of the column\n"):
            parse_columns([text])


@given(VIEWS)
def test_a_view_that_is_written_is_read_as_it_was(view):
    assert parse_view("some", view_bytes(view)) == view


@given(st.binary(max_size=300))
def test_whatever_bytes_a_file_holds_they_are_a_view_or_an_error_of_ours(data):
    try:
        view = parse_view("some", data)
    except GittrackError:
        return
    assert parse_view("some", view_bytes(view)) == view


def test_a_text_stands_for_a_list_of_one():
    view = parse_view("some", b'sort = "-metrics.acc"\ncolumns = "name,params.lr"')
    assert (view.sort, view.columns) == (("-metrics.acc",), ("name,params.lr",))


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ('colums = ["name"]', UsageError, "'colums', which views do not have"),
        ("query = 3", UsageError, "'query' in .gittrack/views/some.toml is no text"),
        ("sort = [3]", UsageError, "'sort' in .gittrack/views/some.toml is no list of texts"),
        ("number = true", UsageError, "'number' in .gittrack/views/some.toml is no whole number"),
        ("number = 1.5", UsageError, "is no whole number"),
        ("number = 0", UsageError, "view 'some' has the number 0"),
        ("query = 'metrics.acc >'", QuerySyntaxError, "view 'some': the query ends"),
        ("sort = 'inputs.path'", QuerySyntaxError, "view 'some': "),
        (f"sort = {['metrics.a'] * 17}", UsageError, "view 'some': 17 sort keys are more than 16"),
        ("columns = 'acc'", QuerySyntaxError, "view 'some': there is no column 'acc'"),
        ("columns = ','", UsageError, "view 'some': no column is named"),
        ("query = ", CorruptRecordError, ".gittrack/views/some.toml is damaged"),
        ("a" + ".a" * 50 + " = 1", CorruptRecordError, "damaged"),
        ("x = " + "[" * 50, CorruptRecordError, "damaged"),
        ("#" * (MAX_VIEW_BYTES + 1), CorruptRecordError, "at most 65536"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text, error, said):
    with pytest.raises(error) as raised:
        parse_view("some", text.encode())
    assert said in raised.value.message
    assert raised.value.hint


def test_a_key_that_is_nearly_one_is_answered_with_that_one():
    with pytest.raises(UsageError) as raised:
        parse_view("some", b"colums = []")
    assert raised.value.hint == "did you mean columns?"


@pytest.mark.parametrize("name", ["best", "a", "9lives", "best-digits_v2.1", "Latest-week", "größe", "日本", "हिन्दी"])
def test_names_of_letters_and_digits_are_names_of_views(name):
    assert check_view_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "latest",
        "LATEST",
        "-2",
        "-x",
        "a/b",
        "../a",
        ".a",
        "a b",
        "a\n",
        "a\u200b",
        "😀",
        "\u0301a",
        "日" * 90,
        "con",
        "nul.x",
        "x.",
        "a" * 101,
    ],
)
def test_what_is_a_run_or_no_file_name_everywhere_is_no_name_of_a_view(name):
    with pytest.raises(InvalidNameError):
        check_view_name(name)


def test_a_name_of_a_view_is_one_file_however_its_letters_are_composed():
    assert check_view_name("gro\u0308ße") == "größe" == check_view_name("größe")


def test_commas_part_columns_but_not_within_backticks():
    choice = parse_columns(["id, name,metrics.`a,b`", "summary.loss.min,age,metrics"])
    assert not choice.adds
    assert [column.text for column in choice.columns] == [
        *("id", "name", "metrics.`a,b`", "summary.loss.min", "age", "metrics"),
    ]


def test_a_plus_before_the_first_column_adds_all_of_them():
    for texts in (["+params.lr,tags.x"], ["+params.lr,+tags.x"], ["+params.lr", "tags.x"]):
        choice = parse_columns(texts)
        assert choice.adds
        assert [column.text for column in choice.columns] == ["params.lr", "tags.x"]


def test_columns_are_shown_once_and_other_names_of_attributes_are_theirs():
    assert [column.text for column in parse_columns(["run_id,id,attributes.id"]).columns] == ["id"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([""], "no column is named"),
        (["name,+params.lr"], "'+' stands before some columns only"),
        (["acc"], "there is no column 'acc'"),
        (["metrics.acc > 1"], "character"),
        (["metrics.`acc"], "character"),
        ([",".join(["name"] * (MOST_COLUMNS + 1))], "are more than 500"),
    ],
)
def test_what_is_no_column_is_said(texts, said):
    with pytest.raises(UsageError) as raised:
        parse_columns(texts)
    assert said in raised.value.message
    assert raised.value.hint


@given(st.text(max_size=80))
def test_any_text_chooses_columns_or_is_refused_by_an_error_of_ours(text):
    try:
        choice = parse_columns([text])
    except GittrackError:
        return
    again = parse_columns([",".join(column.text for column in choice.columns)])
    assert again.columns == choice.columns
