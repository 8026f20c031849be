"""Entry detection is tried on real processes: a sample project prints what it captures about itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gittrack.capture.command import CommandState, capture_command, is_notebook_kernel, notebook_name, redact_command

ROOT = Path(__file__).resolve().parents[2]
REPORT = """\
import json, os, sys
from pathlib import Path
from gittrack.capture.command import capture_command
main_file = getattr(sys.modules["__main__"], "__file__", None)
state = capture_command(sys.orig_argv, main_file, os.environ, Path(os.environ["WORK_TREE"]))
print(json.dumps(state._asdict()))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("")
    for path in ("train.py", "pkg/train.py", "pkg/__main__.py"):
        (root / path).write_text(REPORT)
    return root


def _captured(project: Path, *arguments: str, cwd: Path | None = None, stdin: str = "", program: str = "") -> Any:
    environ = {"PYTHONPATH": str(ROOT), "WORK_TREE": str(project), "PATH": os.environ["PATH"]}
    command = [program or sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=cwd or project, env=environ, input=stdin, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_script_is_shown_relative_to_the_work_tree_from_wherever_it_was_started(project: Path) -> None:
    assert _captured(project, "train.py")["entry"] == "train.py"
    deeper = _captured(project, "../train.py", "--lr", "0.1", cwd=project / "pkg")
    assert deeper["entry"] == "train.py"
    assert deeper["command"] == [sys.executable, "../train.py", "--lr", "0.1"]


def test_a_module_is_named_as_it_was_called(project: Path) -> None:
    assert _captured(project, "-m", "pkg.train", "--lr", "1")["entry"] == "pkg.train"
    assert _captured(project, "-um", "pkg")["entry"] == "pkg"


def test_a_script_run_by_a_profiler_is_the_entry(project: Path) -> None:
    (project / "profiled.py").write_text(REPORT)
    done = subprocess.run(
        [sys.executable, "-m", "cProfile", "profiled.py"],
        cwd=project,
        env={"PYTHONPATH": str(ROOT), "WORK_TREE": str(project)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[0])["entry"] == "profiled.py"


def test_inline_code_and_standard_input_are_told_apart(project: Path) -> None:
    inline = _captured(project, "-c", REPORT)
    assert inline["entry"] == "-c"
    assert inline["command"][2] == REPORT
    assert _captured(project, "-", stdin=REPORT)["entry"] == "<stdin>"
    assert _captured(project, stdin=REPORT)["entry"] == "<stdin>"


def test_a_script_outside_the_work_tree_shows_only_its_name(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.py"
    outside.write_text(REPORT)
    state = _captured(project, str(outside), cwd=tmp_path)
    assert state["entry"] == "elsewhere.py"


def test_a_work_tree_behind_a_symbolic_link_is_the_same_work_tree(project: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project)
    assert _captured(link, str(project / "pkg" / "train.py"), cwd=link / "pkg")["entry"] == "pkg/train.py"


def test_an_executable_script_is_its_own_entry(project: Path) -> None:
    script = project / "go.py"
    script.write_text(f"#!{sys.executable}\n{REPORT}")
    script.chmod(0o755)
    assert _captured(project, program="./go.py")["entry"] == "go.py"


def test_a_folder_deleted_under_the_process_breaks_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = project / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    state = capture_command(["python", "train.py"], None, {}, project)
    assert state.entry == "train.py"


def _state(command: list[str], work_tree: Path, **known: Any) -> CommandState:
    return capture_command(command, None, known.pop("environ", {}), work_tree, cwd=work_tree, **known)


def test_a_program_about_to_be_started_is_described_without_running_it(project: Path) -> None:
    assert _state(["uv", "run", "python", "pkg/train.py"], project).entry == "pkg/train.py"
    assert _state(["bash", "run.sh"], project).entry == "run.sh"
    assert _state(["make", "train"], project).entry == "make"
    assert _state(["./bin/tool"], project).entry == "bin/tool"


def test_a_prompt_has_no_entry(project: Path) -> None:
    assert _state(["python"], project, interactive=True).entry == ""


KERNEL = ["python", "-m", "ipykernel_launcher", "-f", "/tmp/kernel.json"]


@pytest.mark.parametrize(
    ("environ", "names", "expected"),
    [
        ({"JPY_SESSION_NAME": "{root}/nb/a.ipynb"}, {}, "nb/a.ipynb"),
        ({"JPY_SESSION_NAME": "server/root/nb/a.ipynb"}, {}, "a.ipynb"),
        ({"JPY_SESSION_NAME": "/elsewhere/a.ipynb"}, {}, "a.ipynb"),
        ({}, {"__vsc_ipynb_file__": "{root}/b.ipynb"}, "b.ipynb"),
        ({"PAPERMILL_INPUT_PATH": "nb/a.ipynb"}, {}, "nb/a.ipynb"),
        ({"COLAB_RELEASE_TAG": "x"}, {}, "<colab notebook>"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, {}, "<kaggle notebook>"),
        ({}, {}, "<notebook>"),
    ],
)
def test_a_notebook_is_named_as_far_as_its_front_end_tells(
    project: Path, environ: dict[str, str], names: dict[str, str], expected: str
) -> None:
    (project / "nb").mkdir()
    for path in ("a.ipynb", "nb/a.ipynb"):
        (project / path).write_text("{}")

    def placed(facts: dict[str, str]) -> dict[str, str]:
        return {name: value.replace("{root}", str(project)) for name, value in facts.items()}

    assert _state(KERNEL, project, environ=placed(environ), names=placed(names)).entry == expected


def test_a_script_started_from_a_notebook_is_no_notebook(project: Path) -> None:
    state = _state(["python", "train.py"], project, environ={"JPY_SESSION_NAME": "a.ipynb"})
    assert state.entry == "train.py"
    assert not is_notebook_kernel(["python", "train.py"])
    assert is_notebook_kernel(KERNEL)
    assert notebook_name({}, {"__vsc_ipynb_file__": 3}, None) == "<notebook>"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (["--password", "hunter2", "--lr", "1"], ["--password", "***", "--lr", "1"]),
        (["--token=hunter2"], ["--token=***"]),
        (["--api-key", "-hunter2"], ["--api-key", "***"]),
        (["DB_PASSWORD=hunter2", "lr=0.1"], ["DB_PASSWORD=***", "lr=0.1"]),
        (["--data", "https://me:hunter2@h/x?sig=hunter2"], ["--data", "https://h/x"]),
        (["--data=s3://me:hunter2@bucket/x"], ["--data=s3://bucket/x"]),
        (["--auth", "--lr", "1"], ["--auth", "--lr", "1"]),
        (["--pad-token", "0", "--max-tokens=512"], ["--pad-token", "0", "--max-tokens=512"]),
        (["-c", "login(password='hunter2')"], ["-c", "login(password='***')"]),
        (["a=b=c"], ["a=b=c"]),
    ],
)
def test_secrets_of_a_command_are_masked_and_nothing_else(word: list[str], expected: list[str]) -> None:
    assert redact_command(["train", *word]) == ("train", *expected)


def test_words_without_end_are_cut_and_undecodable_ones_stored() -> None:
    long, broken = redact_command(["x" * 200_000, "caf\udce9"])
    assert len(long) == 64 * 1024
    broken.encode()
