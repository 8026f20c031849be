"""``gittrack gc``: what nothing needs goes, and nothing else, whoever works beside it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import gittrack
from gittrack.api.annotate import delete_run, restore_run
from gittrack.api.gc import collect, plan_gc
from gittrack.api.maintain import doctor, fsck, roll_up_now
from gittrack.api.project import Project
from gittrack.api.retention import Retention
from gittrack.artifacts import usage
from gittrack.artifacts.taking import md5_of
from gittrack.cli.main import main
from gittrack.errors import ConflictError, CorruptRecordError

from .conftest import SIZE, bytes_of, stored_files


def lose(git, repo, id: str) -> None:
    """The run is no more: its ref and its copy are gone, as after an expunge."""
    git("update-ref", "-d", f"refs/runs/inbox/{id}", cwd=repo)
    for path in (repo / ".git" / "gittrack" / "done").glob(f"{id}-*"):
        path.unlink()


def collected(retention=None):
    project = Project.open()
    plan = plan_gc(project, retention)
    return collect(project, plan, retention)


def digest(name: str) -> str:
    return md5_of(bytes_of(name))


def test_what_no_run_refers_to_goes_and_the_rest_stays(repo, logged, aged, git, store):
    logged("kept", {"a.bin": "kept", "model": {"x": "in folder", "y": "shared"}})
    gone = logged("gone", {"a.bin": "gone", "model2": {"x": "only in gone", "y": "shared"}})
    aged()
    assert plan_gc(Project.open()).garbage == ()
    lose(git, repo, gone)
    plan = plan_gc(Project.open())
    assert {found.digest for found in plan.garbage} >= {digest("gone"), digest("only in gone")}
    assert len(plan.garbage) == 3
    assert plan.garbage[0].digest.endswith(".dir"), "a listing goes before its files"
    assert (plan.kept, plan.kept_bytes > 3 * SIZE) == (4, True)
    before = stored_files(store)
    done = collect(Project.open(), plan)
    assert (done.files, done.bytes, done.problems) == (3, plan.bytes, [])
    assert before - stored_files(store) == {found.digest for found in plan.garbage}
    assert fsck(Project.open()) == []
    assert gittrack.get_run("kept").artifact("model/y") == bytes_of("shared")


def test_what_was_written_within_the_last_day_stays(repo, logged, git, aged, store):
    lose(git, repo, logged("gone", {"a.bin": "gone", "model": {"x": "one"}}))
    plan = plan_gc(Project.open())
    assert (plan.garbage, len(plan.young)) == ((), 3)
    aged(86_400 - 60)
    assert plan_gc(Project.open()).garbage == ()
    aged(86_400 + 60)
    assert len(plan_gc(Project.open()).garbage) == 3


def test_bytes_stored_again_are_young_again_and_so_are_the_files_of_a_folder(repo, logged, git, aged, store):
    lose(git, repo, logged("gone", {"a.bin": "same", "model": {"x": "one", "y": "two"}}))
    time.sleep(2.1)  # so that the folder is remembered, and not read again
    lose(git, repo, logged("gone", {"model": {"x": "one", "y": "two"}}))
    aged()
    assert len(plan_gc(Project.open()).garbage) == 4
    run = gittrack.start_run(strict=True)
    run.log_text(bytes_of("same"), "a.bin")
    run.log_artifact(repo.parent / "folders" / "model")
    path = repo / ".git" / "gittrack" / "live" / run.id
    shutil.move(path, repo.parent / "elsewhere")  # as if it had not said yet what it logged
    plan = plan_gc(Project.open())
    assert plan.garbage == ()
    assert len(plan.young) == 4
    shutil.move(repo.parent / "elsewhere", path)
    run.end()
    assert fsck(Project.open()) == []


def test_a_live_run_keeps_what_it_has_logged_however_long_it_takes(repo, logged, aged, store):
    with gittrack.start_run(strict=True) as run:
        run.log_text(bytes_of("live"), "a.bin")
        folder = repo.parent / "model"
        folder.mkdir()
        (folder / "x").write_bytes(bytes_of("in live folder"))
        run.log_artifact(folder)
        aged()
        assert plan_gc(Project.open()).garbage == ()
    assert gittrack.get_run(run.id).artifact("model/x") == bytes_of("in live folder")


def test_a_crashed_run_keeps_what_it_has_logged(repo, project_env, aged):
    code = (
        "import gittrack, os; r = gittrack.start_run(); r.log_text('x' * 100000, 'a.txt'); print(r.id, flush=True);"
        " os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=project_env, capture_output=True, text=True, check=False)
    aged()
    assert plan_gc(Project.open()).garbage == ()
    assert gittrack.get_run(done.stdout.split()[0]).artifact("a.txt") == b"x" * 100_000


def test_a_run_whose_ref_is_lost_keeps_its_bytes_since_it_can_be_made_again(repo, logged, aged, git):
    id = logged("lost", {"a.bin": "lost"})
    git("update-ref", "-d", f"refs/runs/inbox/{id}", cwd=repo)
    aged()
    assert plan_gc(Project.open()).garbage == ()
    doctor(Project.open())
    assert gittrack.get_run(id).artifact("a.bin") == bytes_of("lost")


def test_runs_in_ledgers_here_and_of_others_keep_their_bytes(repo, logged, aged, git):
    id = logged("one", {"a.bin": "one"})
    roll_up_now(Project.open())
    aged()
    assert plan_gc(Project.open()).garbage == ()
    (name,) = git("for-each-ref", "refs/runs/local", "--format=%(refname)").split()
    tip = git("rev-parse", name).strip()
    month = name.rpartition("/")[2]
    git("update-ref", f"refs/runs-remote/origin/{month}/ann", tip, cwd=repo)
    git("update-ref", "-d", name, cwd=repo)
    assert gittrack.get_run(id).name == "one"
    assert plan_gc(Project.open()).garbage == ()
    git("update-ref", "-d", f"refs/runs-remote/origin/{month}/ann", cwd=repo)
    assert len(plan_gc(Project.open()).garbage) == 1


def test_a_deleted_run_keeps_its_bytes_until_asked_otherwise(repo, logged, aged, store):
    id = logged("gone", {"a.bin": "gone"})
    logged("other", {"a.bin": "other"})
    delete_run(Project.open(), id)
    aged()
    assert plan_gc(Project.open()).garbage == ()
    plan = plan_gc(Project.open(), Retention(deleted=True))
    assert [(item.run.id, item.why, size) for item, size in plan.given_up] == [(id, "deleted", SIZE)]
    collected(Retention(deleted=True))
    assert stored_files(store) == {digest("other")}
    restore_run(Project.open(), id)
    assert gittrack.get_run(id).artifacts()[0].path == "a.bin"


KINDS = ["branch", "tag", "merge only", "stash", "older stash", "index", "lock", "earlier commit", "folder", "amended"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_history_of_the_project_refers_to_stays(repo, logged, aged, git, kind):
    id = logged("one", {"data": {"x": "data"}} if kind == "folder" else {"data.bin": "data"})
    entry = gittrack.get_run(id).artifacts()[0]
    pointer = f"outs:\n- md5: {entry.digest[4:]}\n  size: 1\n  hash: md5\n  path: data\n"
    folder = repo / "deep" / "er"
    folder.mkdir(parents=True)
    name = folder / ("dvc.lock" if kind == "lock" else "data.dvc")
    name.write_text(pointer)
    git("add", "-A", cwd=repo)
    if kind in ("stash", "older stash"):
        git("stash", cwd=repo)
        if kind == "older stash":
            (repo / "train.py").write_text("later\n")
            git("stash", "push", "--include-untracked", cwd=repo)
            assert git("stash", "list", cwd=repo).count("\n") == 2
    elif kind == "tag":
        git("checkout", "-q", "--detach", cwd=repo)
        git("commit", "-qm", "data", cwd=repo)
        git("tag", "-a", "-m", "v1", "v1", cwd=repo)
        git("checkout", "-q", "main", cwd=repo)
    elif kind == "merge only":
        git("reset", "-q", "--hard", cwd=repo)
        git("checkout", "-qb", "side", cwd=repo)
        git("commit", "-q", "--allow-empty", "-m", "side", cwd=repo)
        git("checkout", "-q", "main", cwd=repo)
        git("commit", "-q", "--allow-empty", "-m", "main", cwd=repo)
        git("merge", "-q", "--no-commit", "--no-ff", "side", cwd=repo)
        folder.mkdir(parents=True, exist_ok=True)
        name.write_text(pointer)
        git("add", "-A", cwd=repo)
        git("commit", "-qm", "merge", cwd=repo)
        git("rm", "-q", "deep/er/data.dvc", cwd=repo)
        git("commit", "-qm", "without", cwd=repo)
    elif kind != "index":
        git("commit", "-qm", "data", cwd=repo)
    if kind == "amended":
        git("rm", "-q", "deep/er/data.dvc", cwd=repo)
        git("commit", "-q", "--amend", "--allow-empty", "-m", "without", cwd=repo)
    if kind == "earlier commit":
        git("rm", "-q", "deep/er/data.dvc", cwd=repo)
        git("commit", "-qm", "without", cwd=repo)
    lose(git, repo, id)
    aged()
    assert plan_gc(Project.open()).garbage == ()


@pytest.mark.parametrize("place", [".", "deep/er"])
@pytest.mark.parametrize("worktree", [False, True], ids=["here", "in another worktree"])
@pytest.mark.parametrize("staged", [False, True], ids=["untracked", "staged"])
def test_data_that_is_not_committed_yet_stays(repo, logged, aged, git, place, worktree, staged):
    id = logged("one", {"data.bin": "data"})
    top = repo
    if worktree:
        top = repo.parent / "other"
        git("worktree", "add", "--quiet", "-b", "other", str(top), cwd=repo)
    (top / place).mkdir(parents=True, exist_ok=True)
    pointer = top / place / "dvc.lock"
    pointer.write_text(f"stages:\n  s:\n    outs:\n    - path: data\n      md5: {digest('data')[4:]}\n")
    if staged:
        git("add", "-A", cwd=top)
    lose(git, repo, id)
    aged()
    assert plan_gc(Project.open()).garbage == ()
    if staged:
        git("reset", "-q", cwd=top)
    pointer.unlink()
    assert len(plan_gc(Project.open()).garbage) == 1


@pytest.mark.parametrize("bare", [False, True])
def test_a_repository_without_any_commit_is_collected_too(tmp_path, git, monkeypatch, bare):
    root = tmp_path / "fresh"
    git("init", "--quiet", *(["--bare"] if bare else []), str(root))
    monkeypatch.chdir(root)
    with gittrack.start_run(strict=True) as run:
        run.log_text(bytes_of("a"), "a.bin")
    plan = plan_gc(Project.open(), clock=lambda: time.time() + 3 * 86_400)
    assert (plan.garbage, plan.kept) == ((), 1)


def test_a_detached_head_of_another_worktree_counts(repo, logged, aged, git):
    id = logged("one", {"a.bin": "one"})
    pointer = f"outs:\n- md5: {digest('one')[4:]}\n  hash: md5\n  path: a\n"
    git("worktree", "add", "--quiet", "--detach", "../other", cwd=repo)
    (repo.parent / "other" / "a.dvc").write_text(pointer)
    git("add", "a.dvc", cwd=repo.parent / "other")
    git("commit", "--quiet", "--message=data", cwd=repo.parent / "other")
    lose(git, repo, id)
    aged()
    assert plan_gc(Project.open()).garbage == ()


def test_a_tagged_run_keeps_its_bytes_whatever_rules_say(repo, logged, aged, git):
    id = logged("model", {"m.bin": "model"})
    logged("other", {"m.bin": "other"})
    git("tag", "-a", "-m", "version", "model@v1.0.0", gittrack.get_run(id).commit, cwd=repo)
    aged()
    from gittrack.core.retention import parse_rule

    plan = plan_gc(Project.open(), Retention(rules={"*": [parse_rule("none")]}))
    assert [item.run.name for item, _ in plan.given_up] == ["other"]
    assert [found.digest for found in plan.garbage] == [digest("other")]


def test_what_another_run_used_stays_when_its_maker_gives_it_up(repo, logged, aged):
    id = logged("maker", {"m.bin": "model"})
    entry = gittrack.get_run(id).artifacts()[0]
    with gittrack.start_run(name="user", experiment="use", strict=True) as run:
        run.log_input("s3://bucket/m.bin", name="m", role="model", digest=entry.digest)
    aged()
    from gittrack.core.retention import parse_rule

    assert plan_gc(Project.open(), Retention(rules={"Default": [parse_rule("none")]})).garbage == ()


def test_what_a_resumption_replaced_stays_with_its_run(repo, logged, aged):
    id = logged("one", {"a.bin": "first"})
    with gittrack.start_run(run_id=id, strict=True) as run:
        run.log_text(bytes_of("second"), "a.bin")
    aged()
    plan = plan_gc(Project.open())
    assert (plan.garbage, plan.kept) == ((), 2)
    assert len(plan_gc(Project.open(), Retention(rules={"*": ()}, deleted=True)).garbage) == 0


def test_what_cannot_be_read_stops_everything(repo, logged, aged, git):
    id = logged("one", {"a.bin": "one", "b.bin": "two"})
    lose(git, repo, logged("gone", {"a.bin": "gone"}))
    aged()
    commit = gittrack.get_run(id).commit
    pointer = git("rev-parse", f"{commit}:artifacts/a.bin.dvc", cwd=repo).strip()
    path = repo / ".git" / "objects" / pointer[:2] / pointer[2:]
    data = path.read_bytes()
    path.chmod(0o644)
    path.unlink()
    with pytest.raises(CorruptRecordError, match=f"what run {id[:8]} needs is not known") as caught:
        plan_gc(Project.open())
    assert (caught.value.exit_code, caught.value.hint) == (6, "gittrack fsck")
    path.write_bytes(data)
    assert len(plan_gc(Project.open()).garbage) == 1
    git("update-ref", "refs/runs/local/2026-01", "HEAD", cwd=repo)  # no ledger
    with pytest.raises(CorruptRecordError, match="not every run can be read"):
        plan_gc(Project.open())


def test_a_folder_whose_listing_is_not_here_is_told(repo, logged, aged, store):
    id = logged("one", {"model": {"x": "x"}})
    (entry,) = gittrack.get_run(id).artifacts()
    store.path(entry.digest).unlink()
    aged()
    assert plan_gc(Project.open()).missing == (entry.digest,)


def test_a_second_collection_at_the_same_time_gives_way(repo, logged, aged, git):
    lose(git, repo, logged("gone", {"a.bin": "gone"}))
    aged()
    plan = plan_gc(Project.open())
    from gittrack.store.locks import exclusive

    with (
        exclusive(repo / ".git" / "gittrack" / "gc.lock"),
        pytest.raises(ConflictError, match="another 'gittrack gc' is running"),
    ):
        collect(Project.open(), plan)
    assert collect(Project.open(), plan).files == 1
    assert collect(Project.open(), plan).files == 0


def test_what_is_referred_to_since_it_was_shown_stays(repo, logged, aged, git, store):
    id = logged("gone", {"a.bin": "gone"})
    commit = gittrack.get_run(id).commit
    lose(git, repo, id)
    aged()
    plan = plan_gc(Project.open())
    assert len(plan.garbage) == 1
    git("update-ref", f"refs/runs/inbox/{id}", commit, cwd=repo)  # fetched, say, while somebody read the question
    assert collect(Project.open(), plan).files == 0
    assert stored_files(store) == {digest("gone")}


def test_a_writer_that_stores_the_same_bytes_while_they_are_dropped_has_them(
    repo, logged, aged, git, store, monkeypatch
):
    lose(git, repo, logged("gone", {"a.bin": "same"}))
    aged()
    wanted = digest("same")
    plan = plan_gc(Project.open())
    real = os.rename

    def renewed_before(source, target):
        if usage.ASIDE in str(target):
            assert store.renew(wanted, SIZE)
        real(source, target)

    monkeypatch.setattr(usage.os, "rename", renewed_before)
    assert collect(Project.open(), plan).files == 0
    assert stored_files(store) == {wanted}
    aged()

    def stored_after(source, target):
        real(source, target)
        if usage.ASIDE in str(target):
            assert not store.renew(wanted, SIZE)
            logged("again", {"a.bin": "same"})

    monkeypatch.setattr(usage.os, "rename", stored_after)
    collect(Project.open(), plan)
    monkeypatch.undo()
    assert stored_files(store) == {wanted}
    assert usage.aside_count(store) == 0


def test_a_kill_between_the_steps_loses_nothing(repo, logged, aged, git, project_env, store):
    id = logged("one", {"a.bin": "one"})
    aged()
    code = """
import os, signal
from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.project import Project
from gittrack.artifacts import usage
store = open_bytes_store(Project.open())
real = os.stat
def killed(path, *rest, **options):
    if usage.ASIDE in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *rest, **options)
usage.os.stat = killed
usage.drop(store, next(usage.stored_objects(store)).digest, 1e18)
"""
    done = subprocess.run([sys.executable, "-c", code], env=project_env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert stored_files(store) == set()
    told = [("bring back artifacts that a killed 'gittrack gc' moved aside", "1")]
    assert [(item.what, item.where) for item in doctor(Project.open(), dry_run=True)] == told
    assert stored_files(store) == set()
    assert [(item.what, item.where) for item in doctor(Project.open())] == told
    assert stored_files(store) == {digest("one")}
    assert gittrack.get_run(id).artifact("a.bin") == bytes_of("one")


class TestCommand:
    @pytest.fixture
    def cli(self, capfd):
        def call(*words):
            capfd.readouterr()
            code = main(words)
            said = capfd.readouterr()
            return code, said.out, said.err

        return call

    def test_a_dry_run_removes_nothing_and_yes_does(self, repo, logged, aged, git, store, cli):
        lose(git, repo, logged("gone", {"a.bin": "gone"}))
        aged()
        code, out, err = cli("gc", "--dry-run")
        assert (code, out) == (0, "")
        assert err == ("gittrack: nothing is removed; would go: 1 file, 100 kB; to do it, the same without --dry-run\n")
        code, _, err = cli("gc")
        assert code == 2
        assert "nobody is there to be asked about 1 file, 100 kB" in err
        assert "hint: gittrack gc --yes\n" in err
        err = cli("gc", "--deleted", "--keep", "best:1 by loss", "--keep", "none", "--checkpoints", "last:2")[2]
        assert "hint: gittrack gc --deleted --keep 'best:1 by loss' --keep none --checkpoints last:2 --yes\n" in err
        assert len(stored_files(store)) == 1
        code, _, err = cli("gc", "--yes")
        assert (code, err) == (0, "gittrack: removed 1 file, 100 kB; next: gittrack du\n")
        assert stored_files(store) == set()
        assert cli("gc")[2] == "gittrack: nothing to remove; in use are 0 files, 0 B: gittrack du\n"

    @pytest.mark.parametrize(("typed", "ends"), [("n\n", 1), ("", 130), ("y\n", 0)])
    def test_it_asks(self, repo, logged, aged, git, store, cli, monkeypatch, typed, ends):
        lose(git, repo, logged("gone", {"a.bin": "gone"}))
        aged()
        terminal = io.StringIO(typed)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        code, _, err = cli("gc")
        assert "remove 1 file, 100 kB? [y/N]" in err
        assert (code, len(stored_files(store))) == (ends, int(ends != 0))
        assert ("nothing was removed" in err) == (typed == "n\n")

    def test_rules_show_who_gives_up_what_and_why(self, repo, logged, aged, store, cli):
        for number in range(4):
            logged(f"run{number}", {"m.bin": f"model {number}"}, metrics={"val_loss": number})
        aged()
        code, out, err = cli("gc", "--keep", "best:1 by val_loss", "--keep", "last:1", "--dry-run")
        assert code == 0
        lines = out.splitlines()
        assert lines[0].split() == ["RUN", "NAME", "EXPERIMENT", "SIZE", "GIVES", "UP", "WHY"]
        assert [line.split()[1] for line in lines[1:]] == ["run2", "run1"]
        assert lines[1].endswith("everything  not in best:1 by lowest val_loss, last:1")
        assert "would go: 2 files, 200 kB" in err
        document = json.loads(cli("gc", "--keep", "last:1", "--yes", "--json")[1])
        assert [item["name"] for item in document["given_up"]] == ["run2", "run1", "run0"]
        assert document["removed"] == {"files": 3, "bytes": 300_000, "linked": 0, "problems": []}
        assert stored_files(store) == {digest("model 3")}
        assert cli("show", "run0")[0] == 0

    def test_rules_of_the_settings_count_only_when_asked_for(self, repo, logged, aged, git, cli):
        logged("a", {"m.bin": "a"}, experiment="churn")
        logged("b", {"m.bin": "b"}, experiment="churn")
        logged("c", {"m.bin": "c"}, experiment="other")
        aged()
        (repo / ".gittrack.toml").write_text('[keep]\n"*" = ["all"]\nchurn = "last:1"\n')
        assert json.loads(cli("gc", "--dry-run", "--json")[1])["garbage"] == []
        given = json.loads(cli("gc", "--rules", "--dry-run", "--json")[1])["given_up"]
        assert [item["name"] for item in given] == ["a"]
        git("config", "gittrack.churn.keep", "last:1, tagged", cwd=repo)
        git("config", "gittrack.keep", "none", cwd=repo)
        given = json.loads(cli("gc", "--rules", "--dry-run", "--json")[1])["given_up"]
        assert sorted((item["name"], item["why"]) for item in given) == [
            ("a", "not in last:1, tagged"),
            ("c", "not in none"),
        ]
        given = json.loads(cli("gc", "--rules", "-e", "other", "--dry-run", "--json")[1])["given_up"]
        assert [item["name"] for item in given] == ["c"]

    def test_checkpoints_before_the_last_ones_go(self, repo, logged, aged, store, cli):
        paths = {f"ckpt/step-{step}.pt": f"step {step}" for step in (5, 50, 100, 1000)}
        id = logged("one", {**paths, "final.pt": "final"})
        logged("two", paths)
        aged()
        document = json.loads(cli("gc", "--checkpoints", "last:2", id, "--dry-run", "--json")[1])
        assert document["given_up"] == [], "the other run holds the same bytes"
        document = json.loads(cli("gc", "--checkpoints", "last:2", "--yes", "--json")[1])
        assert [item["paths"] for item in document["given_up"]] == [["ckpt/step-5.pt", "ckpt/step-50.pt"]] * 2
        assert document["removed"]["files"] == 2
        assert stored_files(store) == {digest("step 100"), digest("step 1000"), digest("final")}

    @pytest.mark.parametrize(
        "words",
        [
            ("--keep", "best"),
            ("--keep", "best:3"),
            ("--keep", "best:3 by weirdness"),
            ("--keep", "last:x"),
            ("--rules",),
            ("--checkpoints", "last:0"),
            ("--checkpoints", "best:3"),
            ("--experiment", "Default"),
            ("@latest",),
        ],
    )
    def test_nonsense_is_wrong_usage(self, repo, logged, aged, cli, words, store):
        logged("one", {"a.bin": "one"})
        aged()
        code, _, err = cli("gc", "--yes", *words)
        assert code == 2
        assert "hint: " in err
        assert len(stored_files(store)) == 1


HASTE = """
import gittrack, os, random, subprocess, sys, time
from pathlib import Path
from gittrack.api.gc import collect, plan_gc
from gittrack.api.project import Project
from gittrack.artifacts import bytes_store, folders, usage
usage.YOUNG_SECONDS, bytes_store.RENEW_SECONDS, folders._RACY_SECONDS = 4.0, 0.5, 0.1
os.environ["GITTRACK_QUIET"] = "1"
"""
LOGGING = (
    HASTE
    + """
from gittrack.api.byte_storage import open_bytes_store
from gittrack.artifacts.reading import problem_of
chance = random.Random(int(sys.argv[1]))
until = time.time() + float(sys.argv[2])
shared = sorted(Path(sys.argv[3]).iterdir())
kept = []
while time.time() < until:
    with gittrack.start_run(strict=True) as run:
        for name in chance.sample(shared, 2):
            run.log_artifact(name)
    kept.append(run.id)
    if len(kept) > 5:
        oldest = kept.pop(0)
        for entry in gittrack.get_run(oldest).artifacts():
            problem = problem_of(open_bytes_store(Project.open()), entry.digest, entry.size)
            assert not problem, (oldest, entry, problem)
        subprocess.run(["git", "update-ref", "-d", f"refs/runs/inbox/{oldest}"], check=True)
        for path in Path(".git/gittrack/done").glob(f"{oldest}-*"):
            path.unlink()
    time.sleep(chance.random())
"""
)
COLLECTING = (
    HASTE
    + """
removed = 0
while True:
    removed += collect(Project.open(), plan_gc(Project.open())).files
    print(removed, flush=True)
"""
)


@pytest.mark.slow
def test_runs_that_log_the_same_bytes_lose_nothing_to_collections_that_are_killed(repo, project_env, store):
    """Days are seconds here; four processes log the same files and folders over and over, and forget older runs."""
    shared = repo.parent / "shared"
    for number in range(60):
        (shared / f"folder{number}" / "deep").mkdir(parents=True)
        for inner in ("a", "deep/b", "c"):
            (shared / f"folder{number}" / inner).write_bytes(bytes_of(f"{inner} of {number // 2}"))
        (shared / f"file{number}").write_bytes(bytes_of(f"a of {number // 2}"))
    seconds = 40
    loggers = [
        subprocess.Popen([sys.executable, "-c", LOGGING, str(seed), str(seconds), str(shared)], env=project_env)
        for seed in range(4)
    ]
    until = time.time() + seconds
    removed = kills = 0
    while time.time() < until:
        collector = subprocess.Popen(
            [sys.executable, "-c", COLLECTING], env=project_env, stdout=subprocess.PIPE, text=True
        )
        try:
            out, _ = collector.communicate(timeout=0.4 + 1.5 * (kills % 5) / 5)
        except subprocess.TimeoutExpired:
            collector.kill()
            kills += 1
            out, _ = collector.communicate()
        else:
            pytest.fail("a collection ended by itself")
        removed += int((out.split() or ["0"])[-1])
    assert [logger.wait(timeout=60) for logger in loggers] == [0] * 4
    usage.put_back(store)
    assert fsck(Project.open()) == []
    assert removed > 5, "nothing was collected: the test tests nothing"
    assert kills > 10
    assert len(gittrack.runs()) == 20
