"""Which run an address means when names, ids and deletions get in each other's way."""

from __future__ import annotations

import pytest

import gittrack
from gittrack.api.annotate import delete_run, rename_run, restore_run
from gittrack.api.experiments import find_experiment, rename_experiment
from gittrack.api.project import Project
from gittrack.api.read import find_run, list_runs
from gittrack.errors import AmbiguousError, ConflictError, RunNotFoundError


def finished(name: str, experiment: str | None = None) -> str:
    with gittrack.start_run(name, experiment=experiment) as run:
        pass
    return run.id


@pytest.fixture
def project(repo) -> Project:
    return Project.open(repo)


@pytest.mark.parametrize("digits", [4, 8, 12, 31])
def test_the_name_of_one_run_that_begins_anothers_id_is_ambiguous(project, digits):
    target = finished("target")
    impostor = finished(target[:digits])
    with pytest.raises(AmbiguousError) as caught:
        find_run(project, target[:digits])
    assert list(caught.value.matches) == sorted([target, impostor])
    assert find_run(project, target).name == "target"
    assert find_run(project, impostor).id == impostor


def test_a_full_id_always_wins_even_of_a_live_run_and_over_a_name(project):
    live = gittrack.start_run("live")
    impostor = finished(live.id)
    assert find_run(project, live.id).name == "live"
    assert find_run(project, impostor).name == live.id
    live.end()
    assert find_run(project, live.id).name == "live"
    assert find_run(project, live.id.upper()).name == "live"


def test_what_ambiguity_hints_at_is_not_ambiguous(project):
    target = finished("target")
    finished(target[:8])
    finished(target[:12])
    for digits in (8, 12):
        with pytest.raises(AmbiguousError) as caught:
            find_run(project, target[:digits])
        assert target[: 32 if digits == 12 else 12] in str(caught.value.hint)


def test_a_run_named_like_the_beginning_of_its_own_id_is_found(project):
    target = finished("target")
    rename_run(project, target, target[:8])
    assert find_run(project, target[:8]).id == target


def test_the_short_names_of_a_sweep_stay_names(project):
    ids = {name: finished(name) for name in "0123456789abcdef"}
    assert {name: find_run(project, name).id for name in ids} == ids


def test_a_deleted_run_does_not_stand_in_the_way_of_another_of_its_name(project):
    first = finished("twice")
    delete_run(project, first)
    assert find_run(project, "twice").id == first
    second = finished("twice")
    assert find_run(project, "twice").id == second
    assert restore_run(project, "twice").id == first
    with pytest.raises(AmbiguousError):
        find_run(project, "twice")
    delete_run(project, first), delete_run(project, second)
    with pytest.raises(AmbiguousError):
        restore_run(project, "twice")
    restore_run(project, second)
    with pytest.raises(ConflictError):
        restore_run(project, second)
    with pytest.raises(RunNotFoundError):
        find_run(project, "thrice")


def test_renaming_an_experiment_reads_the_runs_once_and_says_what_is_so(project, monkeypatch):
    finished("it", experiment="old"), finished("other", experiment="else")
    with monkeypatch.context() as patched:
        patched.setattr("gittrack.api.read.read_catalog", None)  # whoever reads it again calls None
        renamed = rename_experiment(project, "old", "new")
        with pytest.raises(ConflictError):
            rename_experiment(project, "new", "else")
    assert renamed == find_experiment(project, "new")
    assert [run.name for run in list_runs(project, experiment="new").runs] == ["it"]
    again = rename_experiment(project, "new", "newer")
    assert again == find_experiment(project, "newer")
    assert [event.value for event in again.state.events] == ["new", "newer"]
