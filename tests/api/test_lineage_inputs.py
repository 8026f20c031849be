"""What a run reads: recorded at its start where DVC tracks it, when it is named, and when another run made it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import gittrack
from gittrack.core.records import Input
from gittrack.errors import (
    AmbiguousError,
    ArtifactNotFoundError,
    CorruptRecordError,
    NotFoundError,
    RunNotFoundError,
    UsageError,
)

from .conftest import errors_of


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def track(path: Path, data: bytes = b"data\n") -> str:
    """A file with the pointer that `dvc add` writes; the digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    text = f"outs:\n- md5: {md5(data)}\n  size: {len(data)}\n  hash: md5\n  path: {path.name}\n"
    path.with_name(path.name + ".dvc").write_text(text)
    return f"md5:{md5(data)}"


@pytest.fixture
def project(repo: Path) -> Path:
    """The repository, with DVC."""
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").touch()
    return repo


@pytest.fixture
def dvc(repo):
    def run(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=repo, check=True, capture_output=True)

    run("init", "-q")
    return run


def recorded(**options) -> dict[tuple[str, str], Input]:
    with gittrack.start_run(strict=True, **options) as run:
        pass
    return inputs_of(run.id)


def inputs_of(id: str):
    return {(item.uri, item.digest): item for item in gittrack.get_run(id).record.inputs}


def states(found) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for (uri, _), item in found.items():
        result.setdefault(uri, []).append(item.state)
    return {uri: sorted(each) for uri, each in result.items()}


PIPELINE = """\
stages:
  prepare:
    wdir: work
    cmd: cat ../data/raw/a ../data/raw/b > prepared.txt
    deps:
    - ../data/raw
    outs:
    - prepared.txt
"""


def test_what_dvc_tracks_is_recorded_with_its_hash_and_whether_it_is_what_lies_there(repo, git, dvc):
    (repo / "data/raw").mkdir(parents=True)
    (repo / "work").mkdir()
    for name in ("raw/a", "raw/b", "train.csv", "test.csv", "it's: odd #name é.csv"):
        (repo / "data" / name).write_text(name)
    dvc("add", "-q", "data/raw", "data/train.csv", "data/test.csv", "data/it's: odd #name é.csv")
    (repo / "dvc.yaml").write_text(PIPELINE)
    dvc("repro", "-q")
    git("add", "data/train.csv.dvc", cwd=repo)  # the others git does not know yet
    first = recorded()
    assert states(first) == {
        "data/raw": ["verified"],
        "data/train.csv": ["verified"],
        "data/test.csv": ["verified"],
        "data/it's: odd #name é.csv": ["verified"],
        "work/prepared.txt": ["verified"],
    }
    assert {item.source for item in first.values()} == {".dvc", "dvc.lock"}
    assert {item.role for item in first.values()} == {"project"}
    prepared = next(item for item in first.values() if item.uri == "work/prepared.txt")
    assert prepared.digest == "md5:" + md5(b"raw/araw/b")
    (repo / "data/train.csv").write_text("changed")
    (repo / "data/raw/c").write_text("new")
    (repo / "data/test.csv").unlink()
    second = recorded()
    assert states(second) == {
        "data/raw": ["modified", "verified"],
        "data/train.csv": ["modified", "verified"],
        "data/test.csv": ["missing"],
        "data/it's: odd #name é.csv": ["verified"],
        "work/prepared.txt": ["verified"],
    }
    real = next(item for item in second.values() if item.uri == "data/train.csv" and item.state == "verified")
    assert (real.digest, real.source, real.size) == ("md5:" + md5(b"changed"), "computed", 7)
    dvc("add", "-q", "data/train.csv", "data/raw")
    assert states(recorded())["data/raw"] == ["verified"]


def test_a_run_says_at_its_end_that_its_data_is_not_what_dvc_tracks(repo, dvc, project_env):
    (repo / "data" / "raw").mkdir(parents=True)
    (repo / "data" / "raw" / "a").write_text("a")
    (repo / "data" / "train.csv").write_text("train")
    dvc("add", "-q", "data/raw", "data/train.csv")
    (repo / "data" / "train.csv").write_text("other\n")
    (repo / "data" / "raw" / "a").write_text("other too")
    program = "import gittrack\nwith gittrack.start_run() as run: run.log_input('data/train.csv', role='train')"
    done = subprocess.run([sys.executable, "-c", program], env=project_env, capture_output=True, text=True, check=True)
    assert "  data       data/raw and 1 more not as DVC tracks it: dvc status\n" in done.stderr


def test_a_project_without_dvc_records_nothing_and_remembers_nothing(repo):
    track(repo / "a.csv")
    assert recorded() == {}
    assert not (repo / ".git/gittrack/known-data").exists()


def test_a_project_in_a_subdirectory_is_the_one_that_counts_there(repo, monkeypatch):
    (repo / "sub/.dvc").mkdir(parents=True)
    track(repo / "outside.csv")
    digest = track(repo / "sub/deep/inside.csv")
    assert recorded() == {}
    monkeypatch.chdir(repo / "sub/deep")
    assert list(recorded()) == [("sub/deep/inside.csv", digest)]


def test_a_working_directory_elsewhere_means_the_top_of_the_repository(project, tmp_path, monkeypatch):
    digest = track(project / "a.csv")
    (tmp_path / "elsewhere/.dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("GITTRACK_REPO", str(project))
    with gittrack.start_run() as run:
        pass
    monkeypatch.chdir(project)
    assert list(inputs_of(run.id)) == [("a.csv", digest)]


def test_a_linked_worktree_has_its_own_data(project, git, tmp_path, monkeypatch):
    digest = track(project / "a.csv")
    (project / ".gitignore").write_text("/a.csv\n")
    git("add", "-A", cwd=project)
    git("commit", "-qm", "data", cwd=project)
    git("worktree", "add", "-q", str(tmp_path / "linked"), cwd=project)
    monkeypatch.chdir(tmp_path / "linked")
    found = recorded()
    assert list(found) == [("a.csv", digest)]
    assert states(found) == {"a.csv": ["missing"]}
    (tmp_path / "linked/a.csv").write_bytes(b"data\n")
    assert states(recorded()) == {"a.csv": ["verified"]}


def test_a_folder_of_which_dvcignore_leaves_files_out_is_never_called_modified(project):
    (project / "d").mkdir()
    (project / "d/a").write_text("a")
    (project / "d/b.tmp").write_text("b")
    listing = f'[{{"md5": "{md5(b"a")}", "relpath": "a"}}]'.encode()
    (project / "d.dvc").write_text(f"outs:\n- md5: {md5(listing)}.dir\n  hash: md5\n  path: d\n")
    assert states(recorded())["d"] == ["modified", "verified"]
    (project / ".dvcignore").write_text("# comment\n\n*.tmp\n")
    assert states(recorded()) == {"d": ["unverified"]}


def test_a_text_hashed_by_dvc_2_is_never_called_modified(project):
    (project / "old.txt").write_bytes(b"a\r\nb\r\n")
    (project / "old.txt.dvc").write_text(f"outs:\n- md5: {md5(b'other')}\n  path: old.txt\n")
    assert states(recorded()) == {"old.txt": ["unverified"]}


def test_a_pointer_that_cannot_be_read_is_a_line_and_the_run_goes_on(project, git):
    digest = track(project / "good.csv")
    (project / "bad.dvc").write_text("outs:\n- md5: *bomb\n  path: x\n")
    (project / "binary.dvc").write_bytes(bytes(range(256)))
    git("add", "-A", cwd=project)
    with gittrack.start_run(strict=True) as run:
        run.log_metric("loss", 1)
    assert list(inputs_of(run.id)) == [("good.csv", digest)]
    lines = errors_of(gittrack.get_run(run.id))
    assert len(lines) == 2
    assert "'bad.dvc' tells nothing about its data" in lines[0]


def test_data_outside_the_repository_is_never_read(project, tmp_path):
    (tmp_path / "secret").write_text("secret")
    text = f"outs:\n- md5: {md5(b'secret')}\n  hash: md5\n  path: ../secret\n"
    (project / "x.dvc").write_text(text)
    (project / "out").symlink_to(tmp_path / "secret")
    (project / "out.dvc").write_text(text.replace("../secret", "out").replace(md5(b"secret"), "0" * 32))
    found = recorded()
    assert states(found) == {"../secret": [""], "out": ["unverified"]}
    assert ("out", "md5:" + md5(b"secret")) not in found


def test_a_start_does_not_wait_for_large_data_nor_does_the_end(project):
    size = 5 << 30
    with open(project / "large.bin", "wb") as file:
        file.truncate(size)
    (project / "large.bin.dvc").write_text(
        f"outs:\n- md5: {'0' * 32}\n  size: {size}\n  hash: md5\n  path: large.bin\n"
    )
    (project / ".gitignore").write_text("/large.bin\n")
    began = time.monotonic()
    with gittrack.start_run() as run:
        run.log_input("large.bin", role="train")  # asked for: begun, whatever its size
        started = time.monotonic() - began
    ended = time.monotonic() - began - started
    assert started < 5
    assert ended < 5
    assert {item.state for item in inputs_of(run.id).values()} == {"unverified"}


def test_an_unchanged_project_is_not_read_again(project):
    track(project / "a.csv")
    old = time.time_ns() - 3_600_000_000_000
    time.sleep(2.1)  # ctime cannot be set back
    assert states(recorded()) == {"a.csv": ["verified"]}
    (entry,) = (project / ".git/gittrack/known-data").iterdir()
    assert md5(b"data\n").encode() in entry.read_bytes()
    entry.write_bytes(entry.read_bytes().replace(md5(b"data\n").encode(), b"f" * 32))
    assert states(recorded()) == {"a.csv": ["modified", "verified"]}, "what is remembered was believed"
    os.utime(project / "a.csv", ns=(old, old))
    assert states(recorded()) == {"a.csv": ["verified"]}, "and not any more once the file was touched"


@pytest.mark.slow
def test_a_folder_of_ten_thousand_files(project):
    (project / "many").mkdir()
    rows = []
    for number in range(10_000):
        data = f"{number}\n".encode() * 50
        (project / f"many/{number:05}").write_bytes(data)
        rows.append(f'{{"md5": "{md5(data)}", "relpath": "{number:05}"}}')
    listing = ("[" + ", ".join(rows) + "]").encode()
    (project / "many.dvc").write_text(f"outs:\n- md5: {md5(listing)}.dir\n  hash: md5\n  path: many\n")
    (project / ".gitignore").write_text("/many\n")

    def looked_at() -> dict[str, list[str]]:
        with gittrack.start_run() as run:
            run._files.inputs._check.finish(60)
        return states(inputs_of(run.id))

    assert looked_at() == {"many": ["verified"]}
    (project / "many/00007").write_bytes(b"x")
    assert looked_at() == {"many": ["modified", "verified"]}


KILLED = """
import os, signal, time, gittrack
run = gittrack.start_run(name="killed")
run.log_input("large.bin")
run.log_metric("loss", 1)
time.sleep(0.05)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_while_data_is_looked_at_loses_no_input_and_leaves_nothing_taken_for_verified(project, program):
    digest = track(project / "a.csv")
    with open(project / "large.bin", "wb") as file:
        file.truncate(1 << 30)
    (project / "large.bin.dvc").write_text(f"outs:\n- md5: {'1' * 32}\n  hash: md5\n  path: large.bin\n")
    (project / ".gitignore").write_text("/large.bin\n")
    done = program(KILLED)
    assert done.returncode == -signal.SIGKILL
    saved = gittrack.get_run("killed")
    assert saved.status == "crashed"
    found = inputs_of(saved.id)
    assert ("a.csv", digest) in found
    assert {item.state for item in found.values() if item.uri == "large.bin"} == {"unverified"}
    assert states(recorded())["a.csv"] == ["verified"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_looks_at_its_own_data_itself(project, program):
    track(project / "a.csv")
    digest = track(project / "b.csv", b"b")
    with open(project / "large.bin", "wb") as file:
        file.truncate(1 << 30)
    (project / "large.bin.dvc").write_text(f"outs:\n- md5: {'1' * 32}\n  hash: md5\n  path: large.bin\n")
    (project / ".gitignore").write_text("/large.bin\n")
    done = program("""
import os, time, gittrack
with gittrack.start_run(name="forked") as run:
    run.log_input("large.bin")  # the parent's thread is at it
    child = os.fork()
    if child == 0:
        run.log_input("b.csv", role="child")
        time.sleep(1)
        os._exit(0)
    os.waitpid(child, 0)
""")
    assert done.returncode == 0, done.stderr
    found = gittrack.get_run("forked").record.inputs
    assert [(item.digest, item.state) for item in found if item.role == "child"] == [(digest, "verified")]


def test_a_program_that_joins_a_run_records_the_project_once(project, gittrack_cli):
    track(project / "a.csv")
    (project / "train.py").write_text("import gittrack\ngittrack.log_input('a.csv', role='train')\n")
    done = gittrack_cli("run", "-n", "joined", "--", sys.executable, "train.py", cwd=project)
    assert done.returncode == 0, done.stderr
    found = gittrack.get_run("joined").record.inputs
    assert sorted((item.role, item.state) for item in found) == [("project", "verified"), ("train", "verified")]


def test_a_resumed_run_records_what_the_project_has_now_too(project):
    first = track(project / "a.csv", b"one")
    with gittrack.start_run() as run:
        pass
    second = track(project / "a.csv", b"two")
    with gittrack.start_run(run_id=run.id):
        pass
    assert set(inputs_of(run.id)) == {("a.csv", first), ("a.csv", second)}


# -- log_input ---------------------------------------------------------------------------------------------------------


def logged(*arguments, **more):
    with gittrack.start_run(strict=True) as run:
        run.log_input(*arguments, **more)
    (item,) = (item for item in gittrack.get_run(run.id).record.inputs if item.role != "project")
    return item


def test_a_tracked_file_has_the_hash_of_dvc_and_how_it_stands(project):
    digest = track(project / "data/a.csv")
    item = logged("data/a.csv", role="train")
    assert (item.name, item.uri, item.digest, item.source) == ("a.csv", "data/a.csv", digest, ".dvc")
    assert (item.state, item.size) == ("verified", 5)
    (project / "data/a.csv").unlink()
    assert logged("data/a.csv").state == "missing"


def test_a_member_of_a_tracked_folder_has_its_own_hash(repo, dvc):
    (repo / "raw/deep").mkdir(parents=True)
    (repo / "raw/a").write_text("a")
    (repo / "raw/deep/b").write_text("b")
    (repo / "raw/deep/c").write_text("c")
    dvc("add", "-q", "raw")
    (repo / "raw/later").write_text("later")
    item = logged("raw/a")
    assert (item.uri, item.digest, item.source, item.state) == ("raw/a", "md5:" + md5(b"a"), ".dvc", "verified")
    deep = logged(repo / "raw" / "deep", role="train")
    listing = f'[{{"md5": "{md5(b"b")}", "relpath": "b"}}, {{"md5": "{md5(b"c")}", "relpath": "c"}}]'
    assert (deep.digest, deep.state) == (f"md5:{md5(listing.encode())}.dir", "verified")
    later = logged("raw/later")
    assert (later.digest, later.source) == ("md5:" + md5(b"later"), "computed")


def test_what_nobody_tracks_is_hashed_as_dvc_would(repo):
    (repo / "plain.csv").write_text("a\n")
    item = logged("plain.csv")
    assert (item.digest, item.source, item.size, item.state) == ("md5:" + md5(b"a\n"), "computed", 2, "")


def test_a_table_elsewhere_is_its_address_and_its_version(repo):
    item = logged("delta://user:pw@lake/sales?sig=1", role="train", version="12")
    assert (item.name, item.uri, item.digest, item.source) == ("sales", "delta://lake/sales", "version:12", "given")
    with gittrack.start_run() as run:
        run.log_input("lakefs://repo/main/t", version="a")
        run.log_input("lakefs://repo/main/t", version="b")
        run.log_input("lakefs://repo/main/t", version="c", digest="md5:0")
        run.log_input("lakefs://repo/main/t", version=5)
    assert [item.digest for item in gittrack.get_run(run.id).record.inputs] == ["version:a", "version:b"]
    assert len(errors_of(gittrack.get_run(run.id))) == 2


def test_a_given_digest_or_version_is_kept_without_its_secrets(repo):
    with gittrack.start_run() as run:
        run.log_input("delta://lake/a", digest="https://u:PASSWORD@h/x")
        run.log_input("delta://lake/b", version="token=" + "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789")
        run.log_input("delta://lake/c", digest="sha256:" + "ab" * 32)
    digests = [item.digest for item in gittrack.get_run(run.id).record.inputs]
    assert digests == ["https://h/x", "version:token=***", "sha256:" + "ab" * 32]


def test_data_in_memory_is_its_content_and_schema(repo):
    item = logged(np.zeros((2, 3)), "zeros", role="test")
    assert (item.name, item.uri, dict(item.schema)) == ("zeros", "memory:ndarray", {"2x3": "float64"})
    assert item.digest.startswith("array-sha256:")


# -- use_artifact ------------------------------------------------------------------------------------------------------


@pytest.fixture
def base(repo, tmp_path):
    """A run that made a large file, a folder, and small files."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.txt").write_text(f"{number} " * 1000)
    (tmp_path / "model.bin").write_bytes(b"m" * 200_000)
    with gittrack.start_run(name="base", strict=True) as run:
        run.log_artifact(tmp_path / "model.bin")
        run.log_artifacts(folder, "out/many")
        run.log_text("one", "texts/one.txt")
        run.log_text("two", "texts/two.txt")
    return run


def test_using_what_another_run_made_is_an_input_and_gives_the_bytes(base, tmp_path):
    with gittrack.start_run(strict=True) as run:
        used = run.use_artifact("base:model.bin", role="model")
        with used.open() as file:
            assert file.read() == used.read() == b"m" * 200_000
        assert used.download(tmp_path / "here").read_bytes() == b"m" * 200_000
        many = gittrack.use_artifact(f"{base.id[:8]}:out/many", "data")
        assert len(list(many.download(tmp_path / "there").iterdir())) == 150
        member = gittrack.use_artifact("runs:/base/out/many/7.txt")
        assert member.read() == b"7 " * 1000
        texts = gittrack.use_artifact("base:texts/")
    (first, second, third, fourth) = sorted(gittrack.get_run(run.id).record.inputs, key=lambda item: item.uri)
    assert (first.uri, first.source, first.role) == (f"run:{base.id}/model.bin", "run", "model")
    assert first.digest == used.digest == "md5:" + md5(b"m" * 200_000)
    assert (first.size, first.name) == (200_000, "model.bin")
    assert (second.name, second.digest) == ("data", many.digest)
    assert (third.uri, third.digest) == (f"run:{base.id}/out/many/7.txt", "md5:" + md5(b"7 " * 1000))
    assert (fourth.uri, fourth.digest[-4:]) == (f"run:{base.id}/texts", ".dir")
    assert texts.uri == fourth.uri


WRONG = {
    "no path": ("base", UsageError),
    "an empty path": ("base:", UsageError),
    "no run": (":model.bin", UsageError),
    "nothing": ("", UsageError),
    "no text": (5, UsageError),
    "an unknown run": ("other:model.bin", RunNotFoundError),
    "an unknown path": ("base:other", ArtifactNotFoundError),
    "a path that leaves": ("base:../x", ArtifactNotFoundError),
    "a registered model": ("model@champion", NotFoundError),
    "a registered model as MLflow writes it": ("models:/model@champion", NotFoundError),
    "a version": ("models:/model/3", NotFoundError),
}


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(("address", "error"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_an_error_also_where_nothing_else_is(address, error):
    with gittrack.start_run() as run, pytest.raises(error) as raised:
        run.use_artifact(address)
    assert raised.value.hint
    assert gittrack.get_run(run.id).record.inputs == ()
    if "@" in str(address):
        assert "registry" in raised.value.message


def test_two_runs_of_one_name_are_ambiguous_and_a_live_run_has_nothing_to_use(base):
    with gittrack.start_run(name="base") as run:
        with pytest.raises(AmbiguousError):
            run.use_artifact("base:model.bin")
        run.log_text("x", "x.txt")
        with pytest.raises(ArtifactNotFoundError):
            run.use_artifact(f"{run.id}:x.txt").read()


def test_a_silent_run_gets_the_bytes_too(base, monkeypatch):
    monkeypatch.setenv("GITTRACK_DISABLED", "1")
    with gittrack.start_run() as run:
        assert run.silent
        assert run.use_artifact("base:texts/one.txt").read() == b"one"


def test_bytes_that_were_damaged_are_never_given_out(base, repo):
    (stored,) = (repo / ".git/gittrack/cache/files/md5").glob(f"*/{md5(b'm' * 200_000)[2:]}")
    stored.chmod(0o644)
    stored.write_bytes(b"n" * 200_000)
    used = gittrack.use_artifact("base:model.bin")
    with pytest.raises(CorruptRecordError):
        used.open()
