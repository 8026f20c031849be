"""Real DVC reads a run commit as one of its own revisions: params, metrics, plots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gittrack.core.assembly import code_operation
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.records import CodeState
from gittrack.core.refs import inbox_ref
from gittrack.git.repository import Repository
from gittrack.store.publish import write_run
from tests.format.written_journals import Point, journal

LONG = "/".join("ü" * 50 for _ in range(9))
"""A metric whose file's path is longer than a plain key of YAML may be."""


def put_run(repo: Repository, id: RunId, code: ObjectId, lr: float, losses: list[float]) -> ObjectId:
    begin = {
        "op": "start",
        "t": 1_760_000_000_000,
        "id": id,
        "name": "n",
        "experiment": {"id": "0", "name": "Default"},
        "author": {"name": "Ann", "email": "ann@example.com"},
        "code": code_operation(replace(CodeState(code), head=code)),
    }
    params = {"lr": lr, "model.depth": 6, "model.depth.of": 1, "odd name": "x", "nothing": None, "bad": float("nan")}
    operations = [{"op": "param", "t": 1, "name": name, "value": value} for name, value in params.items()]
    points: list[Point] = [("train/loss", step, 1_760_000_000_000 + step, loss) for step, loss in enumerate(losses)]
    points += [("Größe «2»", 0, 1, lr), ("best", 0, 2, float("inf")), (LONG, 0, 3, lr)]
    end = {"op": "end", "t": 1_760_000_001_000, "status": "finished"}
    commit, _ = write_run(repo, [journal(begin, *operations, end, points=points)])
    repo.refs.create(inbox_ref(id), commit)
    return commit


def dvc(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "CI": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def two_runs(repo: Path, tmp_path: Path, git) -> tuple[Path, ObjectId, ObjectId]:  # type: ignore[no-untyped-def]
    """A clone that fetched two runs, and their commits; DVC is set up on its branch, as on a project's."""
    dvc("init", "--quiet", cwd=repo)
    git("commit", "--quiet", "--message=dvc init", cwd=repo)
    gittrack = Repository.discover(repo)
    code = gittrack.head().commit
    assert code is not None
    one = put_run(gittrack, RunId("a1" * 16), code, 0.1, [0.9, 0.5])
    two = put_run(gittrack, RunId("b2" * 16), code, 0.2, [0.8, 0.25, float("nan"), 0.125])
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(repo), str(clone))
    git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*", cwd=clone)
    return clone, one, two


@pytest.mark.slow
def test_dvc_compares_two_runs_in_a_clone(two_runs: tuple[Path, ObjectId, ObjectId], tmp_path: Path) -> None:
    clone, one, two = two_runs

    params = json.loads(dvc("params", "diff", "--json", one, two, cwd=clone))
    assert params["params.toml"]["lr"] == {"old": 0.1, "new": 0.2, "diff": 0.1}
    assert "model.depth" not in params["params.toml"]

    everything = json.loads(dvc("params", "diff", "--json", "--all", one, two, cwd=clone))["params.toml"]
    assert everything["odd name"]["new"] == "x"

    metrics = json.loads(dvc("metrics", "diff", "--json", one, two, cwd=clone))["summary.toml"]
    assert metrics["train/loss.last"] == {"old": 0.5, "new": 0.125, "diff": -0.375}
    assert metrics["Größe «2».last"]["new"] == 0.2

    page = tmp_path / "plots"
    dvc("plots", "diff", "--out", str(page), one, two, cwd=clone)
    html = (page / "index.html").read_text(encoding="utf-8")
    assert "metrics/train/loss.csv" in html
    assert "0.125" in html

    shown = json.loads(dvc("plots", "diff", "--json", one, two, cwd=clone))
    names = "\n".join(shown.get("data", shown))
    assert "train/loss.csv" in names
    assert names.count("%C3%BC") > 100  # the long name
