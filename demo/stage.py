"""The stage of the demo: a temporary git repository, commands shown as they are typed, and checks by git alone."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

PROJECT = Path(__file__).resolve().parent / "project"
UNWANTED = ("GIT_", "GITTRACK_", "RANK", "LOCAL_RANK", "SLURM_", "OMPI_")
"""Variables that would point the demo at another repository, or make it a rank that does not write."""


NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class DemoFailedError(Exception):
    """A step did not do what the demo says of it."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as git alone shows it.

    Attributes:
        revision: what to give git, ``runs/inbox/<id>``.
        facts: ``run.toml``.
        params: ``params.toml``.
    """

    revision: str
    facts: dict[str, Any]
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """A repository and the environment that its commands run in."""

    directory: Path
    environment: dict[str, str]

    def type(self, command: str, *, shown_lines: int = 1000, expected_exit: int = 0) -> str:
        """Run a command line, print it as typed and what it answers.

        Args:
            command: the line; split as a shell would, but run without one.
            shown_lines: how many of the last lines of the answer to print.
            expected_exit: the exit code it must end with.

        Returns:
            Everything it printed.

        Raises:
            DemoFailedError: it ended with another exit code, or changed what belongs to the user.
        """
        print(f"\n$ {command}", flush=True)
        words = shlex.split(command)
        # `git status` refreshes the index when it may; gittrack gets no such excuse.
        plain_git = words[0] == "git" and words[1] != "track"
        with self.untouched(command):
            done = self._run(words, errors_too=True, variables={"GIT_OPTIONAL_LOCKS": "0"} if plain_git else {})
        lines = done.stdout.splitlines()
        if len(lines) > shown_lines:
            print("  …")
        for line in lines[-shown_lines:]:
            print(f"  {line}")
        ended = f"'{command}' ended with {done.returncode} instead of {expected_exit}"
        require(done.returncode == expected_exit, ended)
        return done.stdout

    def git(self, *arguments: str) -> str:
        """What git answers, unprinted; never takes a lock."""
        done = self._run(["git", "--no-optional-locks", *arguments], errors_too=False)
        require(done.returncode == 0, f"'git {' '.join(arguments)}' ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def _run(
        self, command: list[str], *, errors_too: bool, variables: Mapping[str, str] = NO_VARIABLES
    ) -> subprocess.CompletedProcess[str]:
        # Found by hand: subprocess looks in the PATH of this process, not in the one it is given.
        program = shutil.which(command[0], path=self.environment["PATH"])
        if program is None:
            raise DemoFailedError(f"there is no '{command[0]}' on the path")
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.directory,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors_too else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            check=False,
        )

    @contextmanager
    def untouched(self, what: str) -> Iterator[None]:
        """Check that HEAD, index, branches, stash and work tree are the same before and after."""
        before = self._users_state()
        yield
        after = self._users_state()
        changed = [name for name in before if before[name] != after[name]]
        require(not changed, f"'{what}' changed what belongs to the user: {', '.join(changed)}")

    def _users_state(self) -> dict[str, str | bytes]:
        return {
            "git status": self.git("status", "--porcelain=v2", "--branch", "--untracked-files=all", "--show-stash"),
            "HEAD": (self.directory / ".git" / "HEAD").read_bytes(),
            "the index": (self.directory / ".git" / "index").read_bytes(),
            "branches, tags or the stash": self.git("for-each-ref", "refs/heads", "refs/tags", "refs/stash"),
        }

    def recorded_runs(self) -> dict[str, RecordedRun]:
        """Every run in the inbox, by name, read by git alone."""
        runs = {}
        for ref in self.git("for-each-ref", "--format=%(refname)", "refs/runs/inbox").split():
            files = self.git("ls-tree", "--name-only", ref).split("\n")
            if "run.toml" in files:  # the inbox holds events too
                facts = tomllib.loads(self.git("show", f"{ref}:run.toml"))
                params = tomllib.loads(self.git("show", f"{ref}:params.toml")) if "params.toml" in files else {}
                runs[facts["name"]] = RecordedRun(ref.removeprefix("refs/"), facts, params)
        return runs

    def points(self, run: RecordedRun, metric: str) -> int:
        """How many points of a metric git holds."""
        return len(self.git("show", f"{run.revision}:metrics/{metric}.csv").splitlines()) - 1


def set_up() -> Stage:
    """Make the repository: a small project, one commit, and a user of its own."""
    directory = Path(tempfile.mkdtemp(prefix="gittrack-demo-")).resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    # As if the environment were activated, so that `python`, `gittrack` and `git track` are the ones just installed.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment["PYTHONWARNINGS"] = "ignore"
    stage = Stage(directory, environment)
    for source in sorted(PROJECT.glob("*.py")):
        shutil.copy(source, directory)
    (directory / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    stage.git("init", "--quiet", "--initial-branch=main")
    for key, value in {"user.name": "Ada", "user.email": "ada@example.com", "commit.gpgSign": "false"}.items():
        stage.git("config", key, value)
    stage.git("add", ".")
    stage.git("commit", "--quiet", "--message=Train on digits")
    return stage


def require(holds: bool, otherwise: str) -> None:
    """Raise DemoFailedError with the text ``otherwise`` unless ``holds``."""
    if not holds:
        raise DemoFailedError(otherwise)
