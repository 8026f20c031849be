"""The index answers every query as the plain evaluator does, run by run."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gittrack.core.ids import ObjectId, RunId, experiment_id
from gittrack.core.message import document_text
from gittrack.core.query.evaluate import evaluate, facts_of
from gittrack.core.query.parser import parse_query
from gittrack.core.query.reserved_tags import RESERVED_TAGS
from gittrack.core.query.sort_keys import parse_sort_key
from gittrack.core.query.tree import Expression, SortKey
from gittrack.core.query.walk import conditions_in, fields_in
from gittrack.core.records import (
    ArtifactEntry,
    CodeState,
    ExperimentRef,
    Input,
    MetricSummary,
    Person,
    RunRecord,
    RunStatus,
)
from gittrack.index.database import IndexDatabase
from gittrack.index.rows import IndexedRun, IndexWriter
from gittrack.index.searching import Question, count, find
from tests.core.query.test_properties import NOW, PARAMS, PATHS, POINTS, TREES

NAMES = st.sampled_from(["acc", "val/acc", "a.b", "f1 macro", "日本", "in"])
TEXTS = st.sampled_from(["", "a", "ab", "it's", "日", "3", "3.0", "true", "nan", "a\nb", "%_", "A"])
MOMENTS = st.integers(NOW - 10**9, NOW)
RECORDS = st.builds(
    RunRecord,
    id=st.integers(0, 2**128 - 1).map(lambda number: RunId(f"{number:032x}")),
    name=st.sampled_from(["ab12", "a", "日本", "3"]),
    experiment=st.sampled_from(["churn", "a", "3"]).map(lambda name: ExperimentRef(experiment_id(name), name)),
    status=st.sampled_from(RunStatus),
    start_time=MOMENTS,
    end_time=st.none() | MOMENTS,
    author=st.builds(Person, TEXTS, TEXTS),
    code=st.builds(
        CodeState,
        st.none() | st.sampled_from(["ab12" + "0" * 36, "cd" * 20]),
        st.none() | st.just("ab" * 20),
        st.none() | TEXTS,
        st.booleans(),
    ),
    host=TEXTS,
    entry=TEXTS,
    exit_code=st.none() | st.integers(-3, 300),
    error=TEXTS,
    parent=st.none() | st.just(RunId("ab12" * 8)),
    kind=st.just("run"),
    note=TEXTS,
    params=st.dictionaries(NAMES, PARAMS, max_size=4),
    tags=st.dictionaries(NAMES | st.sampled_from(sorted(RESERVED_TAGS)), TEXTS, max_size=4),
    metrics=st.dictionaries(
        NAMES, st.builds(MetricSummary, POINTS, POINTS, POINTS, POINTS, *[st.integers(0, 3)] * 3), max_size=4
    ),
    inputs=st.lists(
        st.builds(
            Input,
            name=TEXTS,
            role=st.sampled_from(["acc", "train", "in"]),
            uri=st.sampled_from(["a", "data/x.csv", "s3://b/c", ""]),
            digest=st.sampled_from(["", "md5:ab12" + "0" * 28, "etag:x", "ab12"]),
            size=st.none() | st.integers(0, 9),
            state=st.sampled_from(["", "verified"]),
        ),
        max_size=3,
    ).map(tuple),
    artifacts=st.lists(
        st.builds(ArtifactEntry, PATHS, st.none() | st.integers(0, 9), st.sampled_from(["", "md5:" + "a" * 32]), TEXTS),
        max_size=3,
    ).map(tuple),
)
RUNS = st.lists(RECORDS, min_size=1, max_size=6, unique_by=lambda record: record.id)
SMALL = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
CHANGED = "cd" * 20


def index_of(records: list[RunRecord]) -> IndexDatabase:
    index = IndexDatabase.in_memory()
    with index.writing() as sql:
        writer = IndexWriter(sql)
        for record in records:
            commit = ObjectId("a" * 40)
            writer.write_run(IndexedRun(record, commit, (), document_text(record, {}), comments=("said",), now=NOW))
        for record in records:
            writer.write_details(record.id, record.inputs, record.artifacts)
    return index


def matching(records: list[RunRecord], tree: Expression) -> set[str]:
    def changed(record: RunRecord):
        return lambda path, since: record.code.commit == CHANGED and path == "a"

    return {
        record.id
        for record in records
        if evaluate(tree, facts_of(record, now=NOW, comments=("said",), code_changed=changed(record)))
    }


def asked(index: IndexDatabase, tree: Expression, **more) -> Question:
    paths = {(part.path, part.since) for part in conditions_in(tree) if type(part).__name__ == "CodeChanged"}
    commits = {each: frozenset({ObjectId(CHANGED)}) if each[0] == "a" else frozenset() for each in paths}
    return Question(tree, code_commits=commits, **more)


@SMALL
@given(RUNS, TREES.filter(lambda tree: not any(field.subject for field in fields_in(tree))))
def test_the_index_finds_the_runs_that_the_evaluator_finds(records, tree):
    with index_of(records) as index, index.reading() as sql:
        question = asked(index, tree)
        assert {hit.id for hit in find(sql, question)} == matching(records, tree)
        assert count(sql, question) == len(matching(records, tree))


QUERIES = st.sampled_from(
    [
        *("params.acc = 3", "params.acc != 3", "params.acc < 3", "params.acc >= '3'", "params.acc = 'rf'"),
        *("params.acc != 'rf'", "params.acc > 'a'", "params.acc = true", "params.acc != true", "params.acc = 'true'"),
        *("params.acc is null", "params.acc is nan", "not params.acc is nan", "params.acc ~ '^3$'", "params.acc = inf"),
        *("metrics.acc = 0.5", "metrics.acc != 0.5", "metrics.acc is nan", "metrics.acc < inf", "metrics.acc is null"),
        *("summary.acc.min >= 0", "metrics.acc = params.acc", "metrics.acc + 1 > params.acc", "tags.acc = params.acc"),
        *("tags.acc = '3'", "tags.acc = 3", "tags.acc = ''", "tags.acc != 'a'", "tags.acc in ('a', '3')", "note = 'a'"),
        *("duration > 1h", "end_time is null", "exit_code > 2", "author = 'a'", "commit = 'ab12'", "parent = 'ab12ab'"),
        *("data.train.hash = 'ab12'", "inputs.path = 'a'", "inputs.path is null", "inputs.size > artifacts.size"),
        *(
            "tags.mlflow.user = 'a'",
            "tags.mlflow.user != '3'",
            "tags.mlflow.user = 3",
            "tags.mlflow.note.content like 'a%'",
        ),
        *(
            "tags.mlflow.runName = 'ab12'",
            "tags.mlflow.source.type = 'LOCAL'",
            "tags.mlflow.user = tags.mlflow.runName",
        ),
        *("has artifact 'a'", "code.changed('a')", "text('SAID')", "text('ab said')", "host ilike 'A'", "dirty"),
    ]
)


@SMALL
@given(RUNS, QUERIES, QUERIES)
def test_queries_that_people_write_agree(records, one, other):
    if one == "dirty":
        one = "dirty = true"
    if other == "dirty":
        other = "dirty = true"
    with index_of(records) as index, index.reading() as sql:
        for text in (one, f"not ({one})", f"({one}) and ({other})", f"({one}) or not ({other})"):
            tree = parse_query(text, now=NOW)
            assert {hit.id for hit in find(sql, asked(index, tree))} == matching(records, tree), text


ORDERS = st.lists(
    st.sampled_from(
        [
            "metrics.acc",
            "-metrics.acc",
            "params.acc",
            "-params.acc",
            "tags.a.b",
            "-name",
            "duration",
            "-metrics.no",
            "tags.mlflow.user",
        ]
    ),
    max_size=3,
    unique=True,
)


def place(record: RunRecord, keys: list[SortKey]):
    """Where a run stands: a rank, then what is compared, for each key."""
    parts = []
    facts = facts_of(record, now=NOW)
    from gittrack.core.query.evaluate import field_values
    from gittrack.index.rows import stored_value

    for key in keys:
        value = next(field_values(key.field, facts), None)
        if key.field.scope in ("params", "tags") and key.field.key not in RESERVED_TAGS and value is not None:
            value = stored_value(value)[0]
            value = math.nan if value is None else value
        rank = 2 if value is None else 1 if isinstance(value, float) and math.isnan(value) else 0
        parts.append((rank, value))
    return parts


def before(one: RunRecord, other: RunRecord, keys: list[SortKey]) -> bool:
    """Whether one stands before the other, said as plainly as it can be."""
    for key, (rank, value), (other_rank, other_value) in zip(keys, place(one, keys), place(other, keys), strict=True):
        if rank != other_rank:
            return rank < other_rank
        if rank or value == other_value:
            continue
        smaller = (
            isinstance(value, str) < isinstance(other_value, str)
            if isinstance(value, str) != isinstance(other_value, str)
            else value < other_value
        )
        return smaller != key.descending
    return (one.start_time, one.id) > (other.start_time, other.id)


@SMALL
@given(RUNS, ORDERS, st.integers(1, 4))
def test_pages_in_any_order_hold_each_run_once_and_in_order(records, orders, size):
    keys = [parse_sort_key(text) for text in orders]
    by_id = {record.id: record for record in records}
    with index_of(records) as index, index.reading() as sql:
        whole = [hit.id for hit in find(sql, Question(order=keys))]
        assert sorted(whole) == sorted(by_id)
        for one, other in pairwise(whole):
            assert before(by_id[one], by_id[other], keys)
        paged, position = [], None
        while page := find(sql, Question(order=keys, limit=size, after=position)):
            paged += [hit.id for hit in page]
            position = page[-1].position
        assert paged == whole


@SMALL
@given(RUNS, RUNS, ORDERS)
def test_runs_that_come_while_pages_are_read_move_no_other(records, more, orders):
    keys = [parse_sort_key(text) for text in orders]
    known = {record.id for record in records}
    more = [record for record in more if record.id not in known]
    with index_of(records) as index:
        with index.reading() as sql:
            whole = [hit.id for hit in find(sql, Question(order=keys))]
            first = find(sql, Question(order=keys, limit=max(1, len(whole) // 2)))
        with index.writing() as sql:
            writer = IndexWriter(sql)
            for record in more:
                writer.write_run(IndexedRun(record, ObjectId("b" * 40), (), document_text(record, {}), now=NOW))
            writer.flush()
        with index.reading() as sql:
            rest = [hit.id for hit in find(sql, Question(order=keys, after=first[-1].position))]
    assert [hit.id for hit in first] + [id for id in rest if id in known] == whole


def test_a_run_written_again_leaves_nothing_of_what_it_was(tmp_path):
    record = RunRecord(
        RunId("a" * 32),
        "old",
        ExperimentRef(experiment_id("x"), "x"),
        RunStatus.RUNNING,
        1,
        None,
        Person("a", ""),
        CodeState(None, None, None, False),
        params={"p": 1},
        tags={"t": "1"},
        metrics={"m": MetricSummary(1, 1, 1, 1, 1, 0, 0)},
    )
    with index_of([record]) as index, index.writing() as sql:
        new = replace(record, name="new", params={"q": 2}, tags={}, metrics={})
        writer = IndexWriter(sql)
        writer.write_run(IndexedRun(new, ObjectId("b" * 40), (), document_text(new, {}), now=NOW))
        writer.flush()
        for text, found in (
            ("params.p = 1", 0),
            ("params.q = 2", 1),
            ("tags.t = '1'", 0),
            ("metrics.m > 0", 0),
            ("name = 'new'", 1),
        ):
            assert count(sql, Question(parse_query(text, now=NOW))) == found
