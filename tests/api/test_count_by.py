"""Runs counted by a field are those that a list of them has."""

from __future__ import annotations

import math
from collections import Counter

import pytest

import gittrack
from gittrack.api.count_by import count_by
from gittrack.api.index_lookups import prefix_lengths
from gittrack.api.project import Project
from gittrack.api.search import Search, search
from gittrack.core.query.evaluate import facts_of, field_values
from gittrack.core.query.parser import parse_field, parse_query
from gittrack.errors import UsageError


@pytest.fixture
def project(repo) -> Project:
    for number, value in enumerate((1, 2.0, "2", "x", "", True, None, [1, 2], 2)):
        with gittrack.start_run(name=f"run-{number % 4}", experiment=f"e{number % 2}") as run:
            if value is not None:
                run.log_param("p", value)
            run.log_metric("m", math.nan if number % 3 else number / 2)
            if number % 2:
                run.set_tag("t", number % 4)
    return Project.open(repo)


FIELDS = (
    *("params.p", "metrics.m", "summary.m.count", "tags.t", "name", "experiment", "status", "dirty", "note"),
    "params.none",
)
QUERIES = ("", "params.p = 2", "tags.t is null", "metrics.m > 1e9")


def test_groups_are_those_of_all_runs_that_a_search_finds(project):
    for query in QUERIES:
        asked = Search(parse_query(query, now=0))
        facts = [facts_of(run.record, now=0) for run in search(project, asked).runs]
        for text in FIELDS:
            field = parse_field(text)
            values = [next(field_values(field, each), None) for each in facts]
            counts = count_by(project, asked, [field])
            groups = counts.groups
            assert counts.runs == len(facts)
            assert Counter({_key(group.values[0]): group.runs for group in groups}) == Counter(map(_key, values)), text
            known = [group.runs for group in groups if group.values[0] is not None]
            assert known == sorted(known, reverse=True), text
            assert all(group.values[0] is not None for group in groups[:-1]), text


def _key(value: object) -> str:
    """As runs are alike: numbers by their value, whatever text says them, and what has no value by that."""
    if value is None or (isinstance(value, str) and not value):
        return "none" if value is None else "text"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return f"number {float(value)}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)


def test_several_fields_are_counted_together(project):
    whole = Search()
    facts = [facts_of(run.record, now=0) for run in search(project, whole).runs]
    fields = [parse_field(text) for text in ("experiment", "params.p", "metrics.m")]
    counts = count_by(project, whole, fields)
    expected = Counter(tuple(_key(next(field_values(field, each), None)) for field in fields) for each in facts)
    assert Counter({tuple(map(_key, group.values)): group.runs for group in counts.groups}) == expected


@pytest.fixture
def data_project(repo, git) -> Project:
    for name in ("a", "b"):
        (repo / f"{name}.csv").write_text(name)
    with gittrack.start_run(name="both") as run:
        run.log_input("a.csv", role="train")
        run.log_input("b.csv", role="test")
    with gittrack.start_run(name="one", experiment="other") as run:
        run.log_input("a.csv", role="train")
    with gittrack.start_run(name="none"):
        pass
    return Project.open(repo)


@pytest.mark.parametrize("text", ["data.train.hash", "inputs.path", "inputs.role", "inputs.size", "artifacts.path"])
def test_a_run_with_several_values_counts_for_each(data_project, text):
    from gittrack.api.index_lookups import whole_record

    field = parse_field(text)
    with gittrack.start_run(name="live") as live:
        live.log_input("b.csv", role="train")
        runs = search(data_project, Search()).runs
        facts = [facts_of(whole_record(data_project, run), now=0) for run in runs]
        counts = count_by(data_project, Search(), [field])
        both = count_by(data_project, Search(), [field, parse_field("experiment")])
    values = [value for each in facts for value in dict.fromkeys(field_values(field, each)) or [None]]
    assert counts.runs == both.runs == 4
    assert {group.values[0]: group.runs for group in counts.groups} == Counter(values)
    assert sum(group.runs for group in both.groups) == len(values)
    assert counts.groups[-1].values == (None,)


def test_two_fields_of_several_values_are_refused(data_project):
    with pytest.raises(UsageError, match="one field at a time"):
        count_by(data_project, Search(), [parse_field("inputs.path"), parse_field("artifacts.path")])


def test_ids_are_as_long_as_tells_them_from_all_others_however_many_are_asked_for(repo, monkeypatch):
    ids = ["a" * 32, "a" * 31 + "b", "a" * 12 + "b" * 20, "b" * 32, "c" * 9 + "d" * 23, "c" * 32]
    given = iter(ids)
    monkeypatch.setattr("gittrack.api.project.Project.new_run_id", lambda self: next(given))
    for _ in ids:
        with gittrack.start_run():
            pass
    project = Project.open(repo)
    assert prefix_lengths(project, ids, 8) == dict(zip(ids, (32, 32, 13, 8, 10, 10), strict=True))
    assert prefix_lengths(project, ids[2:3], 8) == {ids[2]: 13}
    assert prefix_lengths(project, ["a" * 12 + "c" * 20], 8) == {"a" * 12 + "c" * 20: 13}
    monkeypatch.setattr("gittrack.api.index_lookups._MANY", 1)
    assert prefix_lengths(project, ids[:3], 8) == dict(zip(ids, (32, 32, 13), strict=False))
