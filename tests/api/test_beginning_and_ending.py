"""Begin, join, nest, end: with and without ``with``, in functions, generators, coroutines and programs of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import sys
import threading

import pytest

import gittrack
from gittrack.errors import GittrackError, InvalidNameError, InvalidValueError, RunNotFoundError, UsageError


def parents() -> dict[str, str | None]:
    """Name of each run -> name of its parent."""
    found = gittrack.runs()
    names = {run.id: run.name for run in found}
    return {run.name: None if run.parent is None else names.get(run.parent, run.parent) for run in found}


def test_a_run_without_with_is_ended_by_end_run(repo):
    run = gittrack.start_run("plain")
    assert gittrack.active_run() is run
    gittrack.log_metric("loss", 0.5)
    gittrack.end_run()
    assert gittrack.active_run() is None
    assert (run.status, run.active) == ("finished", False)
    assert gittrack.get_run(run.id).metrics == {"loss": 0.5}


@pytest.mark.parametrize("status", ["finished", "failed", "killed", "pruned", "abandoned", "FINISHED", "Failed"])
def test_end_run_takes_every_status_in_either_case(repo, status):
    run = gittrack.start_run()
    gittrack.end_run(status)
    assert gittrack.get_run(run.id).status == status.lower()


@pytest.mark.parametrize("status", ["done", "running", "RUNNING", "weird"])
def test_a_status_that_is_none_ends_the_run_and_is_no_success(repo, status, capfd):
    run = gittrack.start_run()
    gittrack.end_run(status)
    assert gittrack.get_run(run.id).status == "failed"
    assert f"'{status}' is not the status of an ended run" in capfd.readouterr().err


def test_end_run_without_a_run_does_nothing(repo, capfd):
    gittrack.end_run()
    assert gittrack.runs() == []
    assert capfd.readouterr().err == ""


def test_a_second_end_changes_nothing(repo):
    run = gittrack.start_run()
    run.end("pruned")
    run.end("failed")
    with run:
        pass
    assert gittrack.get_run(run.id).status == "pruned"


def test_what_is_logged_after_the_end_is_refused_with_a_line(repo, capfd):
    with gittrack.start_run() as run:
        run.log_metric("loss", 1)
    run.log_metric("loss", 2)
    run.log_param("late", 1)
    assert gittrack.get_run(run.id).metrics == {"loss": 1.0}
    assert capfd.readouterr().err.count("the run has ended") == 2


def test_the_fluent_functions_begin_a_run_when_none_is_active(repo):
    gittrack.log_param("lr", 0.1)
    run = gittrack.active_run()
    assert run is not None
    gittrack.end_run()
    assert gittrack.get_run(run.id).params == {"lr": 0.1}


def test_with_inside_with_makes_a_child(repo):
    with gittrack.start_run("outer"):
        with gittrack.start_run("inner"):
            gittrack.log_metric("depth", 2)
            with gittrack.start_run("innermost", nested=True):
                pass
        gittrack.log_metric("depth", 1)
    assert parents() == {"outer": None, "inner": "outer", "innermost": "inner"}
    assert gittrack.get_run("inner").metrics == {"depth": 2.0}
    assert gittrack.get_run("outer").metrics == {"depth": 1.0}


def test_nested_makes_a_child_without_with(repo):
    outer = gittrack.start_run("outer")
    inner = gittrack.start_run("inner", nested=True)
    assert gittrack.active_run() is inner
    gittrack.end_run()
    assert gittrack.active_run() is outer
    gittrack.end_run()
    assert parents() == {"outer": None, "inner": "outer"}


def test_a_forgotten_run_is_ended_with_a_line_when_the_next_begins(repo, capfd):
    first = gittrack.start_run("first")
    second = gittrack.start_run("second")
    assert (first.active, second.active) == (False, True)
    assert "run 'first' was still active and is ended; pass nested=True for a child run" in capfd.readouterr().err
    second.end()
    assert parents() == {"first": None, "second": None}


@pytest.mark.parametrize("kind", ["handle", "id", "name", "saved"])
def test_a_parent_is_given_as_handle_id_name_or_saved_run(repo, kind):
    with gittrack.start_run("sweep") as sweep:
        pass
    given = {"handle": sweep, "id": sweep.id, "name": "sweep", "saved": gittrack.get_run(sweep.id)}[kind]
    with gittrack.start_run("trial", parent=given):
        pass
    assert parents()["trial"] == "sweep"


def test_trials_of_one_parent_are_not_nested_in_each_other_when_one_is_forgotten(repo):
    with gittrack.start_run("sweep") as sweep:
        for number in range(3):
            gittrack.start_run(f"trial-{number}", parent=sweep)
        assert sweep.active
    gittrack.end_run()
    assert parents() == {"sweep": None, "trial-0": "sweep", "trial-1": "sweep", "trial-2": "sweep"}


def test_a_parent_on_another_machine_is_known_by_its_full_id(repo):
    with gittrack.start_run("child", parent="0123456789abcdef" * 2):
        pass
    assert gittrack.get_run("child").parent == "0123456789abcdef" * 2


@pytest.mark.parametrize(("parent", "error"), [("nobody", RunNotFoundError), (5, InvalidValueError), ("", UsageError)])
def test_an_impossible_parent_is_an_error_at_the_start(repo, parent, error):
    with pytest.raises(error):
        gittrack.start_run(parent=parent)
    assert gittrack.runs() == []
    assert gittrack.active_run() is None


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "nul\0", "x" * 251, "\ud800", "escape\x1b[31m"])
def test_an_impossible_name_is_an_error_at_the_start(repo, name):
    with pytest.raises(InvalidNameError):
        gittrack.start_run(name=name)
    if name:
        with pytest.raises(InvalidNameError):
            gittrack.start_run(experiment=name)
    with pytest.raises(InvalidNameError):
        gittrack.set_experiment(name)
    assert gittrack.runs() == []


def test_a_strict_start_that_is_refused_leaves_no_run_half_begun(repo):
    with pytest.raises(UsageError):
        gittrack.start_run(params={"": 1}, strict=True)
    assert gittrack.active_run() is None
    assert [run.status.value for run in gittrack.runs()] == ["failed"]


def test_a_worker_thread_logs_to_the_run_around_it(repo):
    with gittrack.start_run() as run:
        thread = threading.Thread(target=lambda: gittrack.log_metric("from the thread", 1))
        thread.start()
        thread.join()
    assert gittrack.get_run(run.id).metrics == {"from the thread": 1.0}


def test_a_worker_threads_own_run_is_a_child_and_does_not_end_the_run_around_it(repo, capfd):
    outer = gittrack.start_run("outer")

    def work() -> None:
        inner = gittrack.start_run("inner")
        gittrack.log_metric("loss", 1)
        inner.end()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outer.active
    gittrack.log_metric("loss", 2)
    gittrack.end_run()
    assert parents() == {"outer": None, "inner": "outer"}
    assert gittrack.get_run("outer").metrics == {"loss": 2.0}
    assert "still active" not in capfd.readouterr().err


def test_threads_that_count_one_metric_take_each_step_once(repo):
    with gittrack.start_run() as run:
        threads = [
            threading.Thread(target=lambda: [run.log_metric("loss", 0.5) for _ in range(2000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(gittrack.get_run(run.id).history("loss").steps) == list(range(8000))


def test_threads_may_set_params_tags_and_files_at_once(repo):
    def work(run: gittrack.Run, number: int) -> None:
        for each in range(20):
            run.log_param(f"p/{number}/{each}", each)
            run.set_tag(f"t/{number}/{each}", each)
            run.log_text(f"{number} {each}", f"{number}/{each}.txt")

    with gittrack.start_run(strict=True) as run:
        threads = [threading.Thread(target=work, args=(run, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    saved = gittrack.get_run(run.id)
    assert (len(saved.params), len(saved.tags), len(saved.artifacts())) == (80, 80, 80)


def _trial(number: int) -> None:
    with gittrack.start_run(f"trial-{number}", params={"number": number}):
        gittrack.log_metric("score", number)


def test_forked_workers_make_child_runs(repo, capfd):
    gittrack.start_run("search")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_trial, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    gittrack.end_run()
    assert parents() == {"search": None, "trial-0": "search", "trial-1": "search", "trial-2": "search"}
    assert "still active" not in capfd.readouterr().err


def test_a_generator_that_is_left_early_ends_its_run_as_finished(repo):
    def epochs():
        with gittrack.start_run("generator") as run:
            for step in range(10):
                run.log_metric("loss", step)
                yield step

    for step in epochs():
        if step == 3:
            break
    saved = gittrack.get_run("generator")
    assert (saved.status, saved.record.error) == ("finished", "")
    assert len(saved.history("loss")) == 4


def test_two_interleaved_generators_keep_their_points_apart(repo):
    def epochs(name):
        with gittrack.start_run(name) as run:
            for step in range(5):
                run.log_metric(name, step)
                yield

    for _ in zip(epochs("one"), epochs("two"), strict=True):
        pass
    assert {run.name: (set(run.metrics), len(run.history(run.name))) for run in gittrack.runs()} == {
        "one": ({"one"}, 5),
        "two": ({"two"}, 5),
    }
    assert gittrack.active_run() is None


def test_a_cancelled_coroutine_is_a_killed_run(repo):
    async def train():
        with gittrack.start_run("slow"):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(train())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert gittrack.get_run("slow").status == "killed"


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        (None, "finished", 0),
        (0, "finished", 0),
        (3, "failed", 3),
        ("why", "failed", 1),
        (256, "finished", 0),
        (-1, "failed", 255),
    ],
)
def test_sys_exit_within_with_is_judged_by_its_code(repo, code, status, exit_code):
    with pytest.raises(SystemExit), gittrack.start_run() as run:
        raise SystemExit(code)
    saved = gittrack.get_run(run.id)
    assert (saved.status, saved.record.exit_code) == (status, exit_code)
    assert saved.file("logs/traceback.txt") is None


@pytest.mark.parametrize(
    ("ending", "status", "exit_code"),
    [
        ("", "finished", None),
        ("sys.exit(0)", "finished", 0),
        ("sys.exit(4)", "failed", 4),
        ("sys.exit('no data')", "failed", 1),
        ("1 / 0", "failed", 1),
        ("import argparse; argparse.ArgumentParser().error('wrong')", "failed", 2),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass", "finished", None),
    ],
)
def test_a_run_that_nobody_ended_ends_with_the_program_as_that_did(program, ending, status, exit_code):
    done = program(f"import sys, gittrack\nrun = gittrack.start_run('it')\nrun.log_metric('loss', 1)\n{ending}")
    saved = gittrack.get_run("it")
    assert (saved.status, saved.record.exit_code) == (status, exit_code), done.stderr
    assert (saved.file("logs/traceback.txt") is not None) == ("1 / 0" in ending and "try" not in ending)


def test_sys_exit_is_given_back_when_no_run_is_active(repo):
    before = sys.exit
    with gittrack.start_run():
        assert sys.exit != before
    assert sys.exit is before


def test_an_exception_at_a_prompt_does_not_fail_the_run(program):
    code = """
import sys, gittrack
sys.ps1 = ">>> "
run = gittrack.start_run("notebook")
sys.last_value = NameError("a cell")
"""
    assert program(code).returncode == 0
    assert gittrack.get_run("notebook").status == "finished"


# -- what is said at the end ------------------------------------------------------------------------------------------


def log_curves(run: gittrack.Run) -> None:
    for step in range(3):
        run.log_metrics({"acc": 0.9 + step / 100, "loss": 1 / (step + 1), "system/cpu": 5}, step=step)
    run.log_metric("acc", 0.5, step=0)


def test_a_few_lines_on_stderr_say_how_the_run_went(program, repo, git):
    (repo / "new.py").write_text("")
    (repo / "big.bin").write_bytes(b"\0" * (2 << 20))
    done = program(
        "import gittrack\n"
        "with gittrack.start_run('best', 'a/b') as run:\n"
        "    for step in range(3): run.log_metrics({'acc': 0.9 + step / 100, 'loss': 1, 'system/cpu': 5}, step=step)\n"
    )
    run = gittrack.get_run("best")
    took, *rest = done.stderr.splitlines()
    assert took.startswith("gittrack: run 'best' finished after ")
    assert rest == [
        f"  id         {run.id[:8]}",
        "  experiment a/b",
        f"  code       {run.code[:8]}, uncommitted changes on top of {git('rev-parse', 'HEAD', cwd=repo)[:8]} on main",
        "  left out   1 file of the work tree",
        "  metric     acc 0.92 ▁▅█",
        "  metric     loss 1 ▄▄▄",
        f"  next       gittrack show {run.id[:8]}",
    ]


@pytest.mark.parametrize("size", [1, 3000])
def test_what_is_said_fits_eight_lines_of_eighty_columns_whatever_the_run_holds(program, size):
    done = program(
        "import gittrack\n"
        f"params = {{f'p{{number}}': 'v' * 40 for number in range({size})}}\n"
        "run = gittrack.start_run('n' * 200, 'e/' + 'x' * 200, params=params)\n"
        "for metric in 'abcdef': run.log_metrics({metric * 100: 1.5e-9})\n"
        "raise ValueError('y' * 1000)\n"
    )
    lines = done.stderr[done.stderr.index("gittrack: run") :].splitlines()
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80
    assert "failed after" in lines[0]
    assert lines[-1] == f"  next       gittrack show {gittrack.get_run('@latest').id[:8]}"


def test_of_many_runs_of_a_process_and_of_children_one_line_says_how_it_went(program):
    done = program(
        "import gittrack\n"
        "with gittrack.start_run('outer'):\n"
        "    with gittrack.start_run('inner', nested=True) as run: run.log_metric('m', 1)\n"
        "with gittrack.start_run('second'): pass\n"
    )
    inner, second = (gittrack.get_run(name).id[:8] for name in ("inner", "second"))
    lines = done.stderr.splitlines()
    assert lines[0] == f"gittrack: run inner ({inner}) finished · m 1 · gittrack show {inner}"
    assert lines[1].startswith("gittrack: run 'outer' finished after ")
    assert lines[-1] == f"gittrack: run second ({second}) finished · gittrack show {second}"


def test_one_line_shows_the_last_values_of_the_headline_metrics(repo, capfd):
    with gittrack.start_run("first"):
        pass
    capfd.readouterr()
    with gittrack.start_run("best") as run:
        log_curves(run)
    short = run.id[:8]
    assert capfd.readouterr().err == (
        f"gittrack: run best ({short}) finished · acc 0.92 · loss 0.3333 · gittrack show {short}\n"
    )


def test_the_headline_metrics_of_the_settings_come_first(repo, git, capfd, program):
    git("config", "gittrack.headline", "val/auc, missing", cwd=repo)
    said = program(
        "import gittrack\n"
        "for name in '12':\n"
        "    with gittrack.start_run(name) as run: run.log_metrics({'acc': 1, 'val/auc': 0.75})\n"
    ).stderr
    assert "  metric     val/auc 0.75\n  metric     acc 1\n" in said
    assert "finished · val/auc 0.75 · gittrack show" in said


@pytest.mark.parametrize("how", ["environment", "git config", "file"])
def test_quiet_leaves_the_line_out(repo, git, capfd, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("GITTRACK_QUIET", "1")
    elif how == "git config":
        git("config", "gittrack.quiet", "true", cwd=repo)
    else:
        (repo / ".gittrack.toml").write_text("quiet = true\n")
    with gittrack.start_run():
        pass
    assert capfd.readouterr().err == ""


def test_what_is_said_shows_nothing_that_would_mislead_a_terminal(program):
    done = program(
        "import gittrack\n"
        "for _ in range(2):\n"
        "    with gittrack.start_run('\\u202eevil') as run: run.log_metric('\\x1b[31mred\\n', 1)\n"
    )
    lines = done.stderr.split("\n")
    assert len(lines) == 6 + 1 + 1  # several, one, and what follows the last line end
    assert all(line.isprintable() for line in lines)


def test_a_run_joined_inside_gittrack_run_says_nothing_itself(repo, gittrack_cli):
    (repo / "train.py").write_text("import gittrack\nwith gittrack.start_run() as run: run.log_metric('acc', 1)\n")
    done = gittrack_cli("run", "--name", "outer", "--", sys.executable, "train.py", cwd=repo)
    assert gittrack.get_run("outer").metrics == {"acc": 1.0}
    assert done.stderr.count("gittrack show") == 1


# -- what the environment says ---------------------------------------------------------------------------------------

LOGGING = """
import gittrack
with gittrack.start_run(name="it") as run:
    run.log_metric("loss", 1)
    gittrack.seed(5)
    print(run.silent)
"""


def test_gittrack_parent_makes_runs_children(program):
    with gittrack.start_run("outer") as outer:
        pass
    program(LOGGING, env={"GITTRACK_PARENT": outer.id})
    assert parents()["it"] == "outer"


def test_gittrack_experiment_wins_over_set_experiment_and_loses_to_the_argument(program):
    code = "import gittrack\ngittrack.set_experiment('chosen')\nwith gittrack.start_run(experiment={!r}): pass"
    program(code.format(None), env={"GITTRACK_EXPERIMENT": "env"})
    program(code.format("given"), env={"GITTRACK_EXPERIMENT": "env"})
    program(code.format(None))
    assert [run.experiment for run in gittrack.runs()] == ["chosen", "given", "env"]


def test_gittrack_disabled_keeps_nothing(program, git, repo):
    done = program(LOGGING, env={"GITTRACK_DISABLED": "1"})
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert git("for-each-ref", "refs/runs", cwd=repo) == ""
    assert not (repo / ".git" / "gittrack").exists()


def test_gittrack_repo_says_where_runs_go(program, tmp_path, git, repo):
    other = tmp_path / "other"
    git("init", "-q", str(other))
    program(LOGGING, env={"GITTRACK_REPO": str(other)})
    assert gittrack.runs() == []
    assert [run.name for run in gittrack.runs(repo=other)] == ["it"]


@pytest.mark.parametrize(
    ("env", "silent"),
    [
        ({"RANK": "0", "WORLD_SIZE": "4"}, False),
        ({"RANK": "1", "WORLD_SIZE": "4"}, True),
        ({"RANK": "8"}, False),
        ({"LOCAL_RANK": "1"}, True),
        ({"OMPI_COMM_WORLD_RANK": "2"}, True),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, True),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, False),
    ],
)
def test_only_rank_zero_writes(program, env, silent):
    done = program(LOGGING, env=env)
    assert done.stdout == f"{silent}\n"
    assert len(gittrack.runs()) == (not silent)
    if silent:
        assert done.stderr == ""


def test_gittrack_run_id_joins_the_run_once_and_later_runs_are_its_children(repo, program):
    outer = gittrack.start_run("outer")
    done = program(LOGGING.replace("name=", "experiment=") + LOGGING, env={"GITTRACK_RUN_ID": outer.id})
    assert done.returncode == 0, done.stderr
    outer.end()
    assert parents() == {"outer": None, "it": "outer"}
    assert gittrack.get_run("outer").metrics == {"loss": 1.0}


def test_a_run_id_that_is_not_live_costs_the_run_not_the_training(program):
    done = program(LOGGING, env={"GITTRACK_RUN_ID": "0" * 32})
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert "is not live" in done.stderr


def test_params_tags_note_and_experiment_are_given_at_the_start(repo):
    with gittrack.start_run("it", "a/b", {"lr": 0.1, "model": {"depth": 3}}, {"team": "blue"}, "a note") as run:
        assert (run.name, run.experiment, run.params) == ("it", "a/b", {"lr": 0.1, "model.depth": 3})
    saved = gittrack.get_run("it")
    assert (saved.experiment, saved.tags, saved.note) == ("a/b", {"team": "blue"}, "a note")
    assert re.fullmatch("[0-9a-f]{32}", saved.id)


# -- track -----------------------------------------------------------------------------------------------------------


def test_track_keeps_arguments_numbers_and_name(repo):
    @gittrack.track(experiment="a/b", tags={"kind": "toy"})
    def train(lr, *layers, depth=3, **more):
        return {"acc": 0.75, "model": object(), "text": "x", "none": None, "nested": {"a": 1}, "flag": True}

    assert train(0.1, 8, 16, extra="yes")["acc"] == 0.75
    saved = gittrack.get_run("train")
    assert saved.params == {"lr": 0.1, "layers": [8, 16], "depth": 3, "extra": "yes"}
    assert saved.metrics == {"acc": 0.75, "flag": 1.0}
    assert (saved.experiment, saved.tags) == ("a/b", {"kind": "toy"})
    assert saved.file("logs/errors.log") is None


def test_track_without_parentheses_keeps_the_functions_face(repo):
    @gittrack.track
    def train(lr: float = 0.5) -> float:
        """Train."""
        return lr

    assert (train.__name__, train.__doc__, train()) == ("train", "Train.", 0.5)
    assert gittrack.get_run("train").params == {"lr": 0.5}


def test_track_keeps_the_traceback_and_raises_on(repo):
    @gittrack.track
    def train():
        raise FloatingPointError("diverged")

    with pytest.raises(FloatingPointError, match="diverged"):
        train()
    saved = gittrack.get_run("train")
    assert (saved.status, saved.record.error) == ("failed", "FloatingPointError: diverged")
    assert b"in train" in saved.file("logs/traceback.txt")


def test_a_tracked_call_within_a_run_is_its_child(repo):
    @gittrack.track
    def inner():
        return {"x": 1}

    @gittrack.track
    def outer():
        inner()
        inner()

    outer()
    assert sorted((run.name, parent) for run in gittrack.runs() for parent in [run.parent is None]) == [
        ("inner", False),
        ("inner", False),
        ("outer", True),
    ]


def test_a_tracked_coroutine_is_a_run_until_it_ends(repo):
    @gittrack.track
    async def train(lr):
        await asyncio.sleep(0.01)
        gittrack.log_metric("within", 1)
        return {"acc": lr}

    asyncio.run(train(0.5))
    saved = gittrack.get_run("train")
    assert (saved.params, saved.metrics) == ({"lr": 0.5}, {"within": 1.0, "acc": 0.5})


def test_a_tracked_generator_is_a_run_until_it_ends(repo):
    @gittrack.track
    def train(epochs):
        for epoch in range(epochs):
            gittrack.log_metric("loss", epoch)
            yield epoch

    assert list(train(3)) == [0, 1, 2]
    assert len(gittrack.get_run("train").history("loss")) == 3


def test_wrong_arguments_of_a_tracked_function_are_its_own_error(repo):
    @gittrack.track
    def train(lr):
        return lr

    with pytest.raises(TypeError, match="train"):
        train()
    assert gittrack.get_run("train").status == "failed"


# -- seeds, early stopping, system metrics ---------------------------------------------------------------------------


def test_seed_seeds_what_is_loaded_and_records_it(repo):
    import random

    import numpy as np

    drawn = []
    for _ in range(2):
        with gittrack.start_run() as run:
            gittrack.seed(7)
            drawn.append((random.random(), float(np.random.rand())))
    assert drawn[0] == drawn[1]
    seeds = gittrack.get_run(run.id).record.seeds
    assert seeds["python"] == seeds["numpy"] == 7


def test_should_stop_is_the_hook_for_early_stopping(repo):
    assert gittrack.should_stop() is False
    with gittrack.start_run() as run:
        assert gittrack.should_stop() is False
        run.request_stop()
        assert gittrack.should_stop() is True
        assert run.should_stop() is True
    assert gittrack.should_stop() is False


def test_system_metrics_are_sampled_with_one_option(repo, capfd):
    with gittrack.start_run(system_metrics=True) as run:
        pass
    saved = gittrack.get_run(run.id)
    assert saved.metrics["system/memory_percent"] > 0
    assert saved.file("logs/errors.log") is None
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("word", ["sys.exit", "exit", "quit"])
@pytest.mark.parametrize(("code", "status"), [(3, "failed"), (0, "finished")])
def test_a_program_that_leaves_by_any_of_the_three_words_says_how(program, word, code, status):
    done = program(f"import gittrack, sys\ngittrack.start_run('left')\n{word}({code})")
    assert done.returncode == code
    assert gittrack.get_run("left").status == status


def test_exit_and_quit_are_given_back(repo):
    import builtins

    before = (sys.exit, getattr(builtins, "exit", None), getattr(builtins, "quit", None))
    with gittrack.start_run():
        assert sys.exit is not before[0]
        assert repr(sys.exit) == repr(before[0])
    assert (sys.exit, getattr(builtins, "exit", None), getattr(builtins, "quit", None)) == before


@pytest.mark.parametrize("wrong", [{"name": ""}, {"experiment": "a\nb"}, {"parent": "nobody"}, {"run_id": "nobody"}])
def test_what_cannot_begin_ends_no_other_run(repo, wrong):
    run = gittrack.start_run("keep")
    with pytest.raises(GittrackError):
        gittrack.start_run(**wrong)
    assert run.active
    run.end()


def test_the_end_says_how_much_could_not_be_logged(program):
    done = program(
        "import gittrack\nwith gittrack.start_run('bad') as run:\n    run.log_metric('ok', 1)\n"
        "    for _ in range(10): run.log_metric('loss', 'bad')"
    )
    assert "  not kept   10 things that could not be logged as given\n" in done.stderr
    assert len(done.stderr[done.stderr.index("run 'bad'") :].splitlines()) <= 8
