"""The demo: train real models in a fresh git repository, then look at the runs, with gittrack and with git alone.

Run by ``make demo``. Every step is checked, by git and not by gittrack's word; the exit code is 1 when one did not do
what is said of it. The repository stays, so that you can go on in it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from stage import DemoFailedError, RecordedRun, Stage, require, set_up

FOLDS = 4
EPOCHS = 15
BY_COMMAND = ("logistic-slow", "logistic", "perceptron", "perceptron-wide")
BY_PYTHON = ("forest-depth-4", "forest-depth-12", "boosting-0.1", "boosting-0.4")
AT_LEAST = 12
ONE_LAYER, TWO_LAYERS = "(args.width,)", "(args.width, args.width)"


def tell(text: str) -> None:
    """Print what comes next."""
    print(f"\n\n── {text} " + "─" * max(0, 100 - len(text)), flush=True)


def train_by_command(stage: Stage) -> None:
    """Runs of an unchanged script: `gittrack run` records, and `git track` is the same command."""
    tell("four runs of train.py as it is: `gittrack run --` before the command records it")
    script = "python train.py"
    for name, prefix, options in (
        ("logistic-slow", "gittrack", "--lr 0.001"),
        ("logistic", "gittrack", "--lr 0.05"),
        ("perceptron", "gittrack", "--model perceptron --lr 0.1"),
        ("perceptron-wide", "git track", "--model perceptron --lr 0.1 --width 256"),
    ):
        stage.type(f"{prefix} run -e digits -n {name} -- {script} {options}", shown_lines=9)


def fail_on_purpose(stage: Stage) -> None:
    """A run that ends in an exception."""
    tell("a run that fails: its points and its error are kept, the exit code passes through")
    command = "gittrack run -e digits -n too-hot -- python train.py --model perceptron --lr 300"
    stage.type(command, shown_lines=12, expected_exit=1)


def run_uncommitted_code(stage: Stage) -> None:
    """A run from a dirty work tree; afterwards the file is as it was."""
    tell("a run of code that is not committed: the run keeps the code as it was")
    script = stage.directory / "train.py"
    committed = script.read_text(encoding="utf-8")
    require(ONE_LAYER in committed, f"train.py has no '{ONE_LAYER}' to change")
    print(f"\n(train.py is edited: {ONE_LAYER} becomes {TWO_LAYERS})")
    script.write_text(committed.replace(ONE_LAYER, TWO_LAYERS), encoding="utf-8")
    try:
        stage.type("git status --short")
        command = "gittrack run -e digits -n deeper -- python train.py --model perceptron --lr 0.1"
        stage.type(command, shown_lines=9)
    finally:
        script.write_text(committed, encoding="utf-8")
    print("\n(train.py is as it was before)")


def train_by_python(stage: Stage) -> None:
    """Runs started by the Python API, several from one process, and a parent with its folds."""
    tell("six runs from one script by the Python API: trees, and neighbours by the `track` decorator")
    stage.type("python sweep.py", shown_lines=20)
    tell("cross-validation: a run, and a child run for each fold")
    stage.type("python cross_validate.py", shown_lines=10)


def check_what_git_holds(stage: Stage) -> dict[str, RecordedRun]:
    """Prove by git alone that every run above is there and is what was said of it; the runs, by name."""
    runs = stage.recorded_runs()
    expected = {*BY_COMMAND, *BY_PYTHON, "too-hot", "deeper", "cross-validation"}
    expected |= {f"fold-{number}" for number in range(FOLDS)}
    require(expected <= set(runs), f"git holds no run named {', '.join(sorted(expected - set(runs)))}")
    require(len(runs) >= max(AT_LEAST, len(expected) + 1), f"git holds only {len(runs)} runs")
    for name in expected:
        status, wanted = runs[name].facts["status"], "failed" if name == "too-hot" else "finished"
        require(status == wanted, f"run '{name}' is {status} instead of {wanted}")
    families = {str(run.params["model"]) for run in runs.values() if "model" in run.params}
    require(len(families) >= 3, f"only {len(families)} families of models: {families}")
    for name in BY_COMMAND:
        require(stage.points(runs[name], "accuracy") == EPOCHS, f"run '{name}' has not {EPOCHS} points")
    failed = runs["too-hot"]
    require(0 < stage.points(failed, "loss") < EPOCHS, "the failed run did not keep its points")
    check_the_code(stage, runs)
    parent = runs["cross-validation"].facts["id"]
    children = [run for run in runs.values() if run.facts.get("parent") == parent]
    require(len(children) == FOLDS, f"the cross-validation has {len(children)} children instead of {FOLDS}")
    stage.git("fsck", "--no-dangling", "--no-progress")
    return runs


def check_the_code(stage: Stage, runs: dict[str, RecordedRun]) -> None:
    """The first parent of a run is the code that ran: HEAD, or for the dirty run a snapshot on top of it."""
    head = stage.git("rev-parse", "HEAD").strip()
    clean, dirty = runs["perceptron"], runs["deeper"]
    require(stage.git("rev-parse", f"{clean.revision}^").strip() == head, "a clean run is not a child of HEAD")
    require(not clean.facts["code"]["dirty"], "a clean run says that it was dirty")
    require(dirty.facts["code"]["dirty"], "the dirty run does not say so")
    require(stage.git("rev-parse", f"{dirty.revision}^^").strip() == head, "the snapshot is not on top of HEAD")
    require(TWO_LAYERS in stage.git("show", f"{dirty.revision}^:train.py"), "the snapshot lacks the edit")
    require(TWO_LAYERS not in stage.git("show", "HEAD:train.py"), "the edit got into the branch")


def look(stage: Stage, runs: dict[str, RecordedRun]) -> None:
    """Show all runs, and one in full."""
    tell("all runs")
    listed = stage.type("gittrack ls")
    missing = [name for name in (*BY_COMMAND, *BY_PYTHON, "too-hot", "deeper") if name not in listed]
    require(not missing, f"`gittrack ls` does not show {', '.join(missing)}")
    tell("one run in full")
    shown = stage.type("gittrack show perceptron")
    run = runs["perceptron"]
    for part in (run.facts["id"][:8], "finished", "accuracy", "lr"):
        require(part in shown, f"`gittrack show` does not show '{part}'")
    stage.type("gittrack fsck")


def look_without_gittrack(stage: Stage, runs: dict[str, RecordedRun]) -> None:
    """Show the same with git alone."""
    one, other = runs["perceptron"].revision, runs["deeper"].revision
    tell("the same with git alone: a run is a commit")
    require(runs["perceptron"].facts["id"] in stage.type(f"git show -s {one}"), "the commit does not name its run")
    require("lr = 0.1" in stage.type(f"git show {one}:params.toml"), "params.toml lacks the learning rate")
    stage.type(f"git show {one}:metrics/accuracy.csv", shown_lines=4)
    trailers = "%h %an, %ar%n%s%n%(trailers:only)"
    require("Status: finished" in stage.type(f"git log -1 --format='{trailers}' {one}"), "git finds no trailers")
    tell("what differs between two runs")
    require("summary.toml" in stage.type(f"git diff --stat {one} {other}"), "the results do not differ")
    tell("what differs between the code of two runs: a caret more, for the first parent")
    require("train.py" in stage.type(f"git diff --stat {one}^ {other}^"), "the code does not differ")
    require(TWO_LAYERS in stage.type(f"git diff --unified=0 {one}^ {other}^"), "the diff lacks the edit")


def say_what_to_type_next(stage: Stage, seconds: float, count: int) -> None:
    """Say where everything is and how to go on."""
    tell(f"{count} runs in {seconds:.0f} seconds; `git status`, HEAD, index and branches are as before")
    activate = Path(sys.executable).parent / "activate"
    print(f"""
type next:
  cd {stage.directory}
  source {activate}
  gittrack run -e digits -n mine -- python train.py --model perceptron --lr 0.2
  gittrack ls
  gittrack show @latest
  gittrack --help

in a project of your own: `gittrack run -- python your_script.py`, and nothing else
""")


def main() -> int:
    """Play the demo; the exit code."""
    started = time.monotonic()
    try:
        stage = set_up()
        print(f"a new git repository: {stage.directory}")
        stage.type("git log --oneline --stat")
        with stage.untouched("the demo"):
            train_by_command(stage)
            fail_on_purpose(stage)
            run_uncommitted_code(stage)
            train_by_python(stage)
            runs = check_what_git_holds(stage)
            look(stage, runs)
            look_without_gittrack(stage, runs)
        say_what_to_type_next(stage, time.monotonic() - started, len(runs))
    except DemoFailedError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
