"""What the tests of the Python API share: programs of their own, and everything a run commit holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import gittrack
from gittrack.api.saved_run import SavedRun

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def program(repo: Path, project_env: dict[str, str]) -> Program:
    """``program(code, *arguments, env=None, flags=()) -> CompletedProcess[str]``: runs ``train.py`` made of ``code``.

    The file is committed first, so that the work tree is clean; the exit code is the test's business.
    """

    def run(
        code: str, *arguments: str, env: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        (repo / "train.py").write_text(code, encoding="utf-8")
        subprocess.run(["git", "commit", "-qam", "train"], cwd=repo, check=False, capture_output=True)
        return subprocess.run(
            [sys.executable, *flags, "train.py", *arguments],
            cwd=repo,
            env={**project_env, **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def every_byte(repo: Path) -> Callable[[str], bytes]:
    """``every_byte(commit)``: all that is reachable from a commit, its ancestors included: messages, trees, blobs."""

    def read(commit: str) -> bytes:
        listed = subprocess.run(["git", "rev-list", "--objects", commit], cwd=repo, check=True, capture_output=True)
        ids = b"".join(line.split()[0] + b"\n" for line in listed.stdout.splitlines())
        contents = subprocess.run(
            ["git", "cat-file", "--batch"], cwd=repo, input=ids, check=True, capture_output=True
        ).stdout
        assert contents.count(b"run.toml") > 0, "the run's tree is among them"
        return contents + listed.stdout

    return read


@pytest.fixture(autouse=True)
def _default_experiment() -> Iterator[None]:
    yield
    gittrack.set_experiment("Default")


def errors_of(run: gittrack.SavedRun) -> list[str]:
    """The lines of a run's ``errors.log``."""
    return (run.file("logs/errors.log") or b"").decode().splitlines()


def paths_of(run: SavedRun) -> tuple[str, ...]:
    """The paths of a run's artifacts."""
    return tuple(entry.path for entry in run.artifacts())
