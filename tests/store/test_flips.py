"""One flipped or missing byte anywhere: it is found, or it changes nothing; a wrong value is never served."""

from __future__ import annotations

import random

import pytest

import gittrack
from gittrack.api.maintain import fsck
from gittrack.api.project import Project
from gittrack.api.read import find_run, list_runs
from gittrack.core.assembly import assemble
from gittrack.core.journal import decode_journal
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.store.live import read_live
from tests.concurrency.harness import environment, new_seed, python

LOG = """
import gittrack, os
run = gittrack.start_run(name="flip", params={"lr": 0.1, "deep": {"er": [1, 2]}}, tags={"a": "b"})
for step in range(60):
    run.log_metric("loss", 1 / (step + 1), step=step)
    run.log_metric("acc", step / 60, step=step)
run.log_text("hello " * 50, "notes.txt")
print(run.id, flush=True)
os._exit(1)
"""
TRUE = {"loss": {step: 1 / (step + 1) for step in range(60)}, "acc": {step: step / 60 for step in range(60)}}
PARAMS = {"lr": 0.1, "deep.er": [1, 2]}


def _damaged(data, chance):
    """The bytes with one bit flipped, one byte missing, or the end cut off."""
    place = chance.randrange(len(data))
    kind = chance.random()
    if kind < 0.7:
        return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]
    return data[:place] + data[place + 1 :] if kind < 0.85 else data[:place]


def _no_wrong_value(series, params, tags):
    for name, points in series.items():
        if name.startswith("damaged/"):
            continue  # points whose metric is not known any more are kept under a name that says so
        for step, value in zip(points.steps, points.values, strict=True):
            assert TRUE[name][step] == value
    assert all(PARAMS[name] == value for name, value in params.items())
    assert tags in ({}, {"a": "b"})


def _journal(repo):
    id = python(LOG, repo, environment()).stdout.strip()
    folder = repo / ".git" / "gittrack" / "live" / id
    (path,) = folder.iterdir()
    return id, folder, path


def _flip_journals(repo, count, seed):
    _, _, path = _journal(repo)
    data = path.read_bytes()
    whole = len(data.rstrip(b"\0"))
    chance = random.Random(seed)
    lost = 0
    for _ in range(count):
        damaged = _damaged(data[:whole], chance)
        contents = decode_journal(damaged)
        try:
            body = assemble([contents])
        except CorruptRecordError:
            lost += 1  # the frame with the start: reported, not guessed at
            continue
        _no_wrong_value(contents.series, body.record.params, body.record.tags)
        if damaged != data[: len(damaged)]:
            assert contents.damaged or len(damaged) < whole
    assert lost < count / 2, "most damage costs one record, not the run"


def test_a_damaged_byte_in_a_journal_is_found_or_harmless(repo):
    _flip_journals(repo, 150, seed=7)


@pytest.mark.slow
def test_five_thousand_damaged_bytes_in_journals_are_found_or_harmless(repo):
    _flip_journals(repo, 5000, seed=new_seed())


def test_a_run_finished_from_a_damaged_journal_says_so_and_keeps_the_rest(repo):
    id, folder, path = _journal(repo)
    data = bytearray(path.read_bytes())
    spot = bytes(data).find(b"\xd7\x01\x00\x00") + 36 * 10 + 20
    data[spot] ^= 1
    path.write_bytes(data)
    live = read_live(str(folder), id)
    assert live is not None
    assert sum(contents.damaged for contents in live.contents)
    assert any("damaged bytes" in finding.reason for finding in fsck(Project.open()))
    (run,) = gittrack.runs()
    assert run.status.value == "crashed"
    assert sum(len(run.history(name)) for name in ("loss", "acc")) == 119
    assert b"could not be read" in (run.file("logs/errors.log") or b"")
    assert fsck(Project.open()) == []


def _flip_objects(repo, count, seed):
    ids = []
    for number in range(3):
        with gittrack.start_run(name=f"r{number}", params=PARAMS, tags={"a": "b"}) as run:
            for step in range(60):
                run.log_metric("loss", TRUE["loss"][step], step=step)
        ids.append(run.id)
    objects = sorted(path for path in (repo / ".git" / "objects").glob("??/*"))
    before = {run.id: (run.name, run.params, run.metrics, run.tags) for run in gittrack.runs()}
    chance = random.Random(seed)
    found = 0
    for _ in range(count):
        path = chance.choice(objects)
        data = path.read_bytes()
        path.chmod(0o644)
        damaged = _damaged(data, chance)
        path.write_bytes(damaged)
        try:
            found += _served_right(before, damaged != data)
        finally:
            path.write_bytes(data)
    assert fsck(Project.open()) == []
    return found


def _served_right(before, changed):
    project = Project.open()
    listing = list_runs(project)
    for run in listing.runs:
        assert (run.name, run.params, run.metrics, run.tags) == before[run.id]
    problems = len(listing.problems)
    for id in before:
        try:
            run = find_run(project, id)
            assert (run.name, run.params, run.metrics, run.tags) == before[id]
            values = dict(zip(run.history("loss").steps, run.history("loss").values, strict=True))
            assert values == TRUE["loss"]
        except GittrackError:
            problems += 1
    findings = fsck(project)
    assert bool(findings) or problems == 0, "what a reader meets, fsck finds"
    return bool(findings)


def test_a_damaged_byte_in_an_object_is_found_or_harmless(repo):
    assert _flip_objects(repo, 60, seed=8)


@pytest.mark.slow
def test_two_thousand_damaged_bytes_in_objects_are_found_or_harmless(repo):
    assert _flip_objects(repo, 2000, seed=new_seed())
