"""Real DVC gets the artifacts of runs, in projects of every shape, from here and elsewhere, and ``dvc gc`` may run.

What DVC cannot do is tested too: ``docs/how-to/dvc.md`` says so, and a newer DVC that can is worth a line there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gittrack
from gittrack.api.maintain import doctor, fsck, roll_up_now
from gittrack.api.project import Project

from .dvc_world import (
    CHECKPOINT,
    MODEL,
    PART,
    dvc,
    dvc_several,
    git_over_http,
    log_runs,
    push_all,
    python,
    state_of,
)

GC = (
    ("-w",),
    ("-a",),
    ("-T",),
    ("-A",),
    ("--all-experiments",),
    ("-A", "--all-experiments"),
    ("-w", "--date", "2000-01-01"),
    ("-A", "--not-in-remote"),
    ("-A", "-T", "-c"),
)


def project(git, root: Path, *, remote: str = "", subdir: str = "", init: bool = True) -> Path:
    """A repository at a folder, with DVC in it or below it; the remote is made, its url given as it is."""
    root.mkdir(parents=True)
    git("init", "--quiet", str(root))
    (root / "train.py").write_text("print()\n")
    where = root / subdir
    where.mkdir(parents=True, exist_ok=True)
    if init:
        dvc("init", "--quiet", *(["--subdir"] if subdir else []), cwd=where)
        if remote:
            (where / remote).resolve().mkdir()
            dvc("remote", "add", "--quiet", "--default", "store", remote, cwd=where)
    git("add", "--all", cwd=root)
    git("commit", "--quiet", "--message=a project", cwd=root)
    return where


def logged(monkeypatch, work: Path, where: Path, top: Path) -> tuple[gittrack.SavedRun, gittrack.SavedRun]:
    """Two runs logged in a folder; nothing of the user's is touched."""
    monkeypatch.chdir(where)
    before = state_of(top)
    runs = log_runs(work)
    assert state_of(top) == before
    return runs


def gets(url: str, rev: str, out: Path, *more: str) -> list[list[str]]:
    return [
        ["get", url, "artifacts/model.bin", "--rev", rev, "-o", str(out / "model.bin"), *more],
        ["get", url, "artifacts/dataset", "--rev", rev, "-o", str(out / "dataset"), *more],
        ["get", url, "artifacts/dataset/deep/part.bin", "--rev", rev, "-o", str(out / "part.bin"), *more],
        ["get", url, "artifacts/note.txt", "--rev", rev, "-o", str(out / "note.txt")],
        ["get", url, f"artifacts/{CHECKPOINT}", "--rev", rev, "-o", str(out / "named.ckpt"), *more],
    ]


def has_all(out: Path) -> bool:
    assert (out / "model.bin").read_bytes() == MODEL
    assert (out / "dataset" / "deep" / "part.bin").read_bytes() == PART
    assert (out / "dataset" / "readme.txt").read_text() == "read me\n"
    assert (out / "part.bin").read_bytes() == PART
    assert (out / "note.txt").read_text() == "lr was 0.1\n"
    assert (out / "named.ckpt").read_bytes() == PART
    return True


def succeeded(commands, cwd: Path, home: Path | None = None):
    answers = dvc_several(*commands, cwd=cwd, home=home)
    for command, answer in zip(commands, answers, strict=True):
        assert answer.code == 0, f"dvc {' '.join(command)}: {answer.err}"
    return answers


def compared(rev_one: str, rev_two: str, cwd: Path) -> None:
    """The three ``diff`` commands show the two runs."""
    commands = [[what, "diff", "--json", rev_one, rev_two] for what in ("params", "metrics", "plots")]
    params, metrics, plots = (json.loads(answer.out) for answer in succeeded(commands, cwd))
    assert params["params.toml"]["lr"] == {"old": 0.1, "new": 0.2, "diff": 0.1}
    assert metrics["summary.toml"]["train/loss.max"] == {"old": 0.1, "new": 0.2, "diff": 0.1}
    assert "metrics/train/loss.csv" in plots["data"]


API = """
import json, dvc.api
options = {{"rev": {rev!r}, "repo": {repo!r}}}
with dvc.api.open("artifacts/dataset/readme.txt", **options) as file:
    text = file.read()
print(json.dumps([
    len(dvc.api.read("artifacts/model.bin", mode="rb", **options)),
    text,
    dvc.api.params_show(rev={rev!r}, repo={repo!r}),
    dvc.api.metrics_show(rev={rev!r}, repo={repo!r})["train/loss"]["max"],
]))
"""


def api_reads(rev: str, repo: str | None, cwd: Path, home: Path | None = None) -> None:
    found = json.loads(python(API.format(rev=rev, repo=repo), cwd, home))
    assert found == [len(MODEL), "read me\n", {"lr": 0.1}, 0.1]


def test_a_run_in_the_clone_is_a_revision_to_dvc(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", remote="../store")
    one, two = logged(monkeypatch, tmp_path, where, where)
    rev = f"runs/inbox/{one.id}"
    *_, listed, only = succeeded(
        [*gets(".", rev, tmp_path), ["list", "-R", ".", "--rev", rev], ["list", "-R", ".", "--dvc-only", "--rev", rev]],
        where,
    )
    assert has_all(tmp_path)
    assert {"artifacts/dataset/deep/part.bin", "artifacts/note.txt", "params.toml"} <= set(listed.out.split())
    assert set(only.out.splitlines()) == {
        "artifacts/dataset/deep/part.bin",
        "artifacts/dataset/readme.txt",
        "artifacts/model.bin",
        f"artifacts/{CHECKPOINT}",
    }
    compared(rev, f"runs/inbox/{two.id}", where)
    compared(one.commit, two.commit[:12], where)
    api_reads(rev, None, where)


def test_somebody_else_gets_artifacts_by_url_when_runs_are_in_a_ledger(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", remote="../store")
    one, _ = logged(monkeypatch, tmp_path, where, where)
    push_all()
    bare = tmp_path / "served" / "bare.git"
    git("clone", "--quiet", "--bare", str(where), str(bare))
    roll_up_now(Project.open())
    git("push", "--quiet", str(bare), "refs/runs/local/*:refs/runs/*", cwd=where)
    assert one.commit not in git("ls-remote", str(bare)), "only the ledger reaches it"
    away, home = tmp_path / "away", tmp_path / "nobody"
    with git_over_http(tmp_path / "served") as server:
        for name, url in (("file", f"file://{bare}"), ("http", f"{server}/bare.git")):
            out = away / name
            out.mkdir(parents=True)
            *_, listed, short = succeeded(
                [*gets(url, one.commit, out), ["list", "-R", url, "--rev", one.commit], ["list", url]], away, home
            )
            assert has_all(out)
            assert "artifacts/dataset/deep/part.bin" in listed.out.split()
            api_reads(one.commit, url, away, home)
        refused = dvc(
            "get", url, "artifacts/note.txt", "--rev", f"runs/inbox/{one.id}", cwd=away, home=home, fails=True
        )
    assert "unknown Git revision" in refused, "DVC's clone has no refs but branches, tags and its own"
    assert short.code == 0


@pytest.mark.slow
def test_somebody_else_gets_artifacts_by_url_when_a_run_is_in_the_inbox(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", remote=str(tmp_path / "store"))
    one, _ = logged(monkeypatch, tmp_path, where, where)
    push_all()
    away = tmp_path / "away"
    away.mkdir()
    succeeded(gets(f"file://{where}", one.commit, away), away, tmp_path / "nobody")
    assert has_all(away)
    api_reads(one.commit, f"file://{where}", away, tmp_path / "nobody")


def test_a_project_without_dvc_compares_runs_and_gets_from_our_store_when_told_where_it_is(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", init=False)
    one, two = logged(monkeypatch, tmp_path, where, where)
    compared(one.commit, two.commit, where)
    commands = [
        ["get", ".", "artifacts/model.bin", "--rev", one.commit, "-o", "lost"],
        ["get", ".", "artifacts/dataset", "--rev", one.commit, "-o", "lost-folder"],
        ["diff", one.commit, two.commit],
        ["exp", "show", "--rev", one.commit],
    ]
    lost, folder, *others = dvc_several(*commands, cwd=where)
    assert "No storage files available" in lost.err
    assert folder.code == 0, "DVC says that it got a folder whose listing it does not have"
    assert not any(path.is_file() for path in (where / "lost-folder").rglob("*"))
    assert all("not inside of a DVC repository" in answer.err for answer in others)
    ours = ("--remote", "gittrack", "--remote-config", "url=.git/gittrack/cache")
    succeeded(gets(".", one.commit, tmp_path, *ours), where)
    assert has_all(tmp_path)
    (where / ".gittrack.toml").write_text(f'artifact_remote = "{tmp_path / "elsewhere"}"\n')
    (tmp_path / "elsewhere").mkdir()
    with gittrack.start_run(strict=True) as run:
        run.log_text(MODEL, "model.bin")
    push_all()
    commit = gittrack.get_run(run.id).commit
    succeeded([["get", ".", "artifacts/model.bin", "--rev", commit, "-o", str(tmp_path / "again.bin")]], where)
    assert (tmp_path / "again.bin").read_bytes() == MODEL


def test_with_dvc_in_a_subdirectory_runs_are_compared_from_the_top_and_pushed_bytes_found(tmp_path, git, monkeypatch):
    top = tmp_path / "repo"
    where = project(git, top, remote=str(tmp_path / "store"), subdir="pkg/a")
    one, two = logged(monkeypatch, tmp_path, where, top)
    assert any((where / ".dvc" / "cache").rglob("*.dir")), "what is logged is in DVC's cache"
    compared(one.commit, two.commit, top)
    ours = ("--remote", "gittrack", "--remote-config", "url=.git/gittrack/cache")
    succeeded(gets(".", one.commit, tmp_path, *ours), top)
    assert has_all(tmp_path)
    below, diff = dvc_several(
        ["get", ".", "artifacts/model.bin", "--rev", one.commit, "-o", "lost"],
        ["metrics", "diff", "--json", one.commit, two.commit],
        cwd=where,
    )
    assert below.code != 0, "its cache is that of the subdirectory, which the run's tree does not have"
    assert json.loads(diff.out) == {}
    push_all()
    for number, cwd in enumerate((top, where)):
        out = tmp_path / str(number)
        out.mkdir()
        succeeded(gets(".", one.commit, out), cwd)
        assert has_all(out)


@pytest.mark.slow
def test_a_shared_cache_named_in_the_local_configuration_is_used_and_not_told(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", remote=str(tmp_path / "store"))
    shared = tmp_path / "shared"
    shared.mkdir()
    dvc("cache", "dir", "--local", str(shared), cwd=where)
    dvc("config", "--local", "cache.shared", "group", cwd=where)
    one, two = logged(monkeypatch, tmp_path, where, where)
    assert sum(path.is_file() for path in shared.rglob("*")) == 4
    assert not (where / ".dvc" / "cache").exists()
    assert str(shared).encode() not in one.file(".dvc/config")
    succeeded(gets(".", one.commit, tmp_path), where)
    assert has_all(tmp_path)
    compared(one.commit, two.commit, where)


@pytest.mark.slow
def test_a_run_can_be_checked_out_and_pulled_and_left_again(tmp_path, git, monkeypatch):
    where = project(git, tmp_path / "repo", remote=str(tmp_path / "store"))
    one, _ = logged(monkeypatch, tmp_path, where, where)
    push_all()
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(where), str(clone))
    git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*", cwd=clone)
    git("checkout", "--quiet", one.commit, cwd=clone)
    *_, status = succeeded([["pull"], ["status", "--json"]], clone)
    assert json.loads(status.out) == {}
    assert (clone / "artifacts" / "model.bin").read_bytes() == MODEL
    assert (clone / "artifacts" / "dataset" / "deep" / "part.bin").read_bytes() == PART
    assert git("status", "--porcelain", cwd=clone) == ""
    git("checkout", "--quiet", "main", cwd=clone)
    assert git("status", "--porcelain", cwd=clone) == "?? artifacts/\n", "what DVC pulled stays where it was"


def collect_and_get(where: Path, out: Path, commit: str, variants) -> None:
    """Each variant of ``dvc gc``, then doctor, then ``dvc get``: all in one process."""
    commands: list[list[str]] = []
    for number, flags in enumerate(variants):
        place = out / str(number)
        place.mkdir()
        commands += [["gc", "--force", *flags], ["RELINK"], *gets(".", commit, place)]
    answers = dvc_several(*commands, cwd=where)
    for command, answer in zip(commands, answers, strict=True):
        assert answer.code == 0, f"dvc {' '.join(command)}: {answer.err}"
        if command == ["RELINK"]:
            assert answer.out.split() == ["0", "5"], "all of DVC's names are gone, none of ours; all are made again"
    assert all(has_all(out / str(number)) for number in range(len(variants)))


@pytest.fixture
def pushed(tmp_path, git, monkeypatch):
    """A project whose runs are on its remote: the folder, and a run's commit."""
    where = project(git, tmp_path / "repo", remote=str(tmp_path / "store"))
    one, _ = logged(monkeypatch, tmp_path, where, where)
    with gittrack.start_run(strict=True) as run:
        run.log_text(MODEL[::-1], "model.bin")
    push_all()
    return where, one.commit


def stored(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "variants", [(("-w",), ("-A", "-T", "-c")), pytest.param(GC, marks=pytest.mark.slow)], ids=["sample", "all"]
)
def test_our_store_and_our_remote_outlive_every_dvc_gc(pushed, tmp_path, variants):
    where, commit = pushed
    ours, remote = where / ".git" / "gittrack" / "cache" / "files", tmp_path / "store" / "gittrack"
    before = stored(ours), stored(remote)
    assert len(before[0]) == 5
    out = tmp_path / "out"
    out.mkdir()
    collect_and_get(where, out, commit, variants)
    assert (stored(ours), stored(remote)) == before
    assert fsck(Project.open()) == []


def test_doctor_makes_known_to_dvc_again_what_dvc_gc_dropped(pushed):
    where, _ = pushed
    dvc("gc", "--force", "-w", cwd=where)
    assert stored(where / ".dvc" / "cache" / "files") == set()
    told = [("make artifacts known to DVC again", "5 in its cache")]
    assert [(item.what, item.where) for item in doctor(Project.open(), dry_run=True)] == told
    assert stored(where / ".dvc" / "cache" / "files") == set()
    assert [(item.what, item.where) for item in doctor(Project.open())] == told
    assert len(stored(where / ".dvc" / "cache" / "files")) == 5
    assert doctor(Project.open()) == []
