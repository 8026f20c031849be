"""``gittrack gc`` where a rule may not mean what it says, or a run was continued: the doubtful stays, and is said."""

from __future__ import annotations

import json
import math
import os
import time

import pytest

import gittrack
from gittrack.api.added_artifacts import add_artifact
from gittrack.api.annotate import delete_run
from gittrack.api.gc import plan_gc
from gittrack.api.project import Project
from gittrack.api.retention import Retention
from gittrack.artifacts.taking import md5_of
from gittrack.cli.main import main
from gittrack.core.retention import parse_rule

from .conftest import SIZE, bytes_of, stored_files


@pytest.fixture
def cli(capfd):
    def call(*words):
        capfd.readouterr()
        code = main(words)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def digest(name: str) -> str:
    return md5_of(bytes_of(name))


def test_a_typed_rule_by_a_metric_that_no_run_has_is_refused_with_the_nearest(repo, logged, aged, store, cli):
    logged("one", {"a.bin": "one"}, metrics={"val_loss": 1.0})
    aged()
    code, _, err = cli("gc", "--keep", "best:5 by lowest val_losss", "--yes")
    assert code == 2
    assert "no run has the metric 'val_losss'" in err
    assert "hint: gittrack gc --keep 'best:5 by lowest val_loss'" in err
    assert len(stored_files(store)) == 1
    assert cli("gc", "--keep", "best:0 by lowest val_loss", "--dry-run")[0] == 0


def test_runs_that_all_diverged_keep_everything_and_that_is_said(repo, logged, aged, cli):
    for number in range(2):
        logged(f"run{number}", {"a.bin": f"{number}"}, metrics={"val_loss": math.nan})
    aged()
    code, out, err = cli("gc", "--keep", "best:1 by val_loss", "--dry-run", "--json")
    assert (code, json.loads(out)["given_up"]) == (0, [])
    assert "none of its runs has a value of 'val_loss'" in err


def test_an_experiment_none_of_whose_runs_has_the_metric_keeps_everything_and_that_is_said(repo, logged, aged, cli):
    for number in range(3):
        logged(f"a{number}", {"a.bin": f"a{number}"}, metrics={"val_loss": number}, experiment="churn")
        logged(f"b{number}", {"a.bin": f"b{number}"}, metrics={"acc": number}, experiment="other")
    aged()
    (repo / ".gittrack.toml").write_text('[keep]\n"*" = ["best:1 by val_loss"]\n')
    for words in (("--rules",), ("--keep", "best:1 by val_loss")):
        code, out, err = cli("gc", *words, "--dry-run", "--json")
        assert (code, sorted(item["name"] for item in json.loads(out)["given_up"])) == (0, ["a1", "a2"])
        assert "experiment 'other' keeps everything: none of its runs has a value of 'val_loss'" in err
    (repo / ".gittrack.toml").write_text('[keep]\n"*" = ["best:1 by lowest losss"]\n')
    code, out, err = cli("gc", "--rules", "--dry-run", "--json")
    assert (code, json.loads(out)["given_up"], err.count("keeps everything")) == (0, [], 2)


def test_rules_for_an_experiment_that_is_none_are_said_and_the_one_that_may_be_meant_keeps_all(repo, logged, aged, cli):
    logged("one", {"a.bin": "one"}, experiment="churn")
    logged("two", {"a.bin": "two"}, experiment="other")
    aged()
    (repo / ".gittrack.toml").write_text('[keep]\n"*" = ["none"]\nchurnn = ["all"]\n')
    _, out, err = cli("gc", "--rules", "--dry-run", "--json")
    assert [item["name"] for item in json.loads(out)["given_up"]] == ["two"]
    assert "there are keep rules for 'churnn', and no such experiment; 'churn', which may be meant, keeps" in err


def test_what_may_be_lost_for_good_is_said_without_a_question_too(repo, logged, aged, cli):
    logged("one", {"a.bin": "one"})
    aged()
    code, _, err = cli("gc", "--keep", "none", "--yes")
    assert code == 0
    assert "what is on no remote is lost for good: gittrack artifact push" in err


# -- runs that were continued -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["resumed", "added"])
def test_a_run_that_was_continued_gives_up_its_bytes_as_any_other(repo, logged, aged, how):
    id = logged("one", {"ckpt/step-1.pt": "1", "ckpt/step-2.pt": "2"})
    if how == "resumed":
        with gittrack.start_run(run_id=id, strict=True) as run:
            run.log_text(bytes_of("3"), "ckpt/step-3.pt")
    else:
        (repo.parent / "step-3.pt").write_bytes(bytes_of("3"))
        add_artifact(Project.open(), id, str(repo.parent / "step-3.pt"), "ckpt/step-3.pt")
    aged()
    assert plan_gc(Project.open()).garbage == ()
    plan = plan_gc(Project.open(), Retention(checkpoints=1))
    assert {found.digest for found in plan.garbage} == {digest("1"), digest("2")}
    assert len(plan_gc(Project.open(), Retention(rules={"*": [parse_rule("none")]})).garbage) == 3
    delete_run(Project.open(), id)
    assert plan_gc(Project.open()).garbage == ()
    assert len(plan_gc(Project.open(), Retention(deleted=True)).garbage) == 3


def test_a_run_that_is_being_continued_gives_up_nothing(repo, logged, aged):
    id = logged("one", {"a.bin": "one"})
    with gittrack.start_run(run_id=id, strict=True):
        aged()
        assert plan_gc(Project.open(), Retention(rules={"*": [parse_rule("none")]}, deleted=True)).garbage == ()


# -- what is said, and what is swept along ----------------------------------------------------------------------------


def test_what_the_rule_for_checkpoints_does_not_consider_is_said(repo, logged, aged, cli):
    steps = {f"step-{step}.pt": str(step) for step in range(3)}
    logged("one", {"all": steps, "weights.09.h5": "9", "weights.10.h5": "10", "step-1.pt": "one", "step-2.pt": "two"})
    aged()
    code, out, err = cli("gc", "--checkpoints", "last:1", "--dry-run", "--json")
    assert (code, [item["paths"] for item in json.loads(out)["given_up"]]) == (0, [["step-1.pt"]])
    assert "not considered: checkpoints in the folder 'all' of 'one', which is one artifact and stays whole" in err
    assert "not considered: 2 files like 'weights.#.h5', whose numbers are not named as steps" in err


def test_on_a_narrow_screen_what_goes_and_why_are_not_cut(repo, logged, aged, monkeypatch, cli):
    from gittrack.cli import session
    from gittrack.cli.terminal import Terminal

    logged("one", {f"checkpoints/of-this-run/step-{step}.pt": str(step) for step in range(5)})
    aged()
    monkeypatch.setattr(session.Session, "stdout", Terminal(width=80, height=50, pager="cat"), raising=False)
    out = cli("gc", "--checkpoints", "last:1", "--dry-run")[1]
    wanted = ", ".join(f"checkpoints/of-this-run/step-{step}.pt" for step in range(4))
    assert [line.strip() for line in out.splitlines()[2:]] == [f"gives up {wanted}", "checkpoints before the last 1"]


def test_data_whose_listing_is_nowhere_is_not_said_to_be_missing(repo, logged, aged, cli):
    made = logged("made", {})
    with gittrack.start_run(run_id=made, strict=True) as run:
        run.log_text("a", "conf/a.txt")
        run.log_text("b", "conf/b.txt")
    with gittrack.start_run(strict=True) as run:
        run.use_artifact(f"{made}:conf")
    aged()
    assert plan_gc(Project.open()).missing == ()
    assert "not here" not in cli("gc")[2]


def test_half_copied_files_of_killed_processes_go_when_they_are_old(repo, logged, store, cli):
    logged("one", {"a.bin": "one"})
    for name, age in (("old", 2 * 86_400), ("new", 10)):
        path = store.root / "tmp" / name
        path.write_bytes(bytes(SIZE))
        os.utime(path, (time.time() - age,) * 2)
    code, out, err = cli("gc", "--dry-run", "--json")
    assert json.loads(out)["scratch"] == {"files": 1, "bytes": SIZE}
    assert "would go: 1 half-copied file, 100 kB" in err
    code, _, err = cli("gc", "--yes")
    assert (code, "removed 1 file, 100 kB" in err) == (0, True)
    assert [path.name for path in (store.root / "tmp").iterdir()] == ["new"]
