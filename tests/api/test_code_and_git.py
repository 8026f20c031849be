"""The code that ran, and what plain git shows of runs: without gittrack, without touching the user's repository."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

import gittrack


def status(git, repo) -> tuple[str, ...]:
    return (
        git("status", "--porcelain", cwd=repo),
        git("rev-parse", "HEAD", cwd=repo),
        git("for-each-ref", "refs/heads", "refs/tags", "refs/remotes", cwd=repo),
        git("stash", "list", cwd=repo),
        git("ls-files", "--stage", cwd=repo),
    )


def test_a_dirty_work_tree_is_snapshot_and_left_as_it_was(repo, git):
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "kept.py").write_text("one\n")
    (repo / "removed.py").write_text("gone\n")
    git("add", "-A", cwd=repo)
    git("commit", "-qm", "more", cwd=repo)
    (repo / "train.py").write_text("changed\n")
    (repo / "staged.py").write_text("staged\n")
    git("add", "staged.py", cwd=repo)
    (repo / "staged.py").write_text("and changed again\n")
    (repo / "untracked.py").write_text("untracked\n")
    (repo / "ignored.log").write_text("ignored\n")
    (repo / "large.bin").write_bytes(b"x" * (2 << 20))
    (repo / "removed.py").unlink()
    before = status(git, repo)
    with gittrack.start_run() as run:
        pass
    assert status(git, repo) == before
    saved = gittrack.get_run(run.id)
    code = saved.record.code
    assert (code.dirty, code.branch, code.head) == (True, "main", git("rev-parse", "HEAD", cwd=repo).strip())
    assert code.commit not in (None, code.head)
    assert git("rev-parse", f"{saved.commit}^", cwd=repo).strip() == code.commit
    assert git("rev-parse", f"{code.commit}^", cwd=repo).strip() == code.head
    files = git("ls-tree", "-r", "--name-only", code.commit, cwd=repo).split()
    assert files == [".gitignore", "kept.py", "staged.py", "train.py", "untracked.py"]
    assert git("show", f"{code.commit}:train.py", cwd=repo) == "changed\n"
    assert git("show", f"{code.commit}:staged.py", cwd=repo) == "and changed again\n"
    assert [(left.path, left.reason, left.size) for left in code.left_out] == [("large.bin", "size", 2 << 20)]


def test_the_same_dirty_tree_is_the_same_snapshot_and_a_clean_one_is_head(repo, git):
    with gittrack.start_run() as clean:
        pass
    (repo / "train.py").write_text("changed\n")
    with gittrack.start_run() as one:
        pass
    with gittrack.start_run() as two:
        pass
    code = {run.id: gittrack.get_run(run.id).code for run in (clean, one, two)}
    assert code[clean.id] == git("rev-parse", "HEAD", cwd=repo).strip()
    assert code[one.id] == code[two.id] != code[clean.id]


def test_the_code_is_that_of_the_start_not_of_the_end(repo, git):
    (repo / "train.py").write_text("as it ran\n")
    with gittrack.start_run() as run:
        (repo / "train.py").write_text("edited while it ran\n")
    assert git("show", f"{gittrack.get_run(run.id).code}:train.py", cwd=repo) == "as it ran\n"


def test_a_run_in_a_subfolder_a_detached_head_and_an_unborn_one(repo, git, tmp_path, monkeypatch):
    (repo / "sub").mkdir()
    monkeypatch.chdir(repo / "sub")
    git("checkout", "-q", "--detach", cwd=repo)
    with gittrack.start_run() as run:
        pass
    code = gittrack.get_run(run.id).record.code
    assert (code.directory, code.branch) == ("sub", None)
    unborn = tmp_path / "unborn"
    git("init", "-q", str(unborn))
    monkeypatch.chdir(unborn)
    (unborn / "train.py").write_text("first\n")
    with gittrack.start_run() as run:
        pass
    saved = gittrack.get_run(run.id)
    assert saved.record.code.head is None
    assert git("show", f"{saved.commit}^:train.py", cwd=unborn) == "first\n"


def test_git_shows_params_metrics_and_state_of_a_run(repo, git):
    with gittrack.start_run("it", params={"model": {"depth": 6}, "lr": 0.1}, description="why") as run:
        run.log_metric("train/loss", 0.5)
        run.log_text("hello\n", "notes.txt")
    ref = f"runs/inbox/{run.id}"
    assert git("show", f"{ref}:params.toml", cwd=repo) == "lr = 0.1\n\n[model]\ndepth = 6\n"
    assert tomllib.loads(git("show", f"{ref}:summary.toml", cwd=repo))["train/loss"]["last"] == 0.5
    assert tomllib.loads(git("show", f"{ref}:run.toml", cwd=repo))["note"] == "why"
    assert git("show", f"{ref}:metrics/train/loss.csv", cwd=repo).startswith("step,timestamp,value\n0,")
    assert git("show", f"{ref}:artifacts/notes.txt", cwd=repo) == "hello\n"
    assert git("log", "-1", "--format=%s", ref, cwd=repo) == "it (Default): train/loss 0.5\n"
    trailers = git("log", "-1", "--format=%(trailers:only)", ref, cwd=repo)
    assert f"Run-Id: {run.id}" in trailers
    assert "Status: finished" in trailers


def test_git_diff_of_two_runs_shows_what_differs_and_of_their_parents_the_code(repo, git):
    with gittrack.start_run("one", params={"lr": 0.1, "depth": 3}) as one:
        one.log_metric("acc", 0.5)
    (repo / "train.py").write_text('print("training harder")\n')
    with gittrack.start_run("two", params={"lr": 0.2, "depth": 3}) as two:
        two.log_metric("acc", 0.75)
    refs = [f"runs/inbox/{run.id}" for run in (one, two)]
    params = git("diff", *refs, "--", "params.toml", cwd=repo)
    assert "-lr = 0.1\n+lr = 0.2\n" in params
    assert "-depth" not in params
    changed = git("diff", "--name-only", *refs, cwd=repo).split()
    assert {"params.toml", "summary.toml", "run.toml", "metrics/acc.csv"} == set(changed)
    code = git("diff", *[f"{ref}^" for ref in refs], cwd=repo)
    assert '-print("training")\n+print("training harder")\n' in code


def test_runs_leave_the_branches_the_log_and_the_status_alone(repo, git):
    before = status(git, repo), git("log", "--oneline", cwd=repo), git("branch", "-a", cwd=repo)
    with gittrack.start_run() as run:
        run.log_metric("loss", 1)
        run.log_text("x" * 100_000, "large.txt")
    assert (status(git, repo), git("log", "--oneline", cwd=repo), git("branch", "-a", cwd=repo)) == before
    git("fsck", "--strict", cwd=repo)


def test_hooks_of_the_user_do_not_run_and_do_not_hinder(repo, git):
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{repo}/ran-{name}'\nexit 1\n")
        (hooks / name).chmod(0o755)
    (repo / "train.py").write_text("changed\n")
    with gittrack.start_run() as run:
        pass
    assert gittrack.get_run(run.id).status == "finished"
    assert not list(repo.glob("ran-*"))


@pytest.mark.parametrize(
    ("arguments", "entry"),
    [(["train.py", "--lr", "1"], "train.py"), (["-m", "train"], "train"), (["-c", "import train"], "-c")],
    ids=["script", "module", "code"],
)
def test_the_entry_and_the_command_line_are_kept(repo, project_env, arguments, entry):
    (repo / "train.py").write_text("import gittrack\nwith gittrack.start_run('it'): pass\n")
    subprocess.run([sys.executable, *arguments], cwd=repo, env=project_env, check=True, capture_output=True)
    record = gittrack.get_run("it").record
    assert record.entry == entry
    assert list(record.command[1:]) == arguments


def test_ci_and_container_are_kept(program):
    program(
        "import gittrack\nwith gittrack.start_run('it'): pass",
        env={"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_REPOSITORY": "team/repo",
             "GITHUB_SERVER_URL": "https://github.com"},
    )  # fmt: skip
    environment = tomllib.loads(gittrack.get_run("it").file("environment/environment.toml").decode())
    assert "77" in str(environment["ci"])


def test_other_peoples_git_settings_do_not_change_a_run(repo, git):
    for key, value in (
        ("core.autocrlf", "true"), ("diff.noprefix", "true"), ("status.showUntrackedFiles", "no"),
        ("commit.gpgsign", "true"), ("core.quotePath", "false"), ("color.ui", "always"), ("core.abbrev", "4"),
    ):  # fmt: skip
        git("config", key, value, cwd=repo)
    (repo / "ü \n.py").write_text("odd name\n")
    with gittrack.start_run(strict=True) as run:
        run.log_metric("loss", 1)
    saved = gittrack.get_run(run.id)
    assert saved.status == "finished"
    assert "odd name" in git("show", f"{saved.code}:ü \n.py", cwd=repo)
