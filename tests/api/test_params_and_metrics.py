"""Params typed and nested, metrics of any value and name, tags and notes: as given, as read, as git shows them."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import decimal
import enum
import math
import tomllib
from pathlib import PurePosixPath
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gittrack
from gittrack.api.kept import without_secret
from gittrack.errors import ParamConflictError

from .conftest import errors_of, paths_of


class Colour(enum.Enum):
    RED = "red"
    DEEP = 7


class Tensor:
    """A torch tensor, as far as logging can tell."""

    def __repr__(self) -> str:
        return "Tensor()"  # the same in every process

    def __init__(self, values, device="cuda:0"):
        self._values = np.asarray(values)
        self.device = device

    shape = property(lambda self: self._values.shape)
    dtype = property(lambda self: self._values.dtype)
    ndim = property(lambda self: self._values.ndim)

    def item(self):
        return self._values.item()

    def tolist(self):
        return self._values.tolist()

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self._values

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert a CUDA tensor to numpy")


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


@dataclasses.dataclass
class Settings:
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    name: str = "adam"


class Model(pydantic.BaseModel):
    depth: int = 3
    inner: dict[str, int] = {"width": 8}


def kept(params: object) -> dict[str, object]:
    with gittrack.start_run(strict=True) as run:
        run.log_params(params)
    return gittrack.get_run(run.id).params


UTC = datetime.UTC
VALUES = [
    (True, True),
    (3, 3),
    (0.1, 0.1),
    ("text", "text"),
    ("", ""),
    (None, None),
    ([1, "a", None, [2.5]], [1, "a", None, [2.5]]),
    ((1, 2), [1, 2]),
    ({}, {}),
    (math.inf, math.inf),
    (-math.inf, -math.inf),
    ("nan", "nan"),
    ("inf", "inf"),
    ("2024-01-01", "2024-01-01"),
    (datetime.date(2024, 2, 29), datetime.date(2024, 2, 29)),
    (datetime.datetime(2024, 1, 1, 12, tzinfo=UTC), datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)),
    (1 << 70, str(1 << 70)),
    (np.float32(0.5), 0.5),
    (np.int64(7), 7),
    (np.bool_(True), True),
    (np.array([1, 2]), [1, 2]),
    (Tensor(5), 5),
    (Tensor([1.5, 2.5]), [1.5, 2.5]),
    (pd.Timestamp("2024-01-01T00:00:00Z"), datetime.datetime(2024, 1, 1, tzinfo=UTC)),
    (PurePosixPath("a/b"), "a/b"),
    (Colour.RED, "red"),
    (Colour.DEEP, "DEEP"),
    (decimal.Decimal("0.5"), 0.5),
    (len, "len"),
    (int, "int"),
]


@pytest.mark.parametrize(("given", "read"), VALUES, ids=lambda value: repr(value)[:40])
def test_a_param_comes_back_with_its_value_and_type_from_get_run_and_from_runs(repo, given, read):
    with gittrack.start_run(strict=True) as run:
        assert run.log_param("p", given) is given
    for saved in (gittrack.get_run(run.id), *gittrack.runs()):
        assert saved.params == {"p": read}
        assert type(saved.params["p"]) is type(read)


def test_nan_is_a_param_too(repo):
    with gittrack.start_run(strict=True) as run:
        run.log_param("p", float("nan"))
        run.log_param("p", float("nan"))  # the same value: no conflict
    assert math.isnan(gittrack.get_run(run.id).params["p"])
    assert math.isnan(gittrack.runs()[0].params["p"])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"a": {"b": {"c": 1}}, "d": 2}, {"a.b.c": 1, "d": 2}),
        ({"a": 1, "a.b": 2}, {"a": 1, "a.b": 2}),
        ({"Lr": 1, "lr": 2}, {"Lr": 1, "lr": 2}),
        ({1: "int", None: "none"}, {"1": "int", "None": "none"}),
        (argparse.Namespace(lr=0.1, layers=[8, 16]), {"lr": 0.1, "layers": [8, 16]}),
        (SimpleNamespace(lr=0.1), {"lr": 0.1}),
        (Settings(), {"optimizer.lr": 0.1, "optimizer.betas": [0.9, 0.999], "name": "adam"}),
        ({"cfg": Settings()}, {"cfg.optimizer.lr": 0.1, "cfg.optimizer.betas": [0.9, 0.999], "cfg.name": "adam"}),
        (Model(), {"depth": 3, "inner.width": 8}),
        ({}, {}),
    ],
    ids=[
        "nested",
        "a beside a.b",
        "case",
        "numbers",
        "argparse",
        "namespace",
        "dataclass",
        "within",
        "pydantic",
        "none",
    ],
)
def test_params_of_every_shape_become_dotted_names(repo, params, expected):
    assert kept(params) == expected


NAMES = [
    "..",
    "/",
    "-x",
    "a\0b",
    "\u202eabc",
    "ключ",
    "a b",
    "a.b.c",
    ".",
    "a..b",
    'quote"',
    "back\\slash",
    "#",
    "=",
    "[t]",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_of_a_param_metric_tag_and_artifact_comes_back_as_it_was(repo, git, name):
    with gittrack.start_run() as run:
        run.log_param(name, 1)
        run.log_metric(name, 2)
        run.set_tag(name, "3")
        run.log_text("4", f"{name}.txt" if name != "/" else "x/y.txt")
    for saved in (gittrack.get_run(run.id), *gittrack.runs()):
        assert saved.params == {name: 1}
        assert saved.metrics == {name: 2.0}
        assert list(saved.history(name).values) == [2.0]
        assert saved.tags == {name: "3"}
        if saved.artifacts():
            assert [saved.artifact(path) for path in paths_of(saved)] == [b"4"]
    assert tomllib.loads(git("show", f"runs/inbox/{run.id}:params.toml", cwd=repo))
    git("fsck", "--strict", cwd=repo)


def test_names_that_differ_only_in_case_or_where_one_is_the_folder_of_another_are_kept_apart(repo, git):
    names = ["Loss", "loss", "LOSS", "loss/train", "loss/Train", "a", "a/b", "a/b/c", "a.csv", "a//b", "con", "."]
    with gittrack.start_run(strict=True) as run:
        for number, name in enumerate(names):
            run.log_metric(name, number)
            run.log_param(name, number)
            run.set_tag(name, number)
    saved = gittrack.get_run(run.id)
    assert saved.metrics == {name: float(number) for number, name in enumerate(names)}
    assert saved.params == {name: number for number, name in enumerate(names)}
    assert saved.tags == {name: str(number) for number, name in enumerate(names)}
    for number, name in enumerate(names):
        assert list(saved.history(name).values) == [number]
    paths = git("ls-tree", "-r", "--name-only", f"runs/inbox/{run.id}", cwd=repo).splitlines()
    assert len({path.casefold() for path in paths}) == len(paths)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip),
        st.one_of(
            st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_any_params_come_back(repo, params):
    # What is called like a secret is masked, whatever its value.
    plain = {name: value for name, value in params.items() if without_secret(name, value) == value}
    wanted = {name: value for name, value in plain.items() if not isinstance(value, str) or "://" not in value}
    with gittrack.start_run(strict=True) as run:
        for name, value in wanted.items():
            run.log_param(name, value)
    read = gittrack.get_run(run.id).params
    assert read == wanted
    assert {name: type(value) for name, value in read.items()} == {name: type(value) for name, value in wanted.items()}


def test_another_value_later_is_kept_with_a_line_and_the_same_value_in_silence(repo, capfd):
    with gittrack.start_run() as run:
        run.log_param("lr", 0.1)
        run.log_param("lr", 0.1)
        assert capfd.readouterr().err == ""
        run.log_param("lr", 0.2)
        run.log_param("lr", 0.3)
    saved = gittrack.get_run(run.id)
    assert saved.params == {"lr": 0.3}
    assert errors_of(saved) == [
        "log_param: param 'lr' was 0.1, is now 0.2",
        "log_param: param 'lr' was 0.2, is now 0.3",
    ]
    assert capfd.readouterr().err.count("is now") == 2  # they differ


@pytest.mark.parametrize("how", ["argument", "environment", "git config"])
def test_another_value_later_is_an_error_when_strict(repo, git, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("GITTRACK_STRICT", "1")
    if how == "git config":
        git("config", "gittrack.strict", "true", cwd=repo)
    with gittrack.start_run(strict=True if how == "argument" else None) as run:
        run.log_param("lr", 0.1)
        with pytest.raises(ParamConflictError, match=r"param 'lr' was 0\.1, is now 1"):
            run.log_param("lr", 1)
    assert gittrack.get_run(run.id).params == {"lr": 0.1}


# -- metrics ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1, 1.0),
        (True, 1.0),
        (0.1, 0.1),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (-0.0, -0.0),
        (5e-324, 5e-324),
        (1.7976931348623157e308, 1.7976931348623157e308),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.int8(5), 5.0),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (Tensor(2.5), 2.5),
        (decimal.Decimal("0.1"), 0.1),
        (10**300, 1e300),
    ],
    ids=repr,
)
def test_a_metric_takes_any_number(repo, given, read):
    with gittrack.start_run(strict=True) as run:
        run.log_metric("m", given)
    for saved in (gittrack.get_run(run.id), *gittrack.runs()):
        assert math.copysign(1, saved.metrics["m"]) == math.copysign(1, read)
        assert saved.metrics["m"] == read


def test_nan_and_infinities_are_points_like_others(repo, git):
    values = [1.0, math.nan, math.inf, -math.inf, 2.0, math.nan]
    with gittrack.start_run(strict=True) as run:
        for value in values:
            run.log_metric("loss", value)
    saved = gittrack.get_run(run.id)
    assert list(map(repr, saved.history("loss").values)) == list(map(repr, values))
    assert math.isnan(saved.metrics["loss"])
    csv = git("show", f"runs/inbox/{run.id}:metrics/loss.csv", cwd=repo).splitlines()
    assert [line.split(",")[2] for line in csv[1:]] == ["1", "nan", "inf", "-inf", "2", "nan"] or [
        line.split(",")[2] for line in csv[1:]
    ] == ["1.0", "nan", "inf", "-inf", "2.0", "nan"]


def test_steps_may_repeat_and_go_back_and_are_counted_on_when_left_out(repo):
    with gittrack.start_run(strict=True) as run:
        run.log_metric("loss", 1)
        run.log_metric("loss", 2)
        run.log_metric("loss", 3, step=10)
        run.log_metric("loss", 4)
        run.log_metric("loss", 5, step=3)
        run.log_metric("loss", 6, step=3)
        run.log_metric("loss", 7)
        run.log_metric("loss", 8, step=-5)
        run.log_metric("loss", 9)
    saved = gittrack.get_run(run.id)
    assert list(saved.history("loss").steps) == [0, 1, 10, 11, 3, 3, 4, -5, -4]
    assert list(saved.history("loss").values) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert saved.metrics == {"loss": 4.0}  # the value at the highest step, as in MLflow


@pytest.mark.parametrize(
    "step", [0, -(1 << 63), (1 << 63) - 1, np.int32(5), np.float32(5), 5.0, True, Tensor(5)], ids=repr
)
def test_a_step_is_any_whole_number_of_64_bits(repo, step):
    if isinstance(step, Tensor):
        step.__class__.__index__ = lambda self: int(self.item())
    with gittrack.start_run(strict=True) as run:
        run.log_metric("loss", 1, step=step)
    assert list(gittrack.get_run(run.id).history("loss").steps) == [int(step) if not isinstance(step, Tensor) else 5]


def test_a_step_that_is_refused_does_not_disturb_the_counting(repo):
    with gittrack.start_run() as run:
        run.log_metric("loss", 1, step=7)
        run.log_metric("loss", 1, step=1 << 63)
        run.log_metric("loss", 1, step=0.5)
        run.log_metric("loss", "bad")
        run.log_metric("loss", 2)
    assert list(gittrack.get_run(run.id).history("loss").steps) == [7, 8]


@pytest.mark.parametrize(
    ("timestamp", "read"),
    [
        (1_700_000_000_123, 1_700_000_000_123),
        (1_700_000_000_123.7, 1_700_000_000_124),
        (datetime.datetime(2024, 1, 1, tzinfo=UTC), 1_704_067_200_000),
        (0, 0),
        (-1, -1),
        (1 << 62, 1 << 62),
    ],
    ids=repr,
)
def test_a_timestamp_is_milliseconds_or_a_moment(repo, timestamp, read):
    with gittrack.start_run(strict=True) as run:
        run.log_metric("loss", 1, timestamp=timestamp)
        run.log_metrics({"acc": 1}, timestamp=timestamp)
    saved = gittrack.get_run(run.id)
    assert list(saved.history("loss").timestamps) == list(saved.history("acc").timestamps) == [read]


def test_log_metrics_gives_all_one_step_and_one_time(repo):
    with gittrack.start_run(strict=True) as run:
        run.log_metrics({"a": 1, "b": 2}, step=5)
    saved = gittrack.get_run(run.id)
    assert saved.history("a").timestamps == saved.history("b").timestamps
    assert list(saved.history("a").steps) == list(saved.history("b").steps) == [5]


def test_log_metrics_keeps_what_it_can(repo):
    with gittrack.start_run() as run:
        run.log_metrics({"a": 1, "b": "bad", "c": 3})
    assert gittrack.get_run(run.id).metrics == {"a": 1.0, "c": 3.0}


# -- tags and notes --------------------------------------------------------------------------------------------------


def test_tags_become_strings_and_can_be_removed(repo):
    with gittrack.start_run(tags={"one": 1, "none": None, "list": [1]}) as run:
        run.set_tags({"two": 2.5, "gone": "x"})
        run.set_tag("one", "changed")
        run.delete_tag("gone")
        run.delete_tag("never there")
        assert run.tags == {"one": "changed", "none": "None", "list": "[1]", "two": "2.5"}
    saved = gittrack.get_run(run.id)
    assert saved.tags == {"one": "changed", "none": "None", "list": "[1]", "two": "2.5"}
    assert errors_of(saved) == []


def test_the_last_note_and_name_count(repo, git):
    with gittrack.start_run("first", description="draft") as run:
        run.set_note("line one\n\nline two — ü")
        run.rename("second")
    saved = gittrack.get_run("second")
    assert (saved.id, saved.note) == (run.id, "line one\n\nline two — ü")
    assert git("log", "-1", "--format=%s", f"runs/inbox/{run.id}", cwd=repo).startswith("second (Default)")


# -- the same names as MLflow ----------------------------------------------------------------------------------------


def test_log_param_returns_the_value_as_in_mlflow(repo):
    with gittrack.start_run():
        assert gittrack.log_param("lr", 0.1) == 0.1
        assert gittrack.log_params({"a": 1}) is None
        assert gittrack.log_metric("m", 1) is None
        assert gittrack.set_tag("t", 1) is None


def test_a_script_written_for_mlflow_runs_with_another_import(repo):
    mlflow = gittrack
    (repo / "out").mkdir()
    (repo / "out" / "model.txt").write_text("weights")
    mlflow.set_experiment("ported")
    with mlflow.start_run(description="from mlflow", nested=True, tags={"team": "a"}) as run:
        mlflow.log_params({"lr": 0.1, "batch": 32})
        for epoch in range(3):
            mlflow.log_metric("loss", 1 / (epoch + 1), step=epoch)
            mlflow.log_metrics({"acc": epoch / 3, "f1": epoch / 4}, step=epoch)
        mlflow.set_tag("stage", "dev")
        mlflow.set_tags({"a": 1})
        mlflow.delete_tag("a")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1]}, "config.yaml")
        mlflow.log_artifact("out/model.txt", artifact_path="model")
        mlflow.log_artifacts("out", artifact_path="all")
        mlflow.log_table({"a": [1, 2]}, artifact_file="table.json")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
        assert mlflow.active_run() is run
    mlflow.end_run()
    saved = mlflow.get_run(run.id)
    assert saved.experiment == "ported"
    assert saved.metrics == {"loss": 1 / 3, "acc": 2 / 3, "f1": 0.5}
    assert paths_of(saved) == (
        *("all/model.txt", "black.png", "config.yaml", "model/model.txt", "notes/hello.txt", "table.json"),
    )
