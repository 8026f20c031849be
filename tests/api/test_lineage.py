"""Lineage and whence over real runs: by run, artifact, file, URI and hash, here and in another clone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import gittrack
from gittrack.errors import AmbiguousError, NotFoundError, UsageError


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def labels(found) -> set[str]:
    return {node.label for node in found.nodes.values()}


@pytest.fixture
def story(repo: Path, tmp_path: Path):
    """raw.csv → prepare → table.csv → train → model.bin, out/… → evaluate → report.md."""
    work = tmp_path / "work"
    work.mkdir()
    (repo / "raw.csv").write_bytes(b"raw data")
    (work / "table.csv").write_bytes(b"t" * 100_000)
    (work / "model.bin").write_bytes(b"m" * 100_000)
    (work / "out").mkdir()
    for number in range(120):
        (work / f"out/{number}.txt").write_bytes(b"%d " % number * 1000)
    with gittrack.start_run(name="prepare", strict=True) as run:
        run.log_input("raw.csv", role="source")
        run.log_artifact(work / "table.csv")
    with gittrack.start_run(name="train", strict=True) as run:
        run.log_input(work / "table.csv", role="train")
        run.log_input("delta://lake/labels", version="7")
        run.log_artifact(work / "model.bin")
        run.log_artifact(work / "out")
        run.log_text("small", "notes.txt")
    with gittrack.start_run(name="evaluate", strict=True) as run:
        run.use_artifact("train:model.bin", role="model")
        run.use_artifact("train:out/7.txt")
        run.log_text("good", "report.md")
    return work


WHOLE = {"raw.csv", "prepare", "table.csv", "train", "model.bin", "evaluate", "report.md"}


def test_a_run_is_followed_to_its_data_and_to_what_came_of_it(story):
    found = gittrack.lineage("train")
    assert labels(found) >= WHOLE - {"table.csv"}
    assert {"out", "out/7.txt", "notes.txt", "delta://lake/labels"} <= labels(found)
    assert labels(gittrack.lineage("train", down=False)) & {"evaluate", "model.bin"} == set()
    assert labels(gittrack.lineage("train", up=False)) & {"prepare", "raw.csv"} == set()
    assert labels(gittrack.lineage("@latest", depth=1, up=False)) == {"evaluate", "report.md"}


def test_every_way_to_name_a_thing_leads_to_it(story, repo):
    raw = md5(b"raw data")
    for target in ("raw.csv", str(repo / "raw.csv"), raw, raw[:14], raw[4:], raw[4:14]):
        assert {"prepare", "report.md"} <= labels(gittrack.lineage(target, up=False)), target
    for target in ("train:model.bin", "runs:/train/model.bin", str(story / "model.bin"), md5(b"m" * 100_000)):
        found = gittrack.lineage(target, up=False)
        assert {"evaluate", "report.md"} <= labels(found), target
        assert {"prepare", "raw.csv"} <= labels(gittrack.lineage(target, down=False)), target
    assert {"train", "evaluate"} <= labels(gittrack.lineage("delta://me:pw@lake/labels?x=1"))


def test_a_file_of_a_folder_that_a_run_made_is_found(story):
    assert {"train", "prepare", "raw.csv"} <= labels(gittrack.lineage(str(story / "out/9.txt")))


WRONG = {
    "nothing": ("", NotFoundError),
    "an unknown name": ("nobody", NotFoundError),
    "an unknown hash": ("md5:" + "0" * 32, NotFoundError),
    "an unknown artifact": ("train:other.bin", NotFoundError),
    "an unknown address": ("s3://bucket/none", NotFoundError),
    "a file that no run knows": ("train.py", NotFoundError),
    "NUL": ("a\0b", UsageError),
    "a device": ("/dev/null", UsageError),
    "no text": (5, UsageError),
}


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(("target", "error"), WRONG.values(), ids=WRONG)
def test_what_has_no_lineage_is_an_error(target, error):
    with pytest.raises(error) as raised:
        gittrack.lineage(target)
    assert raised.value.hint


@pytest.mark.usefixtures("story")
def test_a_depth_of_nothing_and_a_beginning_of_several_hashes_are_errors(repo):
    with pytest.raises(UsageError):
        gittrack.lineage("train", depth=0)
    with gittrack.start_run() as run:
        run.log_input("train.py", "a", digest="sha1:abcdef11")
        run.log_input("train.py", "b", digest="sha1:abcdef22")
    with pytest.raises(AmbiguousError):
        gittrack.lineage("sha1:abcdef")


def test_a_file_that_changed_since_says_that_other_content_was_read(story, repo):
    (repo / "raw.csv").write_bytes(b"new data")
    with pytest.raises(NotFoundError, match="other content") as raised:
        gittrack.lineage("raw.csv")
    assert raised.value.hint == f"gittrack lineage {md5(b'raw data')}"


def test_data_that_is_not_here_is_followed_by_what_dvc_says_of_it(repo):
    (repo / ".dvc").mkdir()
    text = f"outs:\n- md5: {md5(b'x')[4:]}\n  hash: md5\n  path: away.csv\n"
    (repo / "away.csv.dvc").write_text(text)
    with gittrack.start_run(name="reader") as run:
        run.log_input("away.csv")
    assert labels(gittrack.lineage("away.csv")) == {"reader", "away.csv"}


def test_whence_a_file_is_known_by_its_bytes_alone(story, tmp_path):
    (tmp_path / "renamed").write_bytes(b"m" * 100_000)
    found = gittrack.whence(tmp_path / "renamed")
    assert [(made.name, made.path, made.member) for made in found.made] == [("train", "model.bin", "")]
    assert [(read.name, read.input.role) for read in found.read] == [("evaluate", "model")]
    assert (found.digest, found.size, found.unseen) == (md5(b"m" * 100_000), 100_000, 0)
    (tmp_path / "small").write_bytes(b"small")
    assert [made.path for made in gittrack.whence(tmp_path / "small").made] == ["notes.txt"]
    member = gittrack.whence(story / "out/5.txt")
    assert [(made.path, made.member) for made in member.made] == [("out", "5.txt")]
    folder = gittrack.whence(story / "out")
    assert [(made.path, made.member) for made in folder.made] == [("out", "")]
    assert [read.name for read in gittrack.whence("raw.csv").read] == ["prepare"]
    unknown = gittrack.whence("train.py")
    assert (unknown.made, unknown.read) == ((), ())
    with pytest.raises(NotFoundError):
        gittrack.whence("nothing")
    with pytest.raises(UsageError):
        gittrack.whence("/dev/null")


def test_a_hash_given_by_hand_is_compared_too(repo):
    digest = hashlib.sha256((repo / "train.py").read_bytes()).hexdigest()
    with gittrack.start_run(name="by-hand") as run:
        run.log_input("train.py", digest=f"sha256:{digest}")
    assert [read.name for read in gittrack.whence("train.py").read] == ["by-hand"]


def test_a_clone_without_the_bytes_knows_whence_a_file_is(story, repo, git, tmp_path):
    clone = tmp_path / "clone"
    git("clone", "-q", str(repo), str(clone))
    git("fetch", "-q", "origin", "+refs/runs/inbox/*:refs/runs/inbox/*", cwd=clone)
    found = gittrack.whence(story / "model.bin", repo=clone)
    assert [made.name for made in found.made] == ["train"]
    assert {"evaluate", "raw.csv"} <= labels(gittrack.lineage("train", repo=clone))
    member = gittrack.whence(story / "out/5.txt", repo=clone)
    assert (member.made, member.unseen) == ((), 1)


def test_deleted_and_running_runs_count(story, gittrack_cli, repo, tmp_path):
    assert gittrack_cli("rm", "train", "--yes", cwd=repo).returncode == 0
    with gittrack.start_run(name="running") as run:
        run.log_text("being written", "draft.md")
        (tmp_path / "draft").write_text("being written")
        found = gittrack.whence(tmp_path / "draft")
        assert [made.name for made in found.made] == ["running"]
        assert "draft.md" in labels(gittrack.lineage(run.id))
    assert [made.name for made in gittrack.whence(story / "model.bin").made] == ["train"]


def test_a_damaged_run_hides_no_other(story, repo, git):
    from gittrack.api.project import Project
    from gittrack.api.whence import find_whence

    broken = gittrack.get_run("evaluate")
    blob = git("rev-parse", f"{broken.commit}:inputs.toml", cwd=repo).strip()
    (repo / ".git/objects" / blob[:2] / blob[2:]).chmod(0o644)
    (repo / ".git/objects" / blob[:2] / blob[2:]).write_bytes(b"damaged")
    found, problems = find_whence(Project.open(), story / "model.bin")
    assert [made.name for made in found.made] == ["train"]
    assert [where for where, _ in problems] == [f"run {broken.id}"]


def test_a_folder_that_runs_read_and_whose_listing_is_not_here_may_hold_the_file(repo, git, tmp_path):
    data = tmp_path / "digits"
    data.mkdir()
    (data / "x.npy").write_bytes(b"x" * 1000)
    (data / "y.npy").write_bytes(b"y" * 1000)
    for name in ("one", "two"):
        with gittrack.start_run(name=name, strict=True) as run:
            run.log_input(data, role="train")
    clone = tmp_path / "clone"
    git("clone", "-q", str(repo), str(clone))
    git("fetch", "-q", "origin", "+refs/runs/inbox/*:refs/runs/inbox/*", cwd=clone)
    found = gittrack.whence(data / "x.npy", repo=clone)
    assert (found.made, found.read, found.unseen, found.unseen_data) == ((), (), 1, 1)
    assert [read.name for read in gittrack.whence(data, repo=clone).read] == ["one", "two"]


def test_a_run_that_says_it_read_data_of_the_project_is_listed_once(repo, git):
    (repo / ".dvc").mkdir()
    (repo / ".dvc" / "config").write_text("")
    (repo / "data.csv").write_bytes(b"data")
    (repo / "data.csv.dvc").write_text(f"outs:\n- md5: {md5(b'data')[4:]}\n  size: 4\n  hash: md5\n  path: data.csv\n")
    git("add", "data.csv.dvc", cwd=repo)
    git("commit", "-qm", "data", cwd=repo)
    with gittrack.start_run(name="says", strict=True) as run:
        run.log_input("data.csv", role="train")
    with gittrack.start_run(name="had", strict=True):
        pass
    found = gittrack.whence("data.csv").read
    assert [(read.name, read.input.role) for read in found] == [("says", "train"), ("had", "project")]
