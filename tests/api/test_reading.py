"""Reading: frozen records of finished, live, renamed, deleted and crashed runs."""

from __future__ import annotations

import dataclasses
import re
import sys

import pandas as pd
import pytest

import gittrack
from gittrack.api.experiments import rename_experiment
from gittrack.api.project import Project
from gittrack.errors import (
    AmbiguousError,
    ArtifactNotFoundError,
    ExperimentNotFoundError,
    InvalidNameError,
    NotARepositoryError,
    NotFoundError,
    RunNotFoundError,
)

from .conftest import paths_of


@pytest.fixture
def saved(repo) -> gittrack.SavedRun:
    with gittrack.start_run("it", "a/b", {"lr": 0.1, "layers": [1, 2]}, {"t": "x"}, "note") as run:
        for step in range(5):
            run.log_metric("loss", 1 / (step + 1), step=step * 10, timestamp=1_700_000_000_000 + step)
        run.log_text("small", "dir/small.txt")
        run.log_text("x" * 70_000, "large.txt")
        run.log_input("train.py", role="code")
        run.seed(3)
    return gittrack.get_run("it")


def test_what_is_read_cannot_be_changed(saved):
    for name in ("name", "status", "record", "commit", "params", "anything"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(saved, name, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        saved.record.name = "x"
    saved.params["lr"] = 5
    saved.tags.clear()
    saved.metrics.clear()
    assert (saved.params["lr"], saved.tags, len(saved.metrics)) == (0.1, {"t": "x"}, 1)
    assert not any(hasattr(saved, name) for name in ("log_metric", "log_param", "set_tag", "end"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        saved.record.code.commit = None


def test_history_and_frame_hold_every_point_in_logged_order(saved):
    series = saved.history("loss")
    assert list(series.steps) == [0, 10, 20, 30, 40]
    assert list(series.values) == [1 / (step + 1) for step in range(5)]
    frame = saved.frame("loss")
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["step", "timestamp", "value"]
    assert frame["step"].tolist() == [0, 10, 20, 30, 40]
    assert frame["timestamp"].tolist() == [1_700_000_000_000 + step for step in range(5)]
    assert str(frame.dtypes["value"]) == "float64"


def test_a_metric_or_artifact_that_is_not_there_is_an_error_with_a_hint(saved):
    with pytest.raises(NotFoundError, match="run 'it' has no metric 'los'") as caught:
        saved.history("los")
    assert caught.value.hint
    for path in ("small.txt", "../a", "", "dir"):
        with pytest.raises(ArtifactNotFoundError):
            saved.artifact(path)


def test_artifacts_inline_and_in_the_store_are_read_alike(saved):
    for run in (saved, *gittrack.runs()):
        assert paths_of(run) == ("dir/small.txt", "large.txt")
        assert run.artifact("dir/small.txt") == b"small"
        assert run.artifact("large.txt") == b"x" * 70_000
    storage = {entry.path: entry.storage for entry in saved.record.artifacts}
    assert storage == {"dir/small.txt": "inline", "large.txt": "pointer"}


def test_files_of_the_run_are_read_by_their_path(saved):
    assert b'name = "it"' in saved.file("run.toml")
    assert saved.file("params.toml") == b"layers = [\n    1,\n    2,\n]\nlr = 0.1\n"
    assert saved.file("environment/packages.txt")
    assert saved.file("nothing.txt") is None


def test_a_list_of_runs_and_one_run_say_the_same(saved):
    (listed,) = gittrack.runs()
    for name in ("id", "name", "status", "params", "metrics", "tags", "note", "commit", "code", "experiment", "parent"):
        assert getattr(listed, name) == getattr(saved, name), name
    assert listed.history("loss") == saved.history("loss")


def test_everything_a_reader_needs_is_there_without_being_asked_for(saved, repo, git):
    record = saved.record
    head = git("rev-parse", "HEAD", cwd=repo).strip()
    assert (record.code.commit, record.code.head, record.code.branch, record.code.dirty) == (head, head, "main", False)
    assert (record.author.name, record.author.email) == ("Test User", "test@example.com")
    assert record.host
    assert record.command[0].endswith("python") or "python" in record.command[0]
    assert record.entry
    assert record.seeds["python"] == 3
    assert [item.name for item in record.inputs] == ["train.py"]
    assert record.start_time <= record.end_time
    assert (
        f'version = "{sys.version_info.major}.{sys.version_info.minor}'
        in saved.file("environment/environment.toml").decode()
    )
    assert b"pygit2" in saved.file("environment/packages.txt")
    assert saved.file("environment/hardware.toml")


def test_runs_are_listed_newest_first_and_by_experiment(repo):
    for name, experiment in (("one", "a"), ("two", "b"), ("three", "a")):
        with gittrack.start_run(name, experiment):
            pass
    assert [run.name for run in gittrack.runs()] == ["three", "two", "one"]
    assert [run.name for run in gittrack.runs("a")] == ["three", "one"]
    assert [run.name for run in gittrack.runs(experiment="b")] == ["two"]
    with pytest.raises(ExperimentNotFoundError):
        gittrack.runs("c")


def test_a_renamed_experiment_keeps_its_runs_and_new_runs_find_it_by_its_new_name(repo):
    with gittrack.start_run("before", "old"):
        pass
    rename_experiment(Project.open(repo), "old", "new")
    with gittrack.start_run("after", "new"):
        pass
    with gittrack.start_run("other", "old"):
        pass
    assert [run.name for run in gittrack.runs("new")] == ["after", "before"]
    assert [run.name for run in gittrack.runs("old")] == ["other"]
    assert {run.name: run.experiment for run in gittrack.runs()} == {"before": "new", "after": "new", "other": "old"}
    assert gittrack.get_run("before").experiment == "new"


def test_a_live_run_is_read_while_it_goes_on(repo):
    with gittrack.start_run("live", params={"lr": 0.1}) as run:
        run.log_metric("loss", 2)
        live = gittrack.get_run(run.id)
        assert (live.status, live.commit, live.metrics, live.params) == ("running", None, {"loss": 2.0}, {"lr": 0.1})
        assert list(live.history("loss").values) == [2.0]
        assert [each.status for each in gittrack.runs()] == ["running"]
        run.log_metric("loss", 1)
        assert live.metrics == {"loss": 2.0}
        with pytest.raises(NotFoundError):
            live.artifact("a")
        assert live.file("run.toml") is None
    assert gittrack.get_run("live").status == "finished"


def test_addresses_find_the_run_they_mean(repo, git):
    made = []
    for _ in range(3):
        with gittrack.start_run("same") as run:
            made.append(run)
    with gittrack.start_run("unique") as run:
        made.append(run)
    commit = gittrack.get_run(made[0].id).commit
    assert gittrack.get_run(made[0].id[:12]).id == made[0].id
    assert gittrack.get_run(made[0].id.upper()).id == made[0].id
    assert gittrack.get_run("unique").id == gittrack.get_run("@latest").id == made[3].id
    assert gittrack.get_run("@-2").id == made[2].id
    assert gittrack.get_run(commit).id == gittrack.get_run(f"runs/inbox/{made[0].id}").id == made[0].id
    with pytest.raises(AmbiguousError) as caught:
        gittrack.get_run("same")
    assert set(caught.value.matches) == {run.id for run in made[:3]}
    for address in ("nothing", "@-9", "HEAD", "f" * 32, "--all", "-x", ".."):
        with pytest.raises(RunNotFoundError):
            gittrack.get_run(address)
    for address in ("", "@nonsense", "x" * 2000):
        with pytest.raises(InvalidNameError):
            gittrack.get_run(address)


def test_a_run_named_like_another_runs_prefix_is_not_taken_for_it(repo):
    with gittrack.start_run() as first:
        pass
    with gittrack.start_run(first.id[:8]) as second:
        pass
    with pytest.raises(AmbiguousError):
        gittrack.get_run(first.id[:8])
    assert gittrack.get_run(second.id).name == first.id[:8]
    assert gittrack.get_run(first.id).id == first.id


def test_reading_outside_a_repository_is_an_error(tmp_path):
    for read in (gittrack.runs, lambda: gittrack.get_run("@latest")):
        with pytest.raises(NotARepositoryError):
            read()


def test_a_damaged_run_hides_no_other(repo, git):
    with gittrack.start_run("good"):
        pass
    tree = git("mktree", cwd=repo, stdin="").strip()
    bad = git("commit-tree", "-m", "no run", tree, cwd=repo).strip()
    git("update-ref", "refs/runs/inbox/" + "0" * 32, bad, cwd=repo)
    assert [run.name for run in gittrack.runs()] == ["good"]
    assert gittrack.get_run("good").status == "finished"


EVIL = "<script>alert(1)</script>&\"'\u202e"


def test_notebooks_show_runs_without_being_injected(repo):
    with gittrack.start_run(EVIL, EVIL, {EVIL: EVIL}) as run:
        run.log_metric(EVIL, 1)
        shown = [run._repr_html_()]
    saved = gittrack.get_run(run.id)
    shown += [saved._repr_html_(), run._repr_html_()]
    for html in shown:
        assert "<script" not in html
        assert "\u202e" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
        tags = re.findall(r"</?([a-z]+)[^>]*>", html)
        assert set(tags) <= {"b", "code", "table", "tr", "td", "th"}
        assert all(tags.count(tag) % 2 == 0 for tag in set(tags))


def test_reprs_say_what_it_is_on_one_line(repo):
    with gittrack.start_run("a\u202eb") as run:
        assert repr(run) == f"Run(id='{run.id}', name='a\\\\u202eb', status='running')"
    assert "\n" not in repr(gittrack.get_run(run.id))


def test_when_it_ran_who_ran_it_and_what_it_read_are_there_from_a_list_too(repo):
    (repo / "train.csv").write_text("a\n1\n", encoding="utf-8")
    with gittrack.start_run(name="one") as run:
        run.log_input("train.csv", role="train")
        live = gittrack.get_run(run.id)
        assert live.end_time is None
        assert live.duration >= 0
    whole = gittrack.get_run("one")
    (listed,) = gittrack.search_runs(output_format="list")
    for saved in (whole, listed):
        assert saved.start_time == whole.record.start_time > 1_600_000_000_000
        assert saved.end_time == whole.record.end_time
        assert saved.duration == saved.end_time - saved.start_time
        assert saved.author == whole.record.author.name != ""
        assert [(data.role, data.uri) for data in saved.inputs()] == [("train", "train.csv")]
