"""Which runs answer a query: the rules of comparing, one by one."""

from __future__ import annotations

import datetime
import math

import pytest

from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.query.evaluate import RunFacts, evaluate, facts_of
from gittrack.core.query.fields import unknown_names
from gittrack.core.query.parser import parse_query
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

NOW = 1_793_534_400_000
NAN = math.nan


def summary(last: float, **parts) -> MetricSummary:
    given = {"min": last, "max": last, "mean": last, "count": 1, "first_step": 0, "last_step": 0}
    return MetricSummary(last, **{**given, **parts})


RUN = RunRecord(
    id=RunId("ab12" * 8),
    name="brisk-otter",
    experiment=ExperimentRef(ExperimentId("0f" * 16), "churn"),
    status=RunStatus.FINISHED,
    start_time=NOW - 3_600_000,
    end_time=NOW - 1_800_000,
    author=Person("Ada", "ada@example.org"),
    code=CodeState(ObjectId("c0ffee" + "0" * 34), ObjectId("beef" + "0" * 36), "main", dirty=True),
    host="gpu-1",
    exit_code=0,
    note="Ran out of Memory, tried again\nin Straße",
    params={
        "layers": 3,
        "big": 2**53 + 1,
        "lr": 0.1,
        "flag": True,
        "word": "true",
        "model": "rf",
        "digits": "007",
        "empty": "",
        "none": None,
        "sizes": [1, 2],
        "one": [3],
        "day": datetime.date(2026, 11, 1),
        "lost": NAN,
        "far": math.inf,
    },
    tags={"priority": "10", "team": "日本"},
    metrics={
        "acc": summary(0.9, min=0.1, max=0.95, mean=0.5, count=12, first_step=1, last_step=12),
        "loss": summary(NAN),
        "f1 macro": summary(0.5),
        "zero": summary(0.0),
        "high": summary(math.inf),
    },
    inputs=(
        Input("a", "train", "data/a.csv", "md5:12ab34cd", size=10, state="verified"),
        Input("b", "test", "s3://bucket/b.csv", "etag:xyz", size=30),
        Input("c", "test", "data/c.csv"),
    ),
    artifacts=(
        ArtifactEntry("model/weights.bin", 100, "md5:" + "1" * 32, "application/octet-stream"),
        ArtifactEntry("a.b", 5, "md5:" + "2" * 32, "text/plain"),
    ),
)
OTHER = facts_of(RunRecord(
    RunId("ff" * 16), "old", RUN.experiment, RunStatus.FAILED, 0, 1000, RUN.author, CodeState(None),
    metrics={"acc": summary(0.8)}, inputs=RUN.inputs[:1],
), now=NOW)  # fmt: skip
FACTS = facts_of(
    RUN,
    now=NOW,
    comments=("looks GOOD",),
    subjects={"champion": OTHER},
    code_changed=lambda path, since: (path, since) in {("src", ""), ("src", "v1")},
)


def answers(text: str, facts: RunFacts = FACTS) -> bool:
    return evaluate(parse_query(text, now=NOW, subjects=("champion", "nobody")), facts)


TRUE = """
params.layers = 3 | params.layers = 3.0 | params.layers = '3' | params.layers = '03' | params.layers > '2'
params.layers != 'x' | params.layers != true | params.layers between 3 and 4 | params.layers in (1, '3')
params.big = 9007199254740993 | params.big > 9007199254740992 | params.big != 9007199254740992.0
params.lr = 0.1 | params.lr = '1e-1' | params.lr like '0.%' | params.lr ~ '^0[.]1$'
params.flag = true | params.flag = 'True' | params.flag = 'true' | params.flag != false | params.flag != 1
params.flag != 'yes'
params.word = true | params.word = 'true' | params.word != 'True' | params.word != 1
params.model = 'rf' | params.model < 'rg' | params.model != 3 | params.model > 'RF' | params.model ilike 'RF'
params.model not like 'R%'
params.digits = 7 | params.digits = '007' | params.digits != '7' | params.digits >= 6.5 | params.digits * 2 = 14
params.empty = '' | params.empty is not null | params.none is null | params.gone is null
params.sizes = '[1, 2]' | params.sizes ~ '\\[1' | params.one != 3 | params.day = '2026-11-01'
params.day > '2026-10'
params.lost is nan | params.lost != 1 | params.lost = 'nan' | params.far > 1e308 | params.far = 'inf'
params.far = inf
tags.priority > 9 | tags.priority = 10 | tags.priority < '9' | tags.team ~ '^日' | tags.team > 'z'
metrics.acc > 0.8 | summary.acc.min = 0.1 | summary.acc.max > metrics.acc | summary.acc.count = 12
summary.acc.last_step = 12
metrics.loss is nan | metrics.loss != 1 | not metrics.loss < 1 | not metrics.loss >= 1 | metrics.loss is not null
metrics.`f1 macro` = 0.5 | metrics.high > 1e308 | metrics.high = inf | metrics.acc is not nan
metrics.acc not between 1 and 2
metrics.acc > metrics.`f1 macro` * 1.5 + 0.1 | metrics.acc / 2 < 0.5 | -metrics.acc < 0
metrics.acc + params.layers > 3.8
not metrics.acc / metrics.zero > 0 | not metrics.acc / metrics.zero <= 0 | not metrics.high - metrics.high != 1
metrics.acc >= champion.metrics.acc + 0.05 | champion.status = 'failed' | champion.id != id
champion.metrics.gone is null
nobody.metrics.acc is null | not nobody.metrics.acc > 0 | nobody.status is null
data.train.hash = champion.data.train.hash
id = 'ab12' | id = 'AB12ab' | id in ('ffff', 'ab12') | id != 'abcd' | run_id like 'ab12%' | commit = 'c0ffee'
head = 'beef' | commit != head
id != 'ab1' | id != '' | parent is null | experiment = 'churn' | experiment_id = '0f0f0f' | name = 'brisk-otter'
status = 'FINISHED' | status in ('failed', 'finished') | status like 'FIN%' | status != 'KILLED' | author = 'Ada'
user_id = 'Ada'
dirty | dirty = true | dirty != false | not deleted | lifecycle_stage = 'active' | branch = 'main' | host = 'gpu-1'
exit_code = 0 | exit_code < 1
error is null | entry is null | not error = '' | note ilike '%memory%' | kind = 'run'
start_time > -2h | start_time < -30m | start_time = '2026-11-01 11:00' | end_time = '2026-11-01T12:30:00+01:00'
duration = 30m | duration = 1800
duration between 29m and 31m | end_time - start_time = 30m | duration > champion.duration * 1000
start_time > champion.start_time + 1d
data.train.hash = 'md5:12ab34cd' | data.train.hash = '12ab34cd' | data.train.hash = 'md5:12ab'
data.train.hash = '12ab' | data.train.hash != '34cd'
data.train.state = 'verified' | data.test.size = 30 | data.test.hash = 'etag:xyz' | data.gone.hash is null
data.test.state is null
inputs.hash = '12ab' | inputs.path = 'data/c.csv' | inputs.uri like 's3:%' | not inputs.path like 's3:%'
inputs.role in ('x', 'test') | inputs.size > 25 | inputs.size < 15
inputs.size * 2 = 60 | dataset.name != 'a' | dataset.name = 'a' | dataset.digest = '12ab34cd'
artifacts.path = 'a.b' | has artifact 'a.b' | has artifact 'model' | has artifact 'model/weights.bin'
not has artifact 'mod' | not has artifact 'a' | not has artifact 'axb'
artifacts.size >= 100 | artifacts.type like 'text/%' | artifacts.hash = '1111'
code.changed('src') | code.changed('src/', 'v1') | not code.changed('src', 'v2') | not code.changed('other')
text('out of memory') | text('MEMORY ran') | text('good otter') | text('STRASSE') | not text('missing')
not text('out bad')
params.gone is null and (metrics.acc > 1 or not dirty or status = 'finished') | not (metrics.acc > 1 and dirty)
"""
FALSE = """
params.gone = 'x' | params.gone != 'x' | params.gone like '%' | params.gone not like 'x' | params.gone !~ 'x'
params.gone in ('x') | params.gone not in ('x')
params.gone between 1 and 2 | params.gone not between 1 and 2 | params.gone > 1 | params.gone = params.gone
params.none != 'x' | params.none = 'null'
metrics.gone != 1 | metrics.gone is nan | metrics.gone is not nan | metrics.gone + 1 != 1
metrics.gone > metrics.acc | metrics.loss + 1 != 1
metrics.loss = metrics.loss | metrics.loss between 0 and 1 | metrics.loss not between 0 and 1
params.lost = params.lost
params.model = 3 | params.model > 3 | params.model < 3 | params.layers > 'x' | params.layers = 'x'
params.layers = true | params.flag = 1 | params.flag = 'yes'
params.flag * 2 = 2 | params.model + 1 > 0 | params.one = 3 | params.word = 'True' | params.digits = '7'
id = 'ab1' | id = 'abcd' | id in ('abcd', '') | error = '' | error != 'x' | parent != 'x' | deleted
commit != 'c0ffee'
status != 'FINISHED' | status like 'fail%' | lifecycle_stage = 'deleted'
data.test.hash = '12ab' | data.train.state is null | inputs.size > 30 | data.gone.hash != 'abcd'
inputs.size not in (10, 30) | artifacts.size = 1
champion.metrics.acc > 0.8 | champion.deleted | nobody.deleted = false | nobody.metrics.acc is not null
text('otter missing') | code.changed('src', 'v2')
"""


def queries(listed: str) -> list[str]:
    return [text.strip() for line in listed.split("\n") for text in line.split(" | ") if text.strip()]


@pytest.mark.parametrize("text", queries(TRUE))
def test_what_the_run_answers(text):
    assert answers(text)
    assert not answers(f"not ({text})")


@pytest.mark.parametrize("text", queries(FALSE))
def test_what_the_run_does_not_answer(text):
    assert not answers(text)
    assert answers(f"not ({text})")


def test_every_run_answers_the_empty_query():
    assert answers("")
    assert evaluate(parse_query("", now=0), RunFacts())


def test_a_run_that_goes_on_has_lasted_until_now():
    import dataclasses

    running = dataclasses.replace(RUN, status=RunStatus.RUNNING, end_time=None)
    assert answers("duration = 1h and end_time is null and status = 'RUNNING'", facts_of(running, now=NOW))


def test_names_that_no_run_has_come_with_the_nearest():
    query = parse_query(
        "metrics.acu > 1 and params.mdel = 'x' and metrics.loss.min < 1 and tags.zzz = '1' and metrics.loss < 1"
        " and champion.metrics.x > 1",
        now=0,
        subjects=("champion",),
    )
    known = {"metrics": ["acc", "loss"], "params": ["model"], "tags": ["team"]}
    assert unknown_names(query, known) == [
        ("metrics.acu", "metrics.acc"),
        ("metrics.loss.min", "summary.loss.min"),
        ("params.mdel", "params.model"),
        ("tags.zzz", ""),
    ]
    assert unknown_names(query, {"params": ["mdel"]}) == []
    assert unknown_names(parse_query("summary.los.min < 1", now=0), known) == [("summary.los.min", "summary.loss.min")]
    assert unknown_names(parse_query("tags.mlflow.user = 'x'", now=0), known) == []
