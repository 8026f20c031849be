"""Whether runs are looked up in the index or all of them are read makes no difference, but in time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import gittrack
from gittrack.api import read
from gittrack.api.annotate import delete_run, note_run, rename_run, restore_run, tag_run
from gittrack.api.experiments import Experiment, find_experiment, list_experiments, rename_experiment
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project
from gittrack.api.read import find_listed, find_run, list_runs
from gittrack.errors import GittrackError
from gittrack.store.catalog import read_catalog


def make(name: str, **more: object) -> str:
    with gittrack.start_run(name=name, strict=True, **more) as run:
        run.log_metrics({"loss": 0.5, "nan": float("nan")})
    return run.id


def go_on(id: str, value: float) -> None:
    with gittrack.start_run(run_id=id, strict=True) as run:
        run.log_metric("loss", value)


def in_a_clone_of_another_writer(repo: Path, git, monkeypatch, what: Callable[[Project], None]) -> None:
    """Somebody else writes to a copy; then their ledgers are fetched."""
    clone = repo.with_name("clone")
    shutil.copytree(repo, clone, symlinks=True)
    with monkeypatch.context() as patched:
        patched.chdir(clone)
        patched.setenv("GITTRACK_WRITER", "ann")
        what(Project.open(clone))
        roll_up_now(Project.open(clone))
    for ledger in git("for-each-ref", "--format=%(refname)", "refs/runs/local", cwd=clone).split():
        month = ledger.rpartition("/")[2]
        git("fetch", "--quiet", str(clone), f"+{ledger}:refs/runs-remote/origin/{month}/ann", cwd=repo)
    shutil.rmtree(clone)


def with_a_damaged_message(git, repo: Path, id: str) -> str:
    """A run whose commit says it is one and holds no JSON that can be read."""
    new = "ab12" + id[4:]
    tree = git("rev-parse", f"refs/runs/inbox/{id}^{{tree}}", cwd=repo).strip()
    message = 'x\n\n{"schema":1,"id":3}\n\nRun-Id: ' + new
    commit = git("commit-tree", tree, "-m", message, cwd=repo).strip()
    git("update-ref", f"refs/runs/inbox/{new}", commit, cwd=repo)
    return new


@pytest.fixture
def crowded(repo, git, monkeypatch) -> Project:
    """Renames, deletions, conflicts, two writers' events, resumptions, damage, ledgers, the same name twice."""
    project = Project.open(repo)
    ids = {name: make(name, experiment=experiment) for name, experiment in zip("abcdefg", "xxyyzzz", strict=True)}
    make(ids["a"][:6]), make("a"), make("日本"), make("f")
    tag_run(project, ids["b"], {"stage": "mine"})
    roll_up_now(project)

    def theirs(other: Project) -> None:
        go_on(ids["a"], 0.25)
        tag_run(other, ids["b"], {"stage": "theirs"})
        rename_run(other, ids["c"], "their c")
        make("only there", experiment="x")

    in_a_clone_of_another_writer(repo, git, monkeypatch, theirs)
    go_on(ids["a"], 0.125)
    go_on(ids["d"], 0.75)
    tag_run(project, ids["b"], {"stage": "later"})
    rename_run(project, ids["c"], "our c")
    note_run(project, ids["e"], "a note")
    delete_run(project, ids["e"]), delete_run(project, ids["g"]), restore_run(project, ids["g"])
    delete_run(project, ids["f"])
    rename_experiment(project, "z", "zett")
    make("in z again", experiment="z")
    with_a_damaged_message(git, repo, make("pattern"))
    git("update-ref", "refs/runs/inbox/" + "c" * 32, "HEAD", cwd=repo)
    child = make("child", parent=ids["b"])
    git("tag", "a-tag", f"refs/runs/inbox/{child}", cwd=repo)
    broken = project.layout.live_run(read.RunId("d" * 32))
    broken.mkdir(parents=True)
    return project


def plain(run: gittrack.SavedRun) -> str:
    """All that a run says, as a text: NaN equals no NaN."""
    trends = {name: list(values) for name, values in run.trends.items()}
    said = [run.record, run.commit, run.state, run.conflicts, run.problem, trends, run.params, run.deleted]
    return "\n".join(map(repr, said))


def told(look: Callable[[], object]) -> object:
    """What somebody gets, or which error."""
    try:
        return look()
    except GittrackError as error:
        return type(error), error.message, error.hint, list(getattr(error, "matches", ()))


def both_ways(monkeypatch, look: Callable[[], object]) -> tuple[object, object]:
    answers = []
    for index in (True, False):
        with monkeypatch.context() as patched:
            patched.setattr(read, "may_ask_index", lambda index=index: index)
            answers.append(told(look))
    return answers[0], answers[1]


def addresses(project: Project, git) -> list[str]:
    catalog = read_catalog(project.repo)
    commits = {commit for commits in catalog.runs.values() for commit in commits}
    texts = [
        "@",
        "@latest",
        "@0",
        "@x",
        "",
        "x" * 1001,
        "main",
        "HEAD",
        "HEAD~0",
        "a-tag",
        "refs/heads/main",
        "nothing",
    ]
    texts += [f"@-{back}" for back in range(1, len(catalog.runs) + 3)]
    texts += [
        "a",
        "b",
        "e",
        "f",
        "g",
        "our c",
        "their c",
        "c",
        "日本",
        "\udcff",
        "only there",
        "a\0b",
        "ffff",
        "0" * 32,
    ]
    for id in [*catalog.runs, "d" * 32]:
        texts += [id, id.upper(), id[:31], *(id[:digits] for digits in (1, 2, 3, 4, 6, 8, 12)), f"refs/runs/inbox/{id}"]
    return [*texts, *commits, *(commit[:10] for commit in commits)]


def test_every_address_means_the_same_run_or_is_the_same_error(crowded, git, monkeypatch):
    for address in dict.fromkeys(addresses(crowded, git)):
        for deleted in (False, True):
            one, other = both_ways(monkeypatch, lambda: plain(find_run(crowded, address, deleted=deleted)))  # noqa: B023
            assert one == other, (address, deleted)
    assert told(lambda: find_run(crowded, "our c").name) == "our c"


def test_several_addresses_at_once_are_the_same_runs(crowded, git, monkeypatch):
    ids = [id for id in read_catalog(crowded.repo).runs if isinstance(told(lambda: find_run(crowded, id).id), str)]  # noqa: B023
    for group in (ids, ["@latest", *ids[:3], ids[-1], ids[0]], [ids[1], "nothing"], [], ["ab12" + ids[0][4:], ids[1]]):
        one, other = both_ways(monkeypatch, lambda: [plain(run) for run in find_listed(crowded, group)])  # noqa: B023
        assert one == other, group


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("experiment", [None, "x", "y", "zett", "z", "0", "none"])
def test_every_listing_holds_the_same_runs_in_the_same_order(crowded, monkeypatch, deleted, experiment):
    def look() -> object:
        found = list_runs(crowded, experiment=experiment, deleted=deleted)
        return [plain(run) for run in found.runs], sorted((each.where, each.reason) for each in found.problems)

    one, other = both_ways(monkeypatch, look)
    assert one == other
    if experiment is None:
        assert one[0] and len(one[1]) == 3, one  # two damaged runs, a damaged live one


def test_experiments_are_the_same(crowded, monkeypatch):
    def look() -> list[Experiment]:
        return list_experiments(crowded)

    one, other = both_ways(monkeypatch, look)
    assert one == other
    assert {(item.name, item.runs) for item in one} >= {("zett", 1), ("z", 1), ("y", 2)}
    for address in ("x", "zett", "z", one[0].id, "none"):
        one, other = both_ways(monkeypatch, lambda: find_experiment(crowded, address))  # noqa: B023
        assert one == other


def test_runs_in_progress_are_the_same(crowded, monkeypatch):
    run = gittrack.start_run(name="b", experiment="live only", params={"lr": 0.1}, strict=True)
    run.log_metric("loss", 1.0)
    done = find_listed(crowded, ["our c"], index=False)[0]
    try:
        rename_run(crowded, run.id, "said later")
        for look in (
            lambda: [plain(each) for each in list_runs(crowded).runs],
            lambda: list_experiments(crowded),
            *(
                (lambda text=text: plain(find_run(crowded, text)))
                for text in ("@latest", "@-2", run.id, run.id[:5], "b", "said later", run.id[:31], done.commit)
            ),
        ):
            one, other = both_ways(monkeypatch, look)
            assert one == other
        assert find_run(crowded, "said later").id == run.id
    finally:
        run.end()


def test_lineage_is_the_same(crowded, monkeypatch):
    one, other = both_ways(monkeypatch, lambda: gittrack.lineage("b"))
    assert one == other


def test_nothing_is_written_to_the_index_while_a_run_of_this_process_is_active(repo):
    first = make("first")
    file = Project.open(repo).layout.index_file
    assert not file.exists()
    with gittrack.start_run(run_id=first) as again:
        assert gittrack.get_run("first").id == again.id
        assert [run.name for run in gittrack.runs()] == ["first"]
        with gittrack.start_run(parent="first", nested=True) as child:
            assert child.artifacts() == ()
    assert again.artifacts() == ()
    assert not file.exists()
    assert gittrack.get_run("first").id == first
    assert file.exists()


def test_the_end_of_gittrack_run_writes_no_index(repo, gittrack_cli):
    done = gittrack_cli("run", "--", "true", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert not Project.open(repo).layout.index_file.exists()
    assert gittrack_cli("run", "--parent", "@latest", "--", "true", cwd=repo).returncode == 0
    assert not Project.open(repo).layout.index_file.exists()
