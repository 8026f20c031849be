"""``models.toml``: records become bytes and records again; what a stranger wrote is refused, or read as it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.assembly import assemble
from gittrack.core.dvc_yaml import dvc_files
from gittrack.core.ids import ModelId, model_id_from, parse_model_id
from gittrack.core.journal import JournalContents, decode_journal, operation_frame
from gittrack.core.models_toml import (
    change_model,
    check_model_name,
    checked_signature,
    decode_models,
    dvc_name,
    encode_models,
    model_from_table,
    model_table,
)
from gittrack.core.records import ArtifactEntry, LoggedModel
from gittrack.core.run_tree import decode_tree, encode_tree
from gittrack.errors import CorruptRecordError, InvalidNameError, InvalidValueError
from tests.format.run_strategies import INT64, PATHS, TEXTS, TIMES

START = {
    "op": "start",
    "t": 1_000,
    "id": "0" * 32,
    "name": "first",
    "experiment": {"id": "0", "name": "Default"},
    "author": {"name": "A", "email": "a@example.com"},
    "code": {"commit": None, "left_out": [], "submodules": []},
}


def is_model_name(text: str) -> bool:
    try:
        return check_model_name(text) == text
    except InvalidNameError:
        return False


WORDS = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
MODEL_NAMES = st.sampled_from(["model", "churn-2", "a b", "é", "x--", "m@v3", "-", "\\"]) | TEXTS.filter(is_model_name)
VALUES = st.recursive(
    st.booleans() | INT64 | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), min_size=1, max_size=2)
SIGNATURES = st.dictionaries(st.sampled_from(["inputs", "outputs", "params"]), ROWS, max_size=3)
MODELS = st.builds(
    LoggedModel,
    id=st.integers(0, 2**128 - 1).map(lambda number: ModelId(f"m-{number:032x}")),
    name=MODEL_NAMES,
    flavour=WORDS,
    packaging=st.sampled_from(["", "mlflow", "gittrack"]),
    status=WORDS,
    artifact=st.just("") | PATHS,
    digest=st.just("") | st.integers(0, 2**128 - 1).map(lambda number: f"md5:{number:032x}.dir"),
    created=TIMES,
    step=st.none() | INT64,
    signature=SIGNATURES,
    register_as=TEXTS,
    params=st.dictionaries(TEXTS, TEXTS, max_size=2),
    tags=st.dictionaries(TEXTS, TEXTS, max_size=2),
)
SETS = st.lists(MODELS, max_size=3, unique_by=lambda model: model.id).map(tuple)


def in_order(models):
    return tuple(sorted(models, key=lambda model: (model.name, model.created, model.id)))


def frames(*operations):
    return decode_journal(b"".join(map(operation_frame, operations)))


@given(SETS)
def test_models_become_bytes_and_the_same_models_again(models):
    assert decode_models(encode_models(models)) == in_order(models)
    assert encode_models(models) == encode_models(models[::-1])


@given(SETS)
def test_a_journal_tells_the_same_models(models):
    operations = [{"op": "model", "t": 5, "model": model_table(model)} for model in models]
    body = assemble([frames(START, *operations)])
    assert in_order(body.record.models) == in_order(models)
    files = encode_tree(body)
    assert ("models.toml" in files) == bool(models)
    assert decode_tree(files.get).models == in_order(models)


def test_a_model_is_named_first_and_changed_later_field_by_field():
    id = "m-" + "1" * 32
    first = {"op": "model", "t": 7, "model": {"id": id, "name": "churn", "flavour": "sklearn", "status": "pending"}}
    second = {"op": "model", "t": 9, "model": {"id": id, "status": "ready", "tags": {"a": "1", "b": "2"}}}
    third = {"op": "model", "t": 9, "model": {"id": id, "tags": {"a": None, "c": "3"}, "of_a_later_version": 1}}
    (model,) = assemble([frames(START, first, second, third)]).record.models
    assert (model.status, model.created, model.name) == ("ready", 7, "churn")
    assert model.tags == {"b": "2", "c": "3"}


def test_a_model_whose_first_record_was_lost_is_left_out_and_the_run_stays_readable():
    change = {"op": "model", "t": 9, "model": {"id": "m-" + "1" * 32, "status": "ready"}}
    files = encode_tree(assemble([frames(START, change)]))
    assert "models.toml" not in files
    assert decode_tree(files.get).models == ()


def test_dvc_is_told_where_the_last_model_of_each_name_lies():
    entries = tuple(
        ArtifactEntry(path, 1, f"md5:{number:032x}.dir", "inode/directory", "pointer", 1)
        for number, path in enumerate(["models/churn", "models/churn.2"])
    )
    models = (
        LoggedModel(ModelId("m-" + "1" * 32), "churn", "sklearn", artifact="models/churn", created=1),
        LoggedModel(ModelId("m-" + "2" * 32), "churn", "sklearn", artifact="models/churn.2", created=2),
        LoggedModel(ModelId("m-" + "3" * 32), "été", "sklearn", artifact="models/gone", created=2),
    )
    body = assemble([frames(START)])
    body = replace(body, record=replace(body.record, artifacts=entries, models=models))
    text = encode_tree(body)["dvc.yaml"].decode()
    assert text.endswith('artifacts:\n  "churn":\n    path: "artifacts/models/churn.2"\n    type: model\n')
    assert dvc_files([], {})["dvc.yaml"] == dvc_files([], {}, {})["dvc.yaml"]


@given(MODEL_NAMES | st.text("aé-_", min_size=1, max_size=120))
def test_a_name_for_dvc_follows_its_grammar_and_keeps_what_it_can(name):
    import re

    encoded = dvc_name(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]", encoded)
    assert len(encoded) <= 100
    assert encoded == name or encoded.startswith("x--")


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a.b", "a%b", 'a"b', "a'b", "a\nb", "x" * 251, "\ud800", 3])
def test_a_name_that_an_address_would_misread_is_refused(name):
    with pytest.raises(InvalidNameError):
        check_model_name(name)


def test_an_id_is_m_and_32_hex_digits():
    assert parse_model_id(model_id_from(b"\x01" * 16)) == "m-" + "01" * 16
    for text in ("m-", "m-" + "0" * 31, "M-" + "0" * 32, "0" * 32, "m-" + "0" * 32 + "\n"):
        with pytest.raises(InvalidNameError):
            parse_model_id(text)


GOOD = encode_models(
    (
        LoggedModel(
            ModelId("m-" + "1" * 32),
            "churn",
            "sklearn",
            "mlflow",
            artifact="models/churn",
            digest=f"md5:{0:032x}.dir",
            signature={"inputs": [{"type": "double"}]},
            tags={"a": "b"},
        ),
    )
).decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"models/churn"', '"../churn"'),
        ('"models/churn"', '"/etc/passwd"'),
        ('"models/churn"', '"models//churn"'),
        ('"models/churn"', "3"),
        (".dir", ""),  # a digest of a file is one too, but see below
        (f"md5:{0:032x}", "../../x"),
        ("m-1", "m-x"),
        ('"churn"', '"a/b"'),
        ('"churn"', '["churn"]'),
        ('"sklearn"', '"sk learn"'),
        ('"ready"', '"../ready"'),
        ('"ready"', "true"),
        ("created = 1970", "created = 1970 # "),
        ('a = "b"', "a = 1"),
        ("[[model]]", "[model]"),
        ('flavour = "sklearn"\n', ""),
        ("[[model]]", '[[model]]\nid = "m-' + "1" * 32 + '"\n'),
    ],
)
def test_a_damaged_file_is_refused_or_reads_as_what_it_says(old, new):
    assert old in GOOD
    changed = GOOD.replace(old, new, 1).encode()
    if (old, new) == (".dir", ""):
        assert decode_models(changed)[0].digest == f"md5:{0:032x}"
        return
    with pytest.raises(CorruptRecordError, match=r"models\.toml is damaged"):
        decode_models(changed)


def test_an_id_that_comes_twice_is_refused():
    with pytest.raises(CorruptRecordError, match="twice"):
        decode_models((GOOD + GOOD).encode())


def test_unknown_keys_and_parts_of_later_versions_are_passed_over():
    text = GOOD.replace("[[model]]\n", "[[model]]\nof_later = 1\n").replace("inputs =", "extra = [1]\ninputs =")
    assert decode_models(text.encode()) == decode_models(GOOD.encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused_with_our_own_error(data):
    try:
        decode_models(data)
    except CorruptRecordError:
        pass


def test_a_signature_loses_its_nulls_and_refuses_what_no_schema_holds():
    assert checked_signature({"inputs": [{"name": None, "type": "double"}], "outputs": None, "params": []}) == {
        "inputs": [{"type": "double"}]
    }
    deep: object = 1
    for _ in range(60):
        deep = [deep]
    for wrong in ({"other": []}, {"inputs": ["a"]}, {"inputs": [{"a": object()}]}, {"inputs": [{"a": deep}]}):
        with pytest.raises(InvalidValueError):
            checked_signature(wrong)
    huge = checked_signature({"params": [{"default": 2**80, "text": "\ud800"}]})
    assert decode_models(encode_models((LoggedModel(ModelId("m-" + "1" * 32), "a", "b", signature=huge),)))


def test_changing_a_table_leaves_what_is_not_named():
    table = model_table(LoggedModel(ModelId("m-" + "1" * 32), "a", "b", params={"x": "1"}))
    change_model(table, {"id": table["id"], "params": {"y": "2"}})
    assert model_from_table(table).params == {"x": "1", "y": "2"}


def test_a_journal_without_models_has_none():
    assert assemble([JournalContents(operations=[START])]).record.models == ()
