"""What a run takes from the run around it, and from the command line that it was started with."""

from __future__ import annotations

import subprocess
import sys

import gittrack

JOINING = """
import sys
import gittrack
with gittrack.start_run(params={"lr": float(sys.argv[2]) * 2}, strict=True) as run:
    run.log_metric("loss", 0.5)
"""


def test_a_child_is_in_the_experiment_of_its_parent(repo):
    gittrack.set_experiment("elsewhere")
    try:
        with gittrack.start_run(name="parent", experiment="a/b"):
            with gittrack.start_run(name="child"):
                pass
            with gittrack.start_run(name="other", experiment="c/d", nested=True):
                pass
        with gittrack.start_run(name="after"):
            pass
    finally:
        gittrack.set_experiment("Default")
    found = {run.name: run.record.experiment.name for run in gittrack.runs()}
    assert found == {"parent": "a/b", "child": "a/b", "other": "c/d", "after": "elsewhere"}


def test_a_param_guessed_from_the_command_line_gives_way_to_what_the_program_says(repo, gittrack_cli):
    (repo / "join.py").write_text(JOINING)
    done = gittrack_cli("run", "-n", "it", "--", sys.executable, "join.py", "--lr", "5", "--depth", "3", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert "log_param" not in done.stderr
    assert gittrack.get_run("it").params == {"lr": 10.0, "depth": 3}


def test_a_param_given_to_gittrack_itself_does_not_give_way_in_silence(repo, gittrack_cli):
    (repo / "join.py").write_text(JOINING)
    done = gittrack_cli("run", "-p", "lr=1", "--", sys.executable, "join.py", "--lr", "5", cwd=repo)
    assert "param 'lr' was 1, is now 10.0" in done.stderr
    assert done.returncode == 1  # the program is strict


def test_a_disabled_gittrack_only_runs_the_command(repo, gittrack_cli):
    done = gittrack_cli("run", "--", "sh", "-c", "echo hello; exit 7", cwd=repo, env={"GITTRACK_DISABLED": "1"})
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 7)
    assert gittrack.runs() == []
    refs = subprocess.run(["git", "for-each-ref", "refs/runs"], cwd=repo, capture_output=True, text=True, check=True)
    assert refs.stdout == ""


def test_fsck_reads_objects_larger_than_one_page(repo, gittrack_cli):
    with gittrack.start_run() as run:
        run.log_text("".join(str(number * 7919 % 10007) for number in range(12000)), "long.txt")
    done = gittrack_cli("fsck", cwd=repo)
    assert done.returncode == 0, done.stderr


NAMING = """
import gittrack
with gittrack.start_run(name="inner", experiment="mine", strict=True) as run:
    assert run.experiment == {experiment!r}, run.experiment
"""


def test_what_the_command_line_gives_wins_over_what_the_program_asks_for(repo, gittrack_cli):
    (repo / "join.py").write_text(NAMING.format(experiment="theirs"))
    done = gittrack_cli("run", "-n", "outer", "-e", "theirs", "--", sys.executable, "join.py", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert gittrack.get_run("outer").record.experiment.name == "theirs"


def test_where_the_command_line_gives_nothing_the_program_names_its_run(repo, gittrack_cli):
    (repo / "join.py").write_text(NAMING.format(experiment="mine"))
    done = gittrack_cli("run", "--", sys.executable, "join.py", cwd=repo)
    assert done.returncode == 0, done.stderr
    found = gittrack.get_run("inner").record.experiment
    assert found.name == "mine"
    with gittrack.start_run(name="later", experiment="mine"):
        pass
    assert gittrack.get_run("later").record.experiment == found


TUNED = """
import gittrack
with gittrack.start_run() as run:
    run.log_params({"lr": 0.7, "depth": 3})
"""


def test_a_param_given_to_gittrack_itself_wins_over_the_program(repo, gittrack_cli):
    (repo / "join.py").write_text(TUNED)
    done = gittrack_cli("run", "-n", "it", "-p", "lr=0.1", "--", sys.executable, "join.py", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert "param 'lr' stays 0.1, given on the command line" in done.stderr
    assert gittrack.get_run("it").params == {"lr": 0.1, "depth": 3}


def test_on_ranks_other_than_0_gittrack_run_only_runs_the_command(repo, gittrack_cli):
    for rank in ("1", "0"):
        env = {"RANK": rank, "WORLD_SIZE": "2"}
        done = gittrack_cli("run", "-n", f"rank-{rank}", "--", "sh", "-c", "echo hello; exit 3", cwd=repo, env=env)
        assert (done.stdout, done.returncode) == ("hello\n", 3)
    assert [run.name for run in gittrack.runs()] == ["rank-0"]
