"""What differs between two runs: values, metrics, inputs, artifacts, environments."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core import toml
from gittrack.core.records import ArtifactEntry, Input, MetricSummary
from gittrack.core.run_diff import (
    MetricDifference,
    artifact_differences,
    environment_facts,
    input_differences,
    metric_differences,
    package_versions,
    same_value,
    value_differences,
)
from gittrack.errors import FormatError

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, math.nan, math.inf]) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
TABLES = st.dictionaries(st.sampled_from("abcd"), VALUES)


def summary(last: float) -> MetricSummary:
    return MetricSummary(last, last, last, last, 1, 0, 0)


def data(name="d", role="train", digest="md5:1", **others) -> Input:
    return Input(name, role, others.pop("uri", "data.csv"), digest, **others)


@given(TABLES)
def test_a_table_does_not_differ_from_itself(table):
    assert value_differences(table, dict(table)) == ()


@given(TABLES, TABLES)
def test_what_differs_rebuilds_one_side_from_the_other(before, after):
    built = dict(before)
    for item in value_differences(before, after):
        if item.kind == "removed":
            assert same_value(built.pop(item.name), item.before)
        else:
            assert (item.kind == "added") == (item.name not in built)
            built[item.name] = item.after
    assert same_value(built, after)


@given(TABLES, TABLES)
def test_the_other_way_round_everything_is_reversed(before, after):
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    there, back = value_differences(before, after), value_differences(after, before)
    assert [(item.name, turned[item.kind]) for item in there] == [(item.name, item.kind) for item in back]


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        (1, 1.0, ("int", "float")),
        (1, True, ("int", "bool")),
        (1, "1", ("int", "str")),
        (None, 1, ("None", "int")),
        (1, 2, None),
    ],
)
def test_another_type_is_a_difference_and_is_told(before, after, types):
    (item,) = value_differences({"a": before}, {"a": after})
    assert (item.kind, item.types) == ("changed", types)


def test_a_param_that_is_none_is_told_from_one_that_is_not_there():
    (item,) = value_differences({"a": None}, {})
    assert (item.kind, item.types) == ("removed", None)


def test_nan_does_not_differ_from_nan_and_system_metrics_do_not_count():
    before = {"a": summary(math.nan), "b": summary(1.0), "system/cpu": summary(1)}
    after = {"a": summary(math.nan), "b": summary(1.5), "system/cpu": summary(2)}
    assert metric_differences(before, after) == (MetricDifference("b", "changed", 1.0, 1.5),)


@pytest.mark.parametrize(
    ("before", "after", "delta"),
    [(1.0, 1.5, 0.5), (1.0, math.nan, None), (math.inf, 1.0, None), (-1e308, 1.7e308, None)],
)
def test_a_delta_is_a_number_or_nothing(before, after, delta):
    (item,) = metric_differences({"a": summary(before)}, {"a": summary(after)})
    assert item.delta == delta


def test_inputs_are_told_apart_by_name_and_role():
    found = input_differences([data(role="train"), data(role="test")], [data(role="test", digest="md5:2")])
    assert [(item.name, item.role, item.kind, item.fields) for item in found] == [
        ("d", "test", "changed", ("digest",)),
        ("d", "train", "removed", ()),
    ]


def test_the_state_of_an_input_differs_though_its_digest_does_not():
    (item,) = input_differences([data(state="verified")], [data(state="modified")])
    assert item.fields == ("state",)


def test_of_several_inputs_of_one_name_the_same_bytes_belong_together():
    before = [data(digest="md5:1"), data(digest="md5:2"), data(digest="md5:3")]
    after = [data(digest="md5:3"), data(digest="md5:1"), data(digest="md5:4"), data(digest="md5:5")]
    found = input_differences(before, after)
    assert [(item.kind, item.before and item.before.digest, item.after and item.after.digest) for item in found] == [
        ("changed", "md5:2", "md5:4"),
        ("added", None, "md5:5"),
    ]


INPUTS = st.lists(st.builds(data, st.sampled_from("ab"), digest=st.sampled_from(["", "md5:1", "md5:2"])), max_size=6)


@given(INPUTS, st.randoms())
def test_inputs_in_another_order_do_not_differ(inputs, random):
    shuffled = list(inputs)
    random.shuffle(shuffled)
    assert input_differences(inputs, shuffled) == ()


def test_an_artifact_differs_by_its_bytes_not_by_where_they_are():
    one = ArtifactEntry("a", 3, "md5:1", "text/plain", "inline")
    same = ArtifactEntry("a", 3, "md5:1", "text/plain", "pointer")
    assert artifact_differences([one], [same]) == ()
    (item,) = artifact_differences([one], [ArtifactEntry("a", 3, "md5:2", "text/plain")])
    assert (item.path, item.kind) == ("a", "changed")


def test_references_without_a_digest_differ_by_address_and_size():
    def reference(uri: str, size: int | None = None) -> ArtifactEntry:
        return ArtifactEntry("a", size, "", "", "reference", uri=uri)

    assert artifact_differences([reference("s3://a/b")], [reference("s3://a/b")]) == ()
    assert artifact_differences([reference("s3://a/b")], [reference("s3://a/c")])
    assert artifact_differences([reference("s3://a/b", 1)], [reference("s3://a/b", 2)])


def test_packages_are_read_with_version_and_origin():
    files = {
        "packages.txt": b"# incomplete: \xff\nnumpy==2.1.0\nbare\nours==1.0 # editable .\n\n",
        "conda.txt": b"openssl=3.0=h1\n",
    }
    assert package_versions(files) == {
        "numpy": "2.1.0",
        "bare": "",
        "ours": "1.0 (editable .)",
        "conda/openssl": "3.0 h1",
    }


@given(st.binary())
def test_any_bytes_can_be_a_list_of_packages(content):
    assert all(package_versions({"packages.txt": content, "conda.txt": content}))


def test_the_environment_is_told_in_dotted_names_without_what_differs_each_time():
    files = {
        "environment.toml": toml.dump(
            {
                "python": {"version": "3.12.1", "executable": "python3"},
                "variables": {"OMP_NUM_THREADS": "4", "SLURM_JOB_ID": "77"},
                "ci": {"job": "12"},
            }
        ),
        "hardware.toml": toml.dump({"gpus": [{"name": "A100"}], "cpu": {"model": "x"}, "memory": {"bytes": 5}}),
        "locks.toml": toml.dump({"locks": [{"path": "uv.lock", "sha256": "ab"}]}),
    }
    assert environment_facts(files) == {
        "python.version": "3.12.1",
        "variables.OMP_NUM_THREADS": "4",
        "gpu.0.name": "A100",
        "cpu.model": "x",
        "memory.bytes": "5",
        "lock.uv.lock": "sha256:ab",
    }


@pytest.mark.parametrize("text", [b'python = "x"\n[[platform]]\n', b"gpus = 3\nlocks = 4\n"])
def test_an_environment_of_another_shape_tells_nothing(text):
    assert environment_facts({"environment.toml": text, "hardware.toml": text, "locks.toml": text}) == {}


def test_a_damaged_environment_is_an_error():
    with pytest.raises(FormatError, match=r"environment/hardware\.toml"):
        environment_facts({"hardware.toml": b"= ="})
