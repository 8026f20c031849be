"""The message of a run commit says what the tree says, and git's own tools can read it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import example, given

from gittrack.core.events import is_event_message
from gittrack.core.message import MAX_JSON, decode_message, encode_message, listed_form
from gittrack.core.records import ExperimentRef, RunRecord, RunStatus
from gittrack.core.run_tree import RunBody, decode_tree, encode_tree, with_summaries
from gittrack.core.series import Series
from gittrack.errors import CorruptRecordError, FormatError
from tests.core.test_run_tree import SMALL, reader
from tests.format.run_strategies import WHOLE_RUNS, bodies, comparable


def message_of(body: RunBody) -> str:
    return encode_message(body.record, body.series)


@WHOLE_RUNS
@given(bodies())
@example(RunBody(replace(SMALL, params={"n": 2**70, "list": [2**64, {"k": -(2**65)}]})))
def test_the_message_lists_what_the_tree_tells(body: RunBody) -> None:
    listed = decode_message(message_of(body))
    assert listed is not None
    assert comparable(listed.record) == comparable(listed_form(decode_tree(reader(encode_tree(body)))))
    assert listed.trends.keys() == body.record.metrics.keys()


@WHOLE_RUNS
@given(bodies())
def test_the_blocks_are_three_and_hold_nothing_that_git_or_a_terminal_minds(body: RunBody) -> None:
    subject, document, trailers = message_of(body).split("\n\n")
    assert subject.isprintable()
    assert 0 < len(subject) <= 100
    assert "\n" not in document
    assert "\0" not in document
    assert trailers.startswith(f"Run-Id: {body.record.id}\nExperiment: ")
    assert all(": " in line for line in trailers.removesuffix("\n").split("\n"))
    assert not is_event_message(message_of(body))
    json.loads(document, parse_constant=pytest.fail)  # NaN and Infinity are no JSON


@WHOLE_RUNS
@given(bodies())
def test_the_same_body_gives_the_same_message(body: RunBody) -> None:
    record = body.record
    turned = replace(
        record,
        params=dict(reversed(record.params.items())),
        tags=dict(reversed(record.tags.items())),
        metrics=dict(reversed(record.metrics.items())),
    )
    assert encode_message(turned, body.series) == message_of(body)


def with_metrics(**values: float) -> RunBody:
    series = {}
    for name, value in values.items():
        series[name] = Series()
        series[name].steps.append(1)
        series[name].timestamps.append(5)
        series[name].values.append(value)
    return with_summaries(RunBody(SMALL, series=series))


def test_the_subject_names_the_run_its_experiment_and_the_first_metrics() -> None:
    body = with_metrics(loss=0.123456, acc=1.0)
    assert message_of(body).split("\n")[0] == "brisk-otter-417 (Default): acc 1, loss 0.1235"
    failed = replace(body, record=replace(body.record, status=RunStatus.FAILED))
    assert message_of(failed).split("\n")[0] == "brisk-otter-417 (Default) failed: acc 1, loss 0.1235"


def test_a_metric_with_nul_or_an_escape_sequence_in_its_name_cannot_break_the_commit() -> None:
    body = with_metrics(**{"a\0b\x1b[2J": 1.0})
    assert "\0" not in message_of(body)
    assert "\x1b" not in message_of(body)
    listed = decode_message(message_of(body))
    assert listed is not None
    assert list(listed.record.metrics) == ["a\0b\x1b[2J"]


def test_an_experiment_with_a_line_feed_in_its_name_cannot_forge_a_trailer() -> None:
    record = replace(SMALL, experiment=ExperimentRef(SMALL.experiment.id, "x\n\nEvent-Id: 1"))
    assert not is_event_message(encode_message(record, {}))


def test_nan_and_infinities_are_texts_and_come_back_as_numbers() -> None:
    listed = decode_message(message_of(with_metrics(nan=math.nan, up=math.inf, down=-math.inf)))
    assert listed is not None
    assert math.isnan(listed.record.metrics["nan"].last)
    assert listed.record.metrics["up"].last == math.inf
    assert list(listed.trends["down"]) == [-math.inf]


def test_json_beyond_its_limit_is_left_out_and_the_trailers_stay() -> None:
    message = encode_message(replace(SMALL, params={"long": "x" * MAX_JSON}), {})
    assert message.count("\n\n") == 1
    assert decode_message(message) is None
    assert f"Run-Id: {SMALL.id}" in message


def test_json_of_a_newer_schema_is_left_to_the_tree() -> None:
    assert decode_message(message_of(RunBody(SMALL)).replace('{"schema":1', '{"schema":2')) is None


@pytest.mark.parametrize("message", ["", "hello", "a\n\nb\n\nc", 'a\n\n{"schema":2}\n\nb'])
def test_a_message_without_such_json_lists_nothing(message: str) -> None:
    assert decode_message(message) is None


ENDLESS = '{"last":1,"min":1,"max":1,"mean":1,"count":1e999,"first_step":0,"last_step":0}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"params":{}', '"params":5'),
        ('"params":{}', '"params":[]'),
        ('"tags":{}', '"tags":7'),
        ('"summary":{}', '"summary":{"x":{"last":1}}'),
        ('"summary":{}', '"summary":{"x":' + ENDLESS + "}"),
        ('"summary":{}', '"summary":{"x":3}'),
        ('"summary":{}', '"summary":{"x":' + ENDLESS.replace("1e999", "true") + "}"),
        ('"params":{}', '"params":{"x":' + "[" * 64 + "]" * 64 + "}"),
        ('"params":{}', '"params":{"x":' + '{"a":' * 700 + "1" + "}" * 700 + "}"),
        ('"params":{}', '"params":{"x":1' + "0" * 4250 + "}"),
        ('"params":{}', '"params":{"x":NaN}'),
        ('"params":{}', '"params":{"x":"\\ud800"}'),
        ('"params":{}', '"params":{"x":"' + "x" * MAX_JSON + '"}'),
        ('"tags":{}', '"tags":{"x":1}'),
        ('"dirty":false', '"dirty":0'),
        ('"dirty":false', '"dirty":false,"host":7'),
        ('"start_time":', '"start_time":9999999'),
        ('"start_time":', '"start_time":-0.5,"was":'),
        ('"schema":1', '"schema":"1"'),
        ('"dirty":false', '"dirty":false,"exit_code":"x"'),
        ('"dirty":false', '"dirty":false,"branch":["x"]'),
        ('"dirty":false', '"dirty":false,"commit":"../x"'),
        ('"status":"finished"', '"status":"Splendid!"'),
        ('"summary":{}}', '"summary":{}'),
        ('"summary":{}', '"summary":' + "[" * 5000),
    ],
)  # fmt: skip
def test_damaged_json_is_one_error(before: str, after: str) -> None:
    message = message_of(RunBody(SMALL))
    assert before in message
    with pytest.raises(CorruptRecordError):
        decode_message(message.replace(before, after))


@WHOLE_RUNS
@given(bodies())
def test_a_message_cut_anywhere_raises_nothing_but_a_format_error(body: RunBody) -> None:
    message = message_of(body)
    for end in range(0, len(message), max(1, len(message) // 40)):
        try:
            listed = decode_message(message[:end])
        except FormatError:
            continue
        assert listed is None or isinstance(listed.record, RunRecord)
