"""Long queries stay within what SQLite can join; of a damaged ledger what can be read stands, as without the index."""

from __future__ import annotations

import subprocess

import pytest

import gittrack
from gittrack.api import read
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project


def make(name: str) -> str:
    with gittrack.start_run(name=name, strict=True) as run:
        run.log_metrics({f"m{number}": 1.0 for number in range(3)})
    return run.id


@pytest.mark.parametrize("count", [19, 20, 21, 63, 64, 200, 480])
@pytest.mark.parametrize("word", ["and", "or"])
def test_queries_of_many_conditions_are_answered(repo, count, word):
    make("one")
    query = f" {word} ".join(f"metrics.m{number % 3} > 0" for number in range(count))
    order = [f"metrics.m{number % 4}" for number in range(16)]
    assert [run.name for run in gittrack.search_runs(query, order_by=order, output_format="list")] == ["one"]


def both(monkeypatch) -> list[tuple[list[str], list[str]]]:
    answers = []
    for index in (True, False):
        with monkeypatch.context() as patched:
            patched.setattr(read, "may_ask_index", lambda index=index: index)
            found = read.list_runs(Project.open())
        answers.append(([run.name for run in found.runs], sorted(map(str, found.problems))))
    return answers


@pytest.fixture
def ledger(repo, git) -> str:
    """The ledger of three runs, a batch each, its objects loose."""
    for name in "abc":
        make(name)
        roll_up_now(Project.open())
    packs = list((repo / ".git" / "objects" / "pack").glob("*"))
    aside = repo.with_name("packs")
    aside.mkdir()
    for file in packs:
        file.rename(aside / file.name)
    for pack in aside.glob("*.pack"):
        with pack.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], stdin=file, cwd=repo, check=True)
    return git("for-each-ref", "--format=%(refname)", "refs/runs/local", cwd=repo).strip()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("back", "left"), [(3, ["c", "b", "a"]), (2, ["c", "b"]), (1, ["c"]), (0, [])])
def test_a_lost_commit_of_a_ledger_hides_only_what_lies_behind_it(repo, git, monkeypatch, ledger, back, left, known):
    lost = git("rev-parse", f"{ledger}~{back}", cwd=repo).strip()
    if known:  # the index has seen it whole, and something new comes
        assert both(monkeypatch)[0] == (["c", "b", "a"], [])
    (repo / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    if not known:
        one, other = both(monkeypatch)
        assert one == other == (left, one[1])
        assert len(one[1]) == 1
        assert both(monkeypatch)[0] == one


@pytest.mark.parametrize("known", [False, True])
def test_a_damaged_batch_on_top_hides_no_older_run(repo, git, monkeypatch, ledger, known):
    if known:
        assert both(monkeypatch)[0] == (["c", "b", "a"], [])
    tip = git("rev-parse", ledger, cwd=repo).strip()
    blob = git("hash-object", "-w", "--stdin", stdin="nonsense\n", cwd=repo).strip()
    names = git("ls-tree", "--name-only", tip, cwd=repo).split()
    tree = git("mktree", stdin="".join(f"100644 blob {blob}\t{name}\n" for name in names), cwd=repo).strip()
    new = git("commit-tree", tree, "-p", tip, "-m", "more", cwd=repo).strip()
    git("update-ref", ledger, new, cwd=repo)
    for _ in range(2):
        one, other = both(monkeypatch)
        assert one == other
        assert one[0] == ["c", "b", "a"]
        assert len(one[1]) == 1
    git("update-ref", ledger, tip, cwd=repo)
    assert both(monkeypatch) == [(["c", "b", "a"], [])] * 2
