"""Three clones, two of them of one writer, say things about the same runs in any order: all end in the same state."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gittrack
from gittrack.api.annotate import delete_run, note_run, rename_run, restore_run, tag_run
from gittrack.api.comments import comment_run, resolve_thread, take_back, threads_of
from gittrack.api.experiments import rename_experiment
from gittrack.api.fetch import fetch
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project
from gittrack.api.push import plan_push, push
from gittrack.api.read import all_runs, find_run
from gittrack.api.reviews import ACCEPTED, REJECTED, REQUESTED, review_run, reviews_of, standing_of, withdraw_review
from gittrack.core.refs import INBOX_PREFIX, LOCAL_PREFIX
from gittrack.errors import GittrackError
from gittrack.store.catalog import read_catalog

from .test_push_and_fetch import month

STEPS = ["run", *["act"] * 6, "push", "push", "fetch", "roll up"]


class Clone:
    """One of three clones, opened once, as by a program that goes on for long."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = Project.open(folder)
        self.written: set[str] = set()

    def note(self) -> None:
        """Remember what is new here: the inbox has it until it is rolled up or shared."""
        refs = self.project.repo.refs.list(INBOX_PREFIX)
        self.written |= {name.removeprefix(INBOX_PREFIX) for name, _ in refs}

    def run(self, name: str) -> str:
        os.chdir(self.folder)
        with gittrack.start_run(name=name, strict=True, experiment=f"e{len(name) % 2}") as run:
            run.log_metric("loss", 0.5)
        self.note()
        return str(run.id)

    def push(self, **more: Any) -> None:
        push(self.project, plan_push(self.project, **more))

    def state(self) -> dict[str, object]:
        """Everything that events say of each run."""
        runs, problems = all_runs(self.project)
        assert problems == []
        return {
            id: (
                run.name,
                run.note,
                run.tags,
                run.deleted,
                run.experiment,
                [([comment.id for comment in thread.comments], thread.resolved) for thread in threads_of(run)],
                [review.id for review in reviews_of(run)],
                standing_of(run),
            )
            for id, run in runs.items()
        }


def act(clone: Clone, chance: random.Random) -> None:
    """One thing that a person says of one of the runs they know."""
    project = clone.project
    known = sorted(all_runs(project)[0])
    if not known:
        return
    id, number = chance.choice(known), chance.randrange(1000)

    def said() -> str:
        comments = [comment for thread in threads_of(find_run(project, id)) for comment in thread.comments]
        return str(chance.choice(comments).id) if comments else "none"

    verdict = chance.choice([REQUESTED, ACCEPTED, REJECTED])
    actions: list[Callable[[], object]] = [
        lambda: tag_run(project, id, {chance.choice("ab"): str(number)}),
        lambda: tag_run(project, id, {"a": None}),
        lambda: note_run(project, id, f"note {number}"),
        lambda: rename_run(project, id, f"name-{number}"),
        lambda: delete_run(project, id),
        lambda: restore_run(project, id),
        lambda: comment_run(project, id, f"comment {number}"),
        lambda: comment_run(project, id, f"answer {number}", answers=said()),
        lambda: resolve_thread(project, id, said(), resolved=number % 2 == 0),
        lambda: take_back(project, id, said()),
        lambda: review_run(project, id, verdict, f"because {number}"),
        lambda: withdraw_review(project, id),
        lambda: rename_experiment(project, find_run(project, id).experiment, f"experiment-{number}"),
    ]
    try:
        chance.choice(actions)()
    except GittrackError:
        pass  # restoring what is not deleted, untagging what has no tag: refused, and nothing happened
    clone.note()


def schedule(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    clones = [Clone(folder / name) for name in ("ann", "two", "bob")]
    ids: list[str] = []
    for _ in range(20):
        clone = chance.choice(clones)
        step = chance.choice(STEPS) if ids else "run"
        if step == "run":
            ids.append(clone.run(f"run{'-' * len(ids)}"))
        elif step == "act":
            act(clone, chance)
        elif step == "push":
            clone.push()
        elif step == "fetch":
            fetch(clone.project)
        else:
            roll_up_now(clone.project)
    for clone in clones:
        clone.push(everything=True)
    for clone in clones:
        fetch(clone.project)
    states = [clone.state() for clone in clones]
    assert states[0] == states[1] == states[2], f"seed {seed}"
    assert set(states[0]) == set(ids), f"seed {seed}"
    written = set().union(*(clone.written for clone in clones))
    for clone in clones:
        catalog = read_catalog(clone.project.repo)
        assert {event.id for event in catalog.events.values()} | set(catalog.runs) == written, f"seed {seed}"
        assert len(catalog.events) + len(catalog.runs) == len(written), f"seed {seed}: each once"
        assert not clone.project.repo.refs.list(INBOX_PREFIX, LOCAL_PREFIX), f"seed {seed}: everything is shared"


@pytest.fixture
def schedules(people, remote, tmp_path) -> Callable[[int], None]:
    """Runs the schedule of a seed in three clones that are copies of clones: to copy is cheaper than to clone."""
    for person in (people("ann"), people("two", "ann"), people("bob")):
        person.git("remote", "set-url", "origin", "../remote.git")
        person.git("config", "user.name", "Ann" if person.name == "two" else person.name.capitalize())

    def played(seed: int) -> None:
        folder = tmp_path / f"seed-{seed}"
        for name in ("remote.git", "ann", "two", "bob"):
            shutil.copytree(tmp_path / name, folder / name)
        schedule(folder, seed)
        os.chdir(tmp_path)
        shutil.rmtree(folder)

    return played


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order_all_see_the_same(schedules, seed):
    schedules(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1500, 25))
def test_whatever_happens_in_many_orders_all_see_the_same(schedules, first):
    for seed in range(first, first + 25):
        schedules(seed)


@pytest.mark.parametrize("seed", range(6))
def test_killed_while_it_pushes_it_is_repeated_and_everything_is_there_once(people, project_env, seed):
    chance = random.Random(seed)
    ann, bob = people("ann"), people("bob")
    names = [f"run-{number}" for number in range(4)]
    for name in names:
        ann.run(name)
    program = "from gittrack.cli.main import main; import sys; sys.exit(main(['push']))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ann.folder, env=project_env, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(0.15 + chance.random() * 0.5)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ann.run("last")
    ann.push()
    bob.fetch()
    assert bob.names() == ann.names() == sorted([*names, "last"])
    rows = bob.git("log", "--first-parent", "-p", "--format=", f"refs/runs-remote/origin/{month()}/ann")
    listed = [line for line in rows.split("\n") if line.startswith("+run\t")]
    assert len(listed) == len(set(listed)) == 5
