"""Three clones, two of them of one writer, say things about the same runs in any order: all end in the same state."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from gittrack.api.annotate import delete_run, note_run, rename_run, restore_run, tag_run
from gittrack.api.read import list_runs
from gittrack.errors import GittrackError

from .test_push_and_fetch import month


def state(person) -> dict[str, object]:
    with person.here():
        both = [*list_runs(person.project).runs, *list_runs(person.project, deleted=True).runs]
        return {run.id: (run.name, run.note, run.tags, run.deleted) for run in both}


def act(person, ids: list[str], chance: random.Random) -> None:
    """One thing that a person does to one of the runs they know."""
    known = [id for id in ids if id in state(person)]
    if not known:
        return
    id, number, project = chance.choice(known), chance.randrange(1000), person.project
    actions = [
        lambda: tag_run(project, id, {chance.choice("ab"): str(number)}),
        lambda: tag_run(project, id, {"a": None}),
        lambda: note_run(project, id, f"note {number}"),
        lambda: rename_run(project, id, f"name-{number}"),
        lambda: delete_run(project, id),
        lambda: restore_run(project, id),
    ]
    with person.here():
        try:
            chance.choice(actions)()
        except GittrackError:
            pass  # restoring what is not deleted, untagging what has no tag: refused, and nothing happened


def schedule(people, seed: int) -> None:
    chance = random.Random(seed)
    clones = [people(f"ann-{seed}", "ann"), people(f"two-{seed}", "ann"), people(f"bob-{seed}", "bob")]
    ids: list[str] = []
    for _ in range(25):
        person = chance.choice(clones)
        step = chance.choice(["run", "act", "act", "act", "push", "fetch"])
        if step == "run":
            ids.append(person.run(f"run-{len(ids)}"))
        elif step == "act":
            act(person, ids, chance)
        elif step == "push":
            person.push()
        else:
            person.fetch()
    for _ in range(2):
        for person in clones:
            person.push(everything=True)
            person.fetch()
    states = [state(person) for person in clones]
    assert states[0] == states[1] == states[2]
    assert set(states[0]) == set(ids)
    for person in clones:
        assert not [name for name in person.refs() if "runs-remote" not in name], "everything is shared"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order_all_see_the_same(people, seed):
    schedule(people, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_whatever_happens_in_many_orders_all_see_the_same(people, seed):
    schedule(people, seed)


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
