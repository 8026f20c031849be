"""What MLflow's ``filter_string`` accepts means the same here: both parse and answer one corpus."""

from __future__ import annotations

import itertools

import pytest

from gittrack.core.ids import ExperimentId, RunId
from gittrack.core.query.evaluate import evaluate, facts_of
from gittrack.core.query.parser import parse_query
from gittrack.core.query.sort_keys import parse_sort_key
from gittrack.core.query.tree import AllOf, Comparison, Constant, Field, IsNull, Like, Not, Within
from gittrack.core.records import CodeState, ExperimentRef, Input, MetricSummary, Person, RunRecord, RunStatus

pytest.importorskip("mlflow", reason="MLflow is not installed")

ID_A, ID_B = "ab12" * 8, "cd34" * 8
FIELDS = ["metrics.acc", "metric.acc", "metrics.`acc`", 'metrics."val acc"', "metrics.'val acc'", "metrics.and"]
TEXTS = [
    "params.model",
    "param.model",
    "parameter.model",
    "parameters.model",
    "params.`model`",
    "params.layers",
    "params.lr",
    "params.gone",
    "params.a.b",
    "tags.team",
    "tag.team",
    "tags.mlflow.source.name",
    "`tags`.team",
    "tags.a[0]",
    "params.日本",
]
VALUES = ["'rf'", '"rf"', "'3'", "'0.1'", "''", "'it''s'", "'50%'", "'日本'", "'a;b'", '"it\'s"', "'True'", "'None'"]
ATTRIBUTES = ["run_name", "attributes.run_name", "attr.run_name", "run.run_name", "`run name`", "attribute.`Run name`"]
CORPUS = [
    *(f"{field} {operator} {value}" for field in FIELDS for operator in ("=", "!=", "<", "<=", ">", ">=")
      for value in ("0.5", "1", "-1", "1e-5", ".5", "5.", "1E5")),
    *(f"{field} {operator} {value}" for field in TEXTS for operator in ("=", "!=") for value in VALUES),
    *(f"{field} {operator} {value}" for field in TEXTS for operator in ("LIKE", "ILIKE", "like")
      for value in ("'r%'", "'_F'", "'%'", "'3'", "'0.%'", "'日_'", "'r%f%'")),
    *(f"{field} {test}" for field in TEXTS for test in ("IS NULL", "is null", "IS NOT NULL", "is not null")),
    *(f"{field} {operator} {value}" for field in ATTRIBUTES for operator in ("=", "!=", "LIKE", "ilike")
      for value in ("'first'", "'FIRST'", "'f%'", "'_irst'")),
    *(f"{field} {operator} {value}" for field in ("start_time", "Created", "created", "attributes.end_time")
      for operator in ("=", "!=", "<", "<=", ">", ">=")
      for value in ("1700000001000", "1700000002000", "1700000002000.5", "0", "-1e12")),
    *(f"{field} {operator} '{value}'" for field in ("status", "attributes.status") for operator in ("=", "!=", "LIKE")
      for value in ("FINISHED", "FAILED", "RUNNING", "SCHEDULED")),
    "status LIKE 'F%'",
    *(f"{field} {operator} ({values})" for field in ("run_id", "attributes.run_id")
      for operator in ("IN", "NOT IN", "in", "not in")
      for values in (f"'{ID_A}'", f"'{ID_A}', \"{ID_B}\"", "'x',", "'x'")),
    *(f"run_id {operator} '{value}'" for operator in ("=", "!=") for value in (ID_A, ID_B, "x", "")),
    *(f"{scope}.{key} {operator} {value}" for scope in ("dataset", "datasets") for key in ("name", "context")
      for operator in ("=", "!=", "LIKE", "ILIKE") for value in ("'iris'", "'12ab34cd'", "'train'", "'I%'")),
    *(f"{scope}.digest {operator} {value}" for scope in ("dataset", "datasets")
      for operator in ("=", "!=", "LIKE", "ILIKE") for value in ("'12ab34cd'", "'ffff'", "'12AB34CD'")),
    *(f"dataset.{key} IN ('iris', 'train', '12ab34cd')" for key in ("name", "context")),
    "dataset.digest IN ('ffff', '12ab34cd')",
    "user_id = 'ada'",
    "artifact_uri LIKE '%x'",
    '"run name" = "first"',
    "",
    "metrics.acc > 0.4 and params.model = 'rf'",
    "metrics.acc > 0.4 AND params.model = 'rf' AnD tags.team IS NULL and status = 'FINISHED'",
    "params.model\n=\t'rf'",
]  # fmt: skip
REFUSED_HERE = ["params. x = 'a'", "start_time > 7", "dataset.digest = 'iris'", "status = 'DONE'"]
"""MLflow takes these for odd names and finds all runs or none; here they are errors."""


def record(**changes):
    given = {
        "id": RunId(ID_A),
        "name": "first",
        "experiment": ExperimentRef(ExperimentId("e" * 32), "churn"),
        "status": RunStatus.FINISHED,
        "start_time": 1_700_000_001_000,
        "end_time": 1_700_000_002_000,
        "author": Person("ada", "ada@example.org"),
        "code": CodeState(None),
    }
    return RunRecord(**{**given, **changes})


def summary(value: float) -> MetricSummary:
    return MetricSummary(value, value, value, value, 1, 0, 0)


RECORDS = [
    record(
        metrics={"acc": summary(0.5), "val acc": summary(1.0), "and": summary(-1.0)},
        params={"model": "rf", "layers": 3, "lr": 0.1, "a.b": True, "日本": "日本"},
        tags={"team": "it''s", "mlflow.source.name": "rf", "a[0]": "3"},
        inputs=(Input("iris", "train", "iris.csv", "12ab34cd"),),
    ),
    record(
        id=RunId(ID_B),
        name="FIRST",
        status=RunStatus.FAILED,
        start_time=1_700_000_002_000,
        end_time=1_700_000_003_000,
        metrics={"acc": summary(1e5)},
        params={"model": "3", "layers": "50%", "lr": 0.25, "gone": ""},
        tags={"team": "a;b"},
        inputs=(Input("IRIS", "test", "x", "ffff"), Input("wine", "train", "y", "12ab34cd")),
    ),
    record(status=RunStatus.RUNNING, params={"model": "Rf", "日本": "日x"}, tags={"team": "it's"}),
]


def mlflow_search():
    from mlflow.utils.search_utils import SearchUtils

    return SearchUtils


def as_mlflow(run: RunRecord):
    """The run as MLflow's client would have logged it."""
    from mlflow.entities import (
        Dataset,
        DatasetInput,
        InputTag,
        Metric,
        Param,
        Run,
        RunData,
        RunInfo,
        RunInputs,
        RunTag,
    )

    info = RunInfo(
        run_id=run.id,
        experiment_id="0",
        user_id=run.author.name,
        status=run.status.value.upper(),
        start_time=run.start_time,
        end_time=run.end_time,
        lifecycle_stage="active",
        artifact_uri=None,
        run_name=run.name,
    )
    data = RunData(
        metrics=[Metric(name, value.last, 0, 0) for name, value in run.metrics.items()],
        params=[Param(name, str(value)) for name, value in run.params.items()],
        tags=[RunTag(name, value) for name, value in run.tags.items()],
    )
    inputs = [
        DatasetInput(Dataset(each.name, each.digest, "local", "{}"), [InputTag("mlflow.data.context", each.role)])
        for each in run.inputs
    ]
    return Run(info, data, RunInputs(inputs))


NAMES = {
    "run_id": "id",
    "run_name": "name",
    "run name": "name",
    "Run name": "name",
    "created": "start_time",
    "Created": "start_time",
    "user_id": "author",
}
DATASETS = {"name": "name", "digest": "hash", "context": "role"}


def tree_of(clause: dict):
    """What one clause of MLflow's must be here."""
    kind, key, operator, value = clause["type"], clause["key"], clause["comparator"].upper(), clause["value"]
    if kind == "metric":
        field = Field("metrics", key, "last")
        value = float(value) if not value.lstrip("-").isdigit() else int(value)
    elif kind == "dataset":
        field = Field("inputs", "", DATASETS[key])
    elif kind == "attribute":
        field = Field("attributes", NAMES.get(key, key))
    else:
        field = Field({"parameter": "params", "tag": "tags"}[kind], key)
    if isinstance(value, str):
        value = value.replace("''", "'")  # the one difference: MLflow leaves doubled quotes doubled
        value = value.lower() if field.key in ("status", "id") else value
    if operator in ("IS NULL", "IS NOT NULL"):
        return IsNull(field) if operator == "IS NULL" else Not(IsNull(field))
    if operator in ("LIKE", "ILIKE"):
        return Like(field, value, operator == "ILIKE")
    if operator in ("IN", "NOT IN"):
        part = Within(field, tuple(map(Constant, value)))
        return part if operator == "IN" else Not(part)
    return Comparison(field, {"==": "=", "<>": "!="}.get(operator, operator), Constant(value))


def test_what_mlflow_parses_is_the_same_here():
    search = mlflow_search()
    for text in CORPUS:
        clauses = [tree_of(clause) for clause in search.parse_search_filter(text)]
        expected = clauses[0] if len(clauses) == 1 else AllOf(tuple(clauses))
        assert parse_query(text, now=0) == expected, text
    assert len(CORPUS) > 1000


def test_the_same_runs_are_found():
    search = mlflow_search()
    theirs = [as_mlflow(run) for run in RECORDS]
    found, different = 0, []
    for text in CORPUS:
        if "'it''s'" in text:
            continue  # a doubled quote is one here
        expected = [run.info.run_id for run in search.filter(theirs, text)]
        query = parse_query(text, now=0)
        answer = [run.id for run in RECORDS if evaluate(query, facts_of(run, now=0))]
        found += bool(answer)
        if answer != expected:
            different.append(text)
    assert different == []
    assert found > len(CORPUS) / 4  # or the comparison says little


def test_pairs_joined_by_and_are_found_too():
    search = mlflow_search()
    theirs = [as_mlflow(run) for run in RECORDS]
    sample = [text for text in CORPUS[::17] if text and "'it''s'" not in text]
    for pair in itertools.pairwise(sample):
        text = " AND ".join(pair)
        query = parse_query(text, now=0)
        answer = [run.id for run in RECORDS if evaluate(query, facts_of(run, now=0))]
        assert answer == [run.info.run_id for run in search.filter(theirs, text)], text


@pytest.mark.parametrize("text", REFUSED_HERE)
def test_the_few_oddities_of_mlflow_are_errors_here(text):
    from gittrack.errors import QuerySyntaxError

    assert mlflow_search().parse_search_filter(text) or True
    with pytest.raises(QuerySyntaxError):
        parse_query(text, now=0)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.acc DESC",
        "metric.`val acc` ASC",
        "params.lr",
        "tags.team desc",
        "start_time DESC",
        "attributes.end_time asc",
        "attribute.start_time",
    ],
)
def test_order_by_is_read_as_mlflow_reads_it(text):
    kind, name, ascending = mlflow_search().parse_order_by_for_search_runs(text)
    key = parse_sort_key(text)
    scope = {"metric": "metrics", "parameter": "params", "tag": "tags", "attribute": "attributes"}[kind]
    assert (key.field.scope, key.field.key, key.descending) == (scope, name, not ascending)
