"""Whatever is logged: nothing raises, the rest of the run stays whole, and ``errors.log`` tells what is missing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gittrack
from gittrack.errors import GittrackError

from .conftest import paths_of


class Unprintable:
    """Nothing that is asked of it is answered."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __float__(self) -> float:
        raise SilentError

    def __fspath__(self) -> str:
        raise SilentError


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


class Contagious:
    """Every attribute raises."""

    def __getattribute__(self, name: str) -> Any:
        raise MemoryError(name)


def _endless() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    return loop


ODD: dict[str, Any] = {
    "none": None,
    "bytes": b"\xff\x00",
    "a number of 5,000 digits": 10**5000,
    "a negative number": -1,
    "unprintable": Unprintable(),
    "contagious": Contagious(),
    "empty text": "",
    "empty list": [],
    "empty dict": {},
    "a dict in itself": _endless(),
    "an object": object(),
    "nan": float("nan"),
    "infinity": float("inf"),
    "a half character": "\ud800",
    "nul": "a\0b",
    "escape": "\x1b[31m",
    "a dash": "-x",
    "two dots": "..",
    "out and in": "a/../../b",
    "an absolute path": "/no/such/place",
    "right to left": "\u202eabc",
    "newlines": "a\n\nb",
    "a megabyte": "x" * (1 << 20) + "y",
    "a function": len,
    "a lambda": lambda: 1,
    "a class": int,
    "a module": os,
    "complex": 1j,
    "a range": range(3),
    "a set of two types": {1, "a"},
    "a generator": (number for number in ()),
    "true": True,
    "an exception": ValueError("x"),
}

Call = Callable[[gittrack.Run, Any], object]
CALLS: dict[str, Call] = {
    "log_param value": lambda run, odd: run.log_param("p", odd),
    "log_param key": lambda run, odd: run.log_param(odd, 1),
    "log_params": lambda run, odd: run.log_params(odd),
    "log_params within": lambda run, odd: run.log_params({"outer": {"inner": odd}}),
    "log_metric value": lambda run, odd: run.log_metric("m", odd),
    "log_metric key": lambda run, odd: run.log_metric(odd, 1),
    "log_metric step": lambda run, odd: run.log_metric("m", 1, odd),
    "log_metric timestamp": lambda run, odd: run.log_metric("m", 1, 1, odd),
    "log_metrics": lambda run, odd: run.log_metrics(odd),
    "log_metrics step": lambda run, odd: run.log_metrics({"m": 1.0}, odd, odd),
    "set_tag value": lambda run, odd: run.set_tag("t", odd),
    "set_tag key": lambda run, odd: run.set_tag(odd, 1),
    "set_tags": lambda run, odd: run.set_tags(odd),
    "delete_tag": lambda run, odd: run.delete_tag(odd),
    "set_note": lambda run, odd: run.set_note(odd),
    "rename": lambda run, odd: run.rename(odd),
    "seed": lambda run, odd: run.seed(odd),
    "log_text": lambda run, odd: run.log_text(odd, "odd.txt"),
    "log_text name": lambda run, odd: run.log_text("x", odd),
    "log_dict json": lambda run, odd: run.log_dict(odd, "odd.json"),
    "log_dict yaml": lambda run, odd: run.log_dict(odd, "odd.yaml"),
    "log_dict toml": lambda run, odd: run.log_dict({"odd": odd}, "odd.toml"),
    "log_figure": lambda run, odd: run.log_figure(odd, "odd.png"),
    "log_image": lambda run, odd: run.log_image(odd, "odd.png"),
    "log_image key": lambda run, odd: run.log_image([[1, 2]], key=odd),
    "log_image step": lambda run, odd: run.log_image([[1, 2]], step=odd),
    "log_table": lambda run, odd: run.log_table(odd, "odd.csv"),
    "log_table json": lambda run, odd: run.log_table({"column": [odd]}, "odd.json"),
    "log_artifact": lambda run, odd: run.log_artifact(odd),
    "log_artifact folder": lambda run, odd: run.log_artifact("train.py", odd),
    "log_artifacts": lambda run, odd: run.log_artifacts(odd),
    "log_artifacts folder": lambda run, odd: run.log_artifacts("data", odd),
    "log_input": lambda run, odd: run.log_input(odd),
    "log_input name": lambda run, odd: run.log_input("train.py", odd),
    "log_input role": lambda run, odd: run.log_input("train.py", role=odd),
    "log_input digest": lambda run, odd: run.log_input("train.py", digest=odd),
    "log_output": lambda run, odd: run.log_output(odd),
}


@pytest.fixture
def folder(repo: Path) -> Path:
    """The repository, with a small folder; the folder above it is small too, since ".." is among the odd paths."""
    (repo / "data").mkdir()
    (repo / "data" / "a.csv").write_text("1\n")
    return repo


@pytest.mark.parametrize("name", CALLS)
def test_nothing_odd_reaches_the_training_or_the_rest_of_the_run(folder, git, name):
    with gittrack.start_run(name="odd") as run:
        run.log_param("before", 1)
        for odd in ODD.values():
            CALLS[name](run, odd)
        run.log_metric("after", 2.0)
    saved = gittrack.get_run(run.id)
    assert saved.status == "finished"
    assert (saved.params["before"], saved.metrics["after"]) == (1, 2.0)
    assert [listed.id for listed in gittrack.runs()] == [run.id]
    for path in paths_of(saved):
        saved.artifact(path)
    git("fsck", "--strict", cwd=folder)


BAD: dict[str, Any] = {
    "log_param key": 5,
    "log_params": 5,
    "log_metric value": "high",
    "log_metric key": None,
    "log_metric step": 0.5,
    "log_metric timestamp": "noon",
    "log_metrics": [1, 2],
    "set_tag value": "x" * (2 << 20),
    "set_tag key": "",
    "set_tags": [1, 2],
    "delete_tag": None,
    "set_note": "x" * (2 << 20),
    "rename": "two\nlines",
    "seed": "dice",
    "log_text": "\ud800",
    "log_text name": "../up",
    "log_dict json": ODD["a dict in itself"],
    "log_dict yaml": ODD["a dict in itself"],
    "log_figure": 5,
    "log_image": 5,
    "log_image key": 5,
    "log_image step": "first",
    "log_table": 5,
    "log_artifact": "no such file",
    "log_artifact folder": "/up",
    "log_artifacts": "no such folder",
    "log_artifacts folder": "/up",
    "log_input": "no such file",
    "log_input name": 5,
    "log_input role": 5,
    "log_input digest": 5,
    "log_output": "text",
}
"""For each call something it cannot keep."""


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_kept_is_one_line_on_stderr_and_a_line_each_in_the_errors_log(folder, capfd, name):
    function = name.split()[0]
    with gittrack.start_run() as run:
        for _ in range(3):
            CALLS[name](run, BAD[name])
    lines = gittrack.get_run(run.id).file("logs/errors.log").decode().splitlines()
    said = [line for line in capfd.readouterr().err.splitlines() if "errors.log" in line]
    assert len(lines) == 3, lines
    assert all(line.startswith(f"{function}: ") for line in lines), lines
    assert len(said) == 1, said
    assert said[0].startswith(f"gittrack: {function}: ")


@pytest.mark.parametrize("name", BAD)
def test_strict_raises_what_cannot_be_kept_and_keeps_the_rest(folder, name):
    with gittrack.start_run(strict=True) as run:
        with pytest.raises(GittrackError):
            CALLS[name](run, BAD[name])
        run.log_metric("after", 1)
    saved = gittrack.get_run(run.id)
    assert (saved.status, saved.metrics) == ("finished", {"after": 1.0})


@pytest.mark.parametrize("name", CALLS)
def test_strict_raises_only_errors_of_gittrack(folder, name):
    with gittrack.start_run(strict=True) as run:
        for odd in ODD.values():
            with contextlib.suppress(GittrackError):
                CALLS[name](run, odd)
    assert gittrack.get_run(run.id).status == "finished"


@pytest.mark.parametrize("name", CALLS)
def test_a_silent_run_takes_everything_and_says_nothing(folder, monkeypatch, capfd, name):
    monkeypatch.setenv("GITTRACK_DISABLED", "1")
    with gittrack.start_run() as run:
        for odd in ODD.values():
            CALLS[name](run, odd)
    assert run.silent
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ODD)
def test_a_run_ends_whatever_it_is_ended_with(folder, name):
    odd = ODD[name]
    for end in (
        lambda run: run.end(odd),
        lambda run: run.end("failed", exit_code=odd),
        lambda run: run.end("failed", error=odd),
    ):
        run = gittrack.start_run()
        end(run)
        assert not run.active
        assert gittrack.get_run(run.id).commit is not None


@pytest.mark.parametrize("error", [SilentError(), ValueError("\ud800"), RecursionError("x" * 100_000), Exception()])
def test_an_exception_of_any_kind_is_kept_with_its_traceback(repo, error):
    with pytest.raises(type(error)), gittrack.start_run() as run:
        raise error
    saved = gittrack.get_run(run.id)
    assert saved.status == "failed"
    assert saved.record.error.startswith(type(error).__name__)
    assert b"raise error" in saved.file("logs/traceback.txt")


def test_the_errors_log_of_a_mistake_in_a_loop_stays_small(repo, capfd):
    with gittrack.start_run() as run:
        for _ in range(5000):
            run.log_metric("loss", "not a number")
        run.log_metric("loss", 1)
    lines = gittrack.get_run(run.id).file("logs/errors.log").decode().splitlines()
    assert len(lines) == 1001
    assert lines[-1] == "further errors are left out"
    assert gittrack.get_run(run.id).metrics == {"loss": 1.0}


def test_one_param_that_cannot_be_kept_does_not_take_the_others_with_it(repo):
    with gittrack.start_run() as run:
        run.log_params({"lr": 0.1, "": 1, "text": "x" * (2 << 20), "model": {"depth": 6, "a" * 2000: 1}, "last": True})
    saved = gittrack.get_run(run.id)
    assert saved.params == {"lr": 0.1, "last": True}
    assert len(saved.file("logs/errors.log").decode().splitlines()) == 3


FILLS: dict[str, Call] = {
    "params": lambda run, text: [run.log_param(f"p{i}", text) for i in range(12)],
    "note": lambda run, text: run.set_note(text * 12),
    "metrics": lambda run, text: [run.log_metric(f"{i}/{text[:980]}", 1) for i in range(7000)],
    "tags": lambda run, text: [run.set_tag(f"t{i}", text) for i in range(12)],
    "inputs": lambda run, text: [run.log_input("train.py", f"{i}" + text[:900]) for i in range(9000)],
    "artifacts": lambda run, text: [run.log_text("", f"{i}/{text[:3900]}") for i in range(2500)],
    "lists": lambda run, text: run.log_params({f"{i}": [text[:900]] * 1000 for i in range(9)}),
}
QUICK = ("params", "note")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FILLS]
)
def test_what_would_make_a_file_of_the_run_unreadable_is_refused_when_it_is_logged(repo, name):
    with gittrack.start_run() as run:
        run.log_param("first", 1)
        FILLS[name](run, "x" * (1 << 20))
        run.log_param("tiny", 2)
        run.log_metric("tiny", 2)
    saved = gittrack.get_run(run.id)
    assert saved.status == "finished"
    assert saved.params["first"] == 1
    assert len(saved.file("logs/errors.log")) > 10
    with gittrack.start_run(run_id=run.id) as again:
        again.log_metric("resumed", 1)
    assert gittrack.get_run(run.id).metrics["resumed"] == 1.0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("path", ["pipe", "/dev/zero"])
def test_a_pipe_or_device_is_refused_instead_of_read_for_ever(repo, path):
    os.mkfifo(repo / "pipe")
    with gittrack.start_run() as run:
        run.log_artifact(path)
        run.log_artifacts(path)
        run.log_input(path)
    saved = gittrack.get_run(run.id)
    assert paths_of(saved) == ()
    assert len(saved.file("logs/errors.log").decode().splitlines()) == 3


@pytest.mark.parametrize("closed", ["sys.stderr.close()", "sys.stderr = None", "import os; os.close(2)"])
def test_a_closed_stderr_does_not_stop_the_training(program, closed):
    done = program(f"""
import sys, gittrack
{closed}
with gittrack.start_run(name="quiet") as run:
    run.log_metric("loss", "bad")
    run.log_metric("loss", 1)
print("trained")
""")
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert gittrack.get_run("quiet").metrics == {"loss": 1.0}


def test_warnings_as_errors_do_not_stop_the_training(program):
    done = program(
        "import gittrack\nwith gittrack.start_run():\n    gittrack.log_metric('loss', 'bad')\nprint('trained')",
        flags=("-W", "error"),
    )
    assert (done.returncode, done.stdout) == (0, "trained\n")


def test_a_repository_that_vanishes_during_the_run_does_not_stop_the_training(program):
    done = program("""
import shutil, gittrack
with gittrack.start_run() as run:
    run.log_metric("loss", 1)
    shutil.rmtree(".git")
    for step in range(100):
        run.log_metric("loss", step)
    run.log_artifact("train.py")
    run.log_text("x" * 200_000, "large.txt")
print("trained")
""")
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "gittrack: end_run:" in done.stderr


def test_a_failure_to_end_is_raised_when_strict_and_hides_no_error_of_the_training(program):
    code = """
import shutil, gittrack
with gittrack.start_run(strict=True) as run:
    shutil.rmtree(".git")
    {body}
"""
    done = program(code.format(body="pass"))
    assert done.returncode == 1
    assert "gittrack.errors." in done.stderr


def test_the_error_of_the_training_is_shown_though_the_run_cannot_be_ended(program):
    done = program("""
import shutil, gittrack
with gittrack.start_run(strict=True) as run:
    shutil.rmtree(".git")
    raise KeyError("the mistake")
""")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "KeyError: 'the mistake'\ngittrack: the run could not be ended: " in done.stderr


@pytest.mark.parametrize("call", ["log_metric('loss', 1)", "log_params({})", "set_tag('a', 1)", "should_stop()"])
def test_logging_outside_a_repository_warns_once_and_goes_on(tmp_path, project_env, call):
    code = f"import gittrack\nfor _ in range(3): gittrack.{call}\nprint('trained')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=project_env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr.count("this run is not kept") == (0 if "stop" in call else 1)


@pytest.mark.parametrize(
    "env",
    [{"GITTRACK_PARENT": "no-such-run"}, {"GITTRACK_EXPERIMENT": "a\nb"}, {"GITTRACK_SYSTEM_INTERVAL": "soon"}],
    ids=lambda env: next(iter(env)),
)
def test_a_run_nobody_asked_for_goes_on_without_a_setting_that_is_wrong_and_says_so_once(program, env):
    code = "import gittrack\nfor _ in range(3): gittrack.log_metric('loss', 1)\nprint('trained')"
    done = program(code, env=env)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("gittrack:") and " finished " not in line]
    assert len(told) == 1, done.stderr
    assert gittrack.get_run("@latest").metrics == {"loss": 1.0}
    strict = program(code, env={**env, "GITTRACK_STRICT": "1"})
    assert strict.returncode == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("params.x > 0", {"inf", "one"}),
        ("params.x < 0", {"-inf"}),
        ("params.x is nan", {"nan"}),
        ("not params.x > 0", {"nan", "-inf", "text"}),
        ("params.x * 2 > 1", {"inf", "one"}),
        ("params.x = 'inf'", {"inf", "text"}),
        ("params.huge > 0", {"nan", "inf", "-inf", "one", "text"}),
        ("params.huge = 1180591620717411303424", {"nan", "inf", "-inf", "one", "text"}),
    ],
)
def test_numbers_that_json_has_not_are_numbers_while_a_run_goes_on_and_after(repo, query, expected):
    values = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf"), "one": 1.0, "text": "inf"}
    found = set()
    for name, value in values.items():
        with gittrack.start_run(name=name, params={"x": value, "huge": 2**70}, strict=True):
            found |= {run.name for run in gittrack.search_runs(query, output_format="list") if run.status == "running"}
    assert {run.name for run in gittrack.search_runs(query, output_format="list")} == found == expected


def test_runs_are_in_the_order_of_their_numbers_nan_last_before_those_that_have_none(repo):
    for name in ("nan", "inf", "2", "-inf", "-3"):
        with gittrack.start_run(name=name, params={"x": float(name)}, strict=True):
            pass
    with gittrack.start_run(name="none", strict=True):
        pass
    for order, expected in (("params.x", ["-inf", "-3", "2", "inf"]), ("params.x DESC", ["inf", "2", "-3", "-inf"])):
        found = [run.name for run in gittrack.search_runs(order_by=[order], output_format="list")]
        assert found == [*expected, "nan", "none"]
