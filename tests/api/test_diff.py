"""``gittrack.diff``: everything that differs between two runs, from real runs."""

from __future__ import annotations

import subprocess

import pytest

import gittrack
from gittrack.api.diff import diff
from gittrack.errors import CorruptRecordError, GittrackError, NotFoundError, RunNotFoundError, UsageError


@pytest.fixture
def two(repo):
    """Runs ``one`` and ``two`` that differ in everything."""
    (repo / "data.csv").write_text("a,b\n1,2\n")
    with gittrack.start_run(name="one", strict=True, params={"lr": 0.1, "depth": 3, "old": None}) as run:
        run.log_metric("loss", 1.0)
        run.log_input("data.csv", "data", "train")
        run.log_text("one", "notes.txt")
        run.set_tag("stage", "dev")
    (repo / "data.csv").write_text("a,b\n3,4\n")
    (repo / "train.py").write_text("print('other')\n")
    with gittrack.start_run(name="two", strict=True, params={"lr": 0.1, "depth": "3", "new": [1]}) as run:
        run.log_metric("loss", 0.5)
        run.log_metric("acc", float("nan"))
        run.log_input("data.csv", "data", "train")
        run.log_text("two", "notes.txt")
        run.set_tag("stage", "live")


def git(repo, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True, text=True).stdout.strip()


def test_everything_that_differs_is_told(two):
    found = diff("one", "two")
    assert [(item.name, item.kind, item.before, item.after) for item in found.params] == [
        ("depth", "changed", 3, "3"),
        ("new", "added", None, [1]),
        ("old", "removed", None, None),
    ]
    assert found.params[0].types == ("int", "str")
    acc, loss = found.metrics
    assert (acc.kind, acc.before, acc.delta, acc.better) == ("added", None, None, None)
    assert (loss.before, loss.after, loss.delta, loss.better) == (1.0, 0.5, -0.5, True)
    (data,) = found.inputs
    assert (data.name, data.role, data.kind, data.fields) == ("data", "train", "changed", ("digest",))
    assert [(item.name, item.before, item.after) for item in found.tags] == [("stage", "dev", "live")]
    assert [(item.path, item.kind) for item in found.artifacts] == [("notes.txt", "changed")]
    assert {(change.status, change.path) for change in found.code.files} == {
        ("modified", "data.csv"),
        ("modified", "train.py"),
    }
    assert "+print('other')" in found.code.patch("train.py")
    assert found.environment == found.packages == () and not found.unknown
    assert found.differs() and found.differs("params") and not found.differs("env")


def test_a_run_does_not_differ_from_itself(two):
    found = diff("one", gittrack.get_run("one"))
    assert not found.differs()
    assert (found.params, found.metrics, found.inputs, found.artifacts, found.code.files) == ((), (), (), (), ())


def test_a_run_differs_from_another_with_other_packages(two, repo, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    packages = tmp_path / "packages"
    (packages / "made_up-1.5.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(packages))
    with gittrack.start_run(name="three"):
        pass
    found = diff("two", "three")
    assert [(item.name, item.kind, item.after) for item in found.packages] == [("made-up", "added", "1.5")]
    assert [(item.name, item.after) for item in found.environment] == [("variables.OMP_NUM_THREADS", "7")]
    assert found.differs("env")


def test_directions_of_metrics_are_those_of_the_project(two, repo):
    (repo / ".gittrack.toml").write_text('[metrics]\nmaximize = ["loss"]\n')
    assert [item.better for item in diff("one", "two").metrics] == [None, False]


def test_a_param_renamed_by_nobody_and_a_tag_changed_later_count_as_they_are_now(two, gittrack_cli, repo):
    gittrack_cli("tag", "two", "stage=dev", cwd=repo)
    assert diff("one", "two").tags == ()


def test_a_run_in_progress_is_compared_in_what_is_known_of_it(two):
    with gittrack.start_run(name="live", params={"lr": 0.2}):
        found = diff("one", "live")
    assert [item.name for item in found.params] == ["depth", "lr", "old"]
    assert "in progress" in found.unknown["env"]
    assert found.differs("env"), "what is not known is not known to be the same"


def test_a_run_is_compared_with_the_work_tree(two, repo):
    assert not diff("two").code.files
    (repo / "train.py").write_text("print('third')\n")
    (repo / "new.py").write_text("new\n")
    found = diff("two")
    assert found.after is None and found.code.of_work_tree
    assert [(change.status, change.path) for change in found.code.files] == [
        ("added", "new.py"),
        ("modified", "train.py"),
    ]
    assert "+print('third')" in found.code.patch()


def test_code_that_is_not_here_is_said_and_the_rest_is_compared(two, repo):
    code = str(gittrack.get_run("two").code)
    (repo / ".git" / "objects" / code[:2] / code[2:]).unlink()
    found = diff("one", "two")
    assert found.params and "is not here" in found.unknown["code"] and found.differs("code")
    with pytest.raises(NotFoundError, match="the code of run 'two' is not here") as failure:
        found.code.patch()
    assert failure.value.hint == f"git fetch origin {code}"
    assert "is not here" in diff("two").unknown["code"]


def test_runs_without_code_are_compared_in_the_rest(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", "empty"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path / "empty")
    for number in (1, 2):
        with gittrack.start_run(name=f"run{number}", params={"a": number}):
            pass
    found = diff("run1", "run2")
    assert [item.name for item in found.params] == ["a"]
    assert found.unknown == {"code": "neither run kept code"}
    assert found.differs("code"), "what is not known is not known to be the same"
    assert not found.differs("tags")
    (tmp_path / "empty" / "a.py").write_text("a\n")
    with gittrack.start_run(name="run3"):
        pass
    found = diff("run1", "run3")
    assert "run 'run1' kept no code: there is no commit and no file yet" in found.unknown["code"]
    assert found.differs("code")
    assert [change.path for change in diff("run3", "run3").code.files] == []


def test_a_damaged_environment_is_said_and_the_rest_is_compared(two, repo, git):
    commit = str(gittrack.get_run("two").commit)
    blob = git("rev-parse", f"{commit}:environment/packages.txt", cwd=repo).strip()
    other = git("hash-object", "-w", "--stdin", cwd=repo, stdin="= =").strip()
    lines = git("ls-tree", "-r", commit, cwd=repo).replace(blob, other).splitlines()
    lines = [
        line.replace(line.split()[2], other) if line.endswith("environment/environment.toml") else line
        for line in lines
    ]
    index = {"GIT_INDEX_FILE": str(repo / ".git" / "other-index")}
    git("update-index", "--index-info", cwd=repo, env=index, stdin="\n".join(lines) + "\n")
    tree = git("write-tree", cwd=repo, env=index).strip()
    message = git("log", "-1", "--format=%B", commit, cwd=repo)
    damaged = git("commit-tree", tree, "-p", f"{commit}^", cwd=repo, stdin=message).strip()
    ref = git("for-each-ref", "--format=%(refname)", "--points-at", commit, cwd=repo).split()[0]
    git("update-ref", ref, damaged, cwd=repo)
    found = diff("one", "two")
    assert "the environment of run 'two' cannot be read" in found.unknown["env"]
    assert found.params


def without(repo, name: str, path: str) -> None:
    """Take the bytes of a file of a run out of the repository."""
    blob = git(repo, "rev-parse", f"{gittrack.get_run(name).commit}:{path}")
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


@pytest.mark.parametrize(
    ("part", "path"), [("params", "params.toml"), ("metrics", "summary.toml"), ("inputs", "inputs.toml"),
                       ("artifacts", "artifacts.toml")],
)  # fmt: skip
@pytest.mark.parametrize("side", ["one", "two"])
def test_a_file_of_a_run_that_is_missing_leaves_the_other_parts(two, repo, part, path, side):
    whole = diff("one", "two")
    without(repo, side, path)
    found = diff("one", "two")
    assert set(found.unknown) == {part}
    assert found.unknown[part].startswith(f"'{path}' of run '{side}' cannot be read: ")
    assert getattr(found, part) == () and found.differs(part)
    for other in ("params", "metrics", "inputs", "artifacts", "tags", "command"):
        if other != part:
            assert repr(getattr(found, other)) == repr(getattr(whole, other)), other  # NaN is not NaN
    assert "+print('other')" in found.code.patch("train.py")


def test_a_run_of_which_nothing_can_be_read_is_named(two, repo):
    without(repo, "one", "run.toml")
    with pytest.raises(CorruptRecordError, match="run 'one' cannot be read"):
        diff("one", "two")


def test_a_part_that_there_is_not_is_a_usage_error_with_the_parts(two):
    with pytest.raises(UsageError, match="'nope' is no part of a diff") as failure:
        diff("one", "two").differs("nope")
    assert "params" in str(failure.value.hint)


def test_errors_are_those_of_addresses(two, repo, git, tmp_path, monkeypatch):
    with pytest.raises(RunNotFoundError):
        diff("one", "nobody")
    bare = tmp_path / "bare.git"
    git("clone", "--quiet", "--mirror", str(repo), str(bare))
    assert diff("one", "two", repo=bare).code.files
    with pytest.raises(UsageError, match="no work tree"):
        diff("one", repo=bare)
    assert issubclass(UsageError, GittrackError)
