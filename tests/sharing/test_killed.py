"""``kill -9`` of a fetch here, or of a push's other end there, at any moment: repeated, everything is there once."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gittrack.api.annotate import tag_run
from gittrack.api.fetch import fetch
from gittrack.api.maintain import doctor
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BatchRow
from gittrack.core.refs import FETCHED_PREFIX, INBOX_PREFIX, REMOTE_PREFIX
from gittrack.errors import ConflictError, RemoteError, StorageError
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.store.catalog import read_catalog, walk_ledger
from gittrack.store.rollup import append_batch, month_of, new_ledger
from tests.concurrency.harness import Forks, age_locks, assert_sound, environment, new_seed

from .test_convergence import Clone
from .transports import PASSWORD, USER, Death, git_daemon, http_server, mortal_receive_pack, ssh_command

FETCH = """
from gittrack.api.fetch import fetch
from gittrack.api.project import Project
fetch(Project.open())
"""
MODULES = ("gittrack.api.fetch", "gittrack.api.push", "gittrack.store.incoming", "gittrack.index.database")


def fsck(folder: Path) -> None:
    done = subprocess.run(["git", "fsck", "--no-dangling"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def locks_left(git_dir: Path) -> list[Path]:
    """Locks on refs."""
    return [*git_dir.glob("refs/**/*.lock"), *git_dir.glob("*.lock")]


def rows_of(repo: Repository) -> list[BatchRow]:
    """All that the ledgers remembered here list."""
    return [row for _, tip in repo.refs.list(REMOTE_PREFIX) for row in walk_ledger(repo, tip)]


def ledgers_in_steps(clone: Clone, steps: int) -> list[tuple[ObjectId, list[BatchRow]]]:
    """A ledger that grows by a run and an event a step: its tips, and the rows that each has more than the one before.

    Made without the network, so that what costs is what is tested.
    """
    project, now, known = clone.project, clone.project.now(), set()
    tip = new_ledger(project.repo, month_of(now), project.author, now)
    found = []
    for number in range(steps):
        id = clone.run(f"run-{number}")
        tag_run(project, id, {"number": str(number)})
        fresh = [(name, commit) for name, commit in project.repo.refs.list(INBOX_PREFIX) if name not in known]
        known |= {name for name, _ in fresh}
        ids = [(name.removeprefix(INBOX_PREFIX), commit) for name, commit in fresh]
        rows = [BatchRow("run" if each == id else "event", each, commit) for each, commit in ids]
        tip = append_batch(project.repo, tip, [(row, "e") for row in rows], project.author, now)
        found.append((tip, rows))
    return found


def fetched(clone: Clone) -> None:
    """Fetch again; what a git that was killed as well has left locked, `gittrack doctor` clears once it is old."""
    try:
        fetch(clone.project)
    except (ConflictError, StorageError, RemoteError):
        if not locks_left(clone.folder / ".git"):
            raise
        age_locks(clone.folder)
        doctor(clone.project)
        assert not locks_left(clone.folder / ".git")
        fetch(clone.project)


def survives_killed_fetches(people, remote: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    ann, bob = Clone(people("ann").folder), Clone(people("bob").folder)
    steps = ledgers_in_steps(ann, rounds + 1)
    subprocess.run(["git", "push", "-q", "origin", f"{steps[-1][0]}:refs/heads/all"], cwd=ann.folder, check=True)
    there, name, before = Repository.discover(remote), RefName(f"refs/runs/{month_of(ann.project.now())}/ann"), None
    there.refs.transaction([RefUpdate(RefName("refs/keep/all"), steps[-1][0], None)])
    expected: list[BatchRow] = []
    with Forks(bob.folder, environment(), *MODULES) as forks:
        for number, (tip, rows) in enumerate(steps):
            there.refs.transaction([RefUpdate(name, tip, before)])
            before = tip
            expected += rows
            if number == 0:
                began = time.monotonic()
                assert forks.run(FETCH)[0] == [0], forks.messages()
                usual = time.monotonic() - began
            else:
                forks.run(FETCH, kill_after=chance.uniform(0, usual), kills=chance.choice(["one", "one", "all"]))
            fetched(bob)
            assert sorted(rows_of(bob.project.repo)) == sorted(expected), "each once"
            assert not bob.project.repo.refs.list(FETCHED_PREFIX)
            if number % 25 == 0:
                fsck(bob.folder)
    catalog = read_catalog(bob.project.repo)
    assert catalog.problems == []
    assert len(catalog.runs) == len(catalog.events) == len(steps)
    fsck(remote)
    assert_sound(bob.folder)


def test_a_fetch_that_is_killed_is_repeated_and_everything_is_there_once(people, remote):
    survives_killed_fetches(people, remote, 6, seed=4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_fetches_that_are_killed_lose_nothing(people, remote):
    survives_killed_fetches(people, remote, 200, seed=new_seed())


def pushed_again(clone: Clone, remote: Path) -> None:
    """Push after the server died. A lock that it left on a ref is the server's to remove: the error says so."""
    time.sleep(0.02)
    locks = locks_left(remote)
    if locks:
        with pytest.raises(RemoteError, match=r"refuses .*(lock|failed to update ref)") as caught:
            clone.push()
        assert "whoever runs the remote" in (caught.value.hint or "")
        for lock in locks:
            lock.unlink()
    clone.push()


def survives_killed_servers(
    people, remote: Path, rounds: int, seed: int, dies: Callable[[float | None], None], url: str = ""
) -> int:
    """Push again and again while the other end dies; how often that made a push fail."""
    chance, failed = random.Random(seed), 0
    persons = [people("ann"), people("bob")]
    for person in persons:
        person.git("remote", "set-url", "origin", url or str(remote))
    ann, bob = (Clone(person.folder) for person in persons)
    ids = {ann.run("run-0")}
    ann.push()
    began = time.monotonic()
    ids.add(ann.run("run-1"))
    ann.push()
    usual = time.monotonic() - began
    for number in range(rounds):
        id = ann.run(f"run-{number + 2}")
        tag_run(ann.project, id, {"number": str(number)})
        ids.add(id)
        dies(chance.uniform(0.001, usual / 2))
        try:
            ann.push()
        except RemoteError:
            failed += 1
        dies(None)
        pushed_again(ann, remote)
        assert not ann.project.repo.refs.list(INBOX_PREFIX, FETCHED_PREFIX)
        rows = rows_of(ann.project.repo)
        assert len(rows) == len({row.id for row in rows}) == len(ids) + number + 1, "each once"
        assert {row.id for row in rows if row.kind == "run"} == ids
        if number % 25 == 0:
            fsck(remote)
    fetch(bob.project)
    assert sorted(rows_of(bob.project.repo)) == sorted(rows_of(ann.project.repo))
    catalog = read_catalog(bob.project.repo)
    assert (set(catalog.runs), len(catalog.events), catalog.problems) == (ids, rounds, [])
    fsck(remote)
    assert_sound(ann.folder)
    return failed


def dies_by_variable(after: float | None) -> None:
    """What ``mortal_receive_pack`` and ``ssh_command`` look at."""
    os.environ.pop("DIES_AFTER", None)
    if after is not None:
        os.environ["DIES_AFTER"] = f"{after:.4f}"


@pytest.fixture
def receive_pack(tmp_path, monkeypatch):
    """Makes the other end of every push mortal."""
    monkeypatch.delenv("DIES_AFTER", raising=False)
    home = Path(os.environ["GIT_CONFIG_GLOBAL"])
    home.write_text(home.read_text() + f'[remote "origin"]\n\treceivepack = {mortal_receive_pack(tmp_path)}\n')


def test_the_other_end_of_a_push_dies_and_everything_is_there_once(people, remote, receive_pack):
    survives_killed_servers(people, remote, 6, 1, dies_by_variable)


def test_the_other_end_behind_ssh_dies(people, remote, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:ssh")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh_command(tmp_path)))
    survives_killed_servers(people, remote, 4, 2, dies_by_variable, f"ssh://host{remote}")


def test_the_other_end_behind_http_dies(people, remote, git, monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http")
    git("config", "http.receivepack", "true", cwd=remote)
    death = Death()
    with http_server(remote.parent, death) as url:
        place = url.replace("//", f"//{USER}:{PASSWORD}@") + "/remote.git"
        survives_killed_servers(people, remote, 4, 3, lambda after: setattr(death, "after", after), place)


def test_what_gits_daemon_started_dies(people, remote, monkeypatch):
    if not Path("/proc/self/task").exists():
        pytest.skip("no /proc to find the children of a process in")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:git")
    death = Death()
    with git_daemon(remote.parent, death) as url:
        survives_killed_servers(people, remote, 4, 4, lambda after: setattr(death, "after", after), f"{url}/remote.git")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_other_end_of_two_hundred_pushes_dies_and_everything_is_there_once(people, remote, receive_pack):
    failed = survives_killed_servers(people, remote, 200, new_seed(), dies_by_variable)
    assert failed > 20, "it died too late"


def test_a_lock_that_a_server_left_is_named(people, remote):
    ann = Clone(people("ann").folder)
    ann.run("first")
    ann.push()
    ann.run("second")
    month = month_of(ann.project.now())
    (remote / "refs" / "runs" / month / "ann.lock").touch()
    pushed_again(ann, remote)
    assert len(rows_of(ann.project.repo)) == 2


def test_doctor_clears_what_a_killed_fetch_locked_and_a_power_loss_emptied(people):
    ann, bob = Clone(people("ann").folder), Clone(people("bob").folder)
    ann.run("first")
    ann.push()
    fetch(bob.project)
    month = month_of(ann.project.now())
    ref = bob.folder / ".git" / "refs" / "runs-remote" / "origin" / month / "ann"
    ref.write_bytes(b"")
    ref.with_name("ann.lock").touch()
    (bob.folder / ".git" / "refs" / "runs-fetched").mkdir(exist_ok=True)
    (bob.folder / ".git" / "refs" / "runs-fetched" / "left").write_bytes(bytes(41))
    age_locks(bob.folder)
    doctor(bob.project)
    fetch(bob.project)
    assert len(rows_of(bob.project.repo)) == 1
    assert not locks_left(bob.folder / ".git")
    assert_sound(bob.folder)
