"""Comparing runs of a real repository: which are chosen, what is read of them, what is said of what cannot be."""

from __future__ import annotations

import datetime
import math

import pytest

import gittrack
from gittrack.api.compare import Absence, ChosenRuns, Comparing, choose_runs, compare_runs
from gittrack.api.directions import directions_of
from gittrack.api.project import Project
from gittrack.core.directions import Direction, Directions
from gittrack.errors import (
    AmbiguousError,
    ExperimentNotFoundError,
    NotFoundError,
    QuerySyntaxError,
    RunNotFoundError,
    UsageError,
)


def make(name: str, *, metrics=None, experiment="churn", **options) -> str:
    with gittrack.start_run(name=name, experiment=experiment, strict=True, **options) as run:
        for key, value in (metrics or {}).items():
            run.log_metric(key, value)
    return run.id


@pytest.fixture
def project(repo) -> Project:
    return Project.open(repo)


@pytest.fixture
def two(repo) -> tuple[str, str]:
    one = make("first", params={"lr": 0.1, "same": 1}, metrics={"loss": 1.0, "acc": 0.5}, tags={"stage": "dev"})
    other = make("second", params={"lr": 0.01, "same": 1}, metrics={"loss": 0.5, "acc": 0.4}, tags={"stage": "prod"})
    return one, other


def test_runs_are_compared_by_address_in_the_order_given(two):
    found = gittrack.compare(["second", two[0][:8]])
    assert [run.name for run in found.runs] == ["second", "first"]
    assert found.row("params", "lr").values == (0.01, 0.1)
    assert not found.row("params", "same").differs
    assert found.row("tags", "stage").values == ("prod", "dev")
    assert found.row("metrics", "loss").values == (0.5, 1.0)
    assert found.row("attributes", "experiment").values == ("churn", "churn")


def test_runs_that_were_read_are_compared_too(two):
    listed = gittrack.compare(gittrack.runs("churn"))
    whole = gittrack.compare([gittrack.get_run(two[1]), gittrack.get_run(two[0])])
    assert listed.rows == whole.rows
    assert len(listed.section("environment")) > 5


def test_the_baseline_is_the_first_run_and_there_once(two):
    for runs in (["first", "second"], ["second"]):
        found = gittrack.compare(runs, baseline="first")
        assert [run.name for run in found.runs] == ["first", "second"]
        assert found.has_baseline
        verdicts = {row.name: row.deltas[1].verdict for row in found.section("metrics")}
        assert verdicts == {"loss": "better", "acc": "worse"}


def test_a_run_named_twice_is_compared_once(two):
    assert len(gittrack.compare(["first", two[0], "@latest"]).runs) == 2


def test_full_ids_are_found_without_listing_everything(two, project):
    chosen = choose_runs(project, [two[1], two[0]])
    assert [run.id for run in chosen.runs] == [two[1], two[0]]


def test_an_address_of_no_run_or_of_two_is_an_error(two, project):
    make("first")
    with pytest.raises(RunNotFoundError):
        gittrack.compare(["nothing"])
    with pytest.raises(AmbiguousError):
        gittrack.compare(["first"])
    with pytest.raises(ExperimentNotFoundError):
        choose_runs(project, experiment="nothing")
    with pytest.raises(UsageError, match="list"):
        gittrack.compare("first")


def test_sections_that_are_not_asked_for_are_not_there(two):
    found = gittrack.compare(["first", "second"], sections=["metrics", "params"])
    assert {row.section for row in found.rows} == {"params", "metrics"}
    assert found.sections == ("params", "metrics")
    for wrong in ({"sections": ["param"]}, {"value": "median"}, {"normalize": "log"}, {"score": {"loss": -1}}):
        with pytest.raises(UsageError):
            gittrack.compare(["first"], **wrong)


def test_params_keep_their_types(repo):
    moment = datetime.datetime(2026, 11, 21, 9, 0, tzinfo=datetime.UTC)
    values = [1, "1", 1.0, True, None, math.nan, "nan", [1, "a"], moment, moment.isoformat(), "größe\x1b[31m", 2**70]
    for place, value in enumerate(values):
        make(f"run-{place}", params={"p": value})
    found = gittrack.compare(reversed(gittrack.runs()), sections=["params"], group_by="p").row("params", "p")
    assert [type(value) for value in found.values[:5]] == [int, str, float, bool, type(None)]
    assert math.isnan(found.values[5])
    assert found.values[6:9] == ("nan", [1, "a"], moment)
    assert found.values[9] == moment.isoformat()


def test_a_number_of_each_metrics_summary(repo):
    with gittrack.start_run(name="a", strict=True) as run:
        for value in (3.0, 1.0, 2.0):
            run.log_metric("loss", value)
            run.log_metric("acc", value)
            run.log_metric("thing", value)
    said = {"last": (2, 2, 2), "min": (1, 1, 1), "max": (3, 3, 3), "mean": (2, 2, 2), "best": (3, 1, 2)}
    for value, expected in said.items():
        found = gittrack.compare(["a"], value=value, sections=["metrics"])
        assert tuple(found.row("metrics", name).values[0] for name in ("acc", "loss", "thing")) == expected
    assert gittrack.compare(["a"], value="best", maximize=["thing"]).row("metrics", "thing").values == (3.0,)


def test_the_settings_say_which_way_a_metric_gets_better(repo, two):
    (repo / ".gittrack.toml").write_text('[metrics]\nmaximize = ["loss"]\nminimize = "ac*"\n')
    project = Project.open(repo)
    assert project.faults == ()
    assert directions_of(project) == Directions(("loss",), ("ac*",))
    found = gittrack.compare(["second"], baseline="first")
    assert {row.name: row.deltas[1].verdict for row in found.section("metrics")} == {"loss": "worse", "acc": "better"}
    turned = gittrack.compare(["second"], baseline="first", minimize=["loss"])
    assert turned.row("metrics", "loss").direction is Direction.DOWN


@pytest.mark.parametrize(
    "text",
    [
        "metrics = 1",
        "[metrics]\nmaximise = []",
        "[metrics]\nmaximize = [1]",
        "[metrics]\nminimize = {}",
        '[metrics]\nmaximize = ["a"]\nminimize = ["a"]',
    ],
)
def test_directions_that_are_none_are_an_error_that_says_where(repo, two, text):
    (repo / ".gittrack.toml").write_text(text)
    with pytest.raises(UsageError, match=r"\.gittrack\.toml") as error:
        gittrack.compare(["first"])
    assert error.value.hint


def test_a_file_of_settings_that_is_damaged_stops_nothing(repo, two):
    (repo / ".gittrack.toml").write_text("[[[")
    assert len(gittrack.compare(["first", "second"]).runs) == 2


def test_the_code_and_whether_it_was_changed(repo, git, project):
    make("clean")
    (repo / "file.py").write_text("x = 1\n")
    git("add", "file.py", cwd=repo)
    make("dirty")
    found = gittrack.compare(["clean", "dirty"], sections=["code"])
    assert found.row("code", "dirty").values == (False, True)
    assert found.row("code", "commit").differs
    assert not found.row("code", "head").differs


def test_inputs_are_compared_by_digest_state_and_place(repo):
    for number, text in enumerate(("a,b\n", "a,c\n")):
        (repo / "train.csv").write_text(text)
        with gittrack.start_run(name=f"run-{number}", strict=True) as run:
            run.log_input("train.csv", role="train")
    found = gittrack.compare(["run-0", "run-1"], sections=["inputs"])
    named = {row.name.rpartition(" ")[2]: row for row in found.rows}
    assert named["digest"].differs
    assert all(value.startswith("md5:") for value in named["digest"].values)
    assert not named["uri"].differs


def test_a_live_run_is_compared_by_what_is_known(repo, two):
    with gittrack.start_run(name="live", experiment="churn", params={"lr": 1}, strict=True) as run:
        run.log_metric("loss", 9.0)
        found = gittrack.compare(["first", "live"])
    assert found.row("params", "lr").values == (0.1, 1)
    assert found.row("metrics", "loss").values == (1.0, 9.0)
    python = found.row("environment", "python.version")
    assert python.values[1] is Absence.UNKNOWN
    assert not python.differs
    assert "is not known before it ends" in found.problems[0]


def test_one_damaged_run_hides_no_other(repo, two, project):
    good, bad = gittrack.get_run(two[0]), gittrack.get_run(two[1])
    tree = project.repo.objects.read_commit(bad.commit).tree
    path = repo / ".git" / "objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    fresh = Project.open(repo)
    chosen = choose_runs(fresh, experiment="churn")
    found = compare_runs(fresh, chosen, Comparing())
    assert {run.name for run in found.runs} == {"first", "second"}
    assert found.row("params", "lr").differs
    place = [run.id for run in found.runs].index(bad.id)
    assert found.row("environment", "python.version").values[place] is Absence.UNKNOWN
    assert not found.row("environment", "python.version").differs
    assert len([problem for problem in found.problems if bad.id[:8] in problem]) == 2
    assert good.id in {run.id for run in found.runs}


def test_grouped_over_seeds(repo):
    for model, base in (("rf", 0.9), ("mlp", 0.8)):
        for seed in range(3):
            make(f"{model}-{seed}", params={"model": model, "seed": seed}, metrics={"acc": base + seed / 100})
    found = gittrack.compare(gittrack.runs(), sections=["metrics"], group_by="model", baseline="mlp-0")
    assert [group.key for group in found.groups] == [("mlp",), ("rf",)]
    rf = found.groups[1]
    assert (rf.statistics["acc"].n, rf.statistics["acc"].mean) == (3, pytest.approx(0.91))
    assert rf.deltas["acc"].verdict == "better"
    by_author = gittrack.compare(gittrack.runs(), sections=["metrics"], group_by=["attributes.author", "status"])
    assert [group.key for group in by_author.groups] == [("Test User", "finished")]


def test_no_runs_are_a_comparison_too(project):
    found = compare_runs(project, ChosenRuns(()), Comparing(weights={"loss": 1.0}, group_by=("params.a",)))
    assert (found.runs, found.rows, found.groups) == ((), (), ())


def test_a_frame_of_real_runs(two):
    pytest.importorskip("pandas")
    frame = gittrack.compare(["first", "second"], score="acc").to_frame(differing=True)
    assert frame["params.lr"].tolist() == [0.1, 0.01]
    assert frame["score"].tolist() == [1.0, 0.0]
    assert "params.same" not in frame.columns


def test_groups_have_the_keys_of_the_query_language(repo, two):
    import subprocess

    subprocess.run(["git", "checkout", "-qb", "side"], check=True, cwd=repo)
    (repo / "train.csv").write_text("a\n1\n")
    with gittrack.start_run(name="first", experiment="churn", strict=True, params={"lr": 2}) as run:
        run.log_metric("loss", 3.0)
        run.log_input("train.csv", role="train")
    runs = gittrack.runs("churn")

    def keys(*by: str) -> list[object]:
        found = gittrack.compare(runs, group_by=by)
        assert sorted(place for group in found.groups for place in group.runs) == [0, 1, 2]
        return [group.key[0] if len(by) == 1 else group.key for group in found.groups]

    assert keys("name") == keys("attributes.name") == keys("run.name") == ["first", "second"]
    assert "side" in keys("attributes.branch")
    assert keys("branch") == keys("code.branch")
    (digest, nothing) = keys("data.train.hash")
    assert digest.startswith(("sha256:", "md5:"))
    assert nothing is Absence.MISSING
    assert keys("inputs.path") == ["train.csv", Absence.MISSING]
    assert keys("summary.loss.min") == [0.5, 1.0, 3.0]
    assert keys("lr") == [0.01, 0.1, 2]
    assert gittrack.compare(runs, group_by="name").group_by == ("attributes.name",)
    with pytest.raises(QuerySyntaxError, match="hsh"):
        gittrack.compare(runs, group_by="data.train.hsh")
    with pytest.raises(NotFoundError, match=r"data\.test\.hash"):
        gittrack.compare(runs, group_by="data.test.hash")
    with pytest.raises(NotFoundError):
        gittrack.compare(runs, group_by="attributes.nme")


def test_groups_by_parent_know_its_name(repo):
    with gittrack.start_run(name="sweep", strict=True) as parent:
        for number in range(2):
            with gittrack.start_run(name=f"child-{number}", nested=True, strict=True) as child:
                child.log_metric("loss", number)
    found = gittrack.compare(["child-0", "child-1"], group_by="parent")
    assert [(group.key, group.labels) for group in found.groups] == [((parent.id,), ("sweep",))]


def test_a_live_run_has_lasted_until_now(repo):
    with gittrack.start_run(name="live", strict=True):
        found = gittrack.compare(["live"], sections=["attributes"])
        assert found.row("attributes", "duration_ms").values[0] >= 0


def test_no_runs_are_an_error_as_in_metrics(two):
    for ask in (lambda: gittrack.compare([]), lambda: gittrack.metrics([], "loss")):
        with pytest.raises(NotFoundError, match="no runs are given"):
            ask()
    assert len(gittrack.compare([], baseline="first").runs) == 1


def test_directions_that_are_none_are_refused(two):
    for wrong in ({"maximize": ["los"]}, {"minimize": "x/*"}):
        with pytest.raises(NotFoundError):
            gittrack.compare(["first"], sections=["params"], **wrong)
    with pytest.raises(UsageError):
        gittrack.compare(["first"], maximize="loss", minimize="metrics.loss")
    found = gittrack.compare(["first"], maximize="metrics.loss")
    assert found.row("metrics", "loss").direction is Direction.UP
