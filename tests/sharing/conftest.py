"""Repositories of several people and the remotes between them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import gittrack
from gittrack.api.fetch import Fetched, fetch
from gittrack.api.project import Project
from gittrack.api.push import Pushed, plan_push, push


class Person:
    """Somebody with a clone."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name

    def git(self, *args: str, ok: bool = True) -> str:
        done = subprocess.run(["git", *args], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0 or not ok, done.stderr
        return done.stdout.strip()

    @contextmanager
    def here(self) -> Iterator[None]:
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(before)

    @property
    def project(self) -> Project:
        return Project.open(self.folder)

    def run(self, name: str, **more: Any) -> str:
        with self.here(), gittrack.start_run(name=name, strict=True, **more) as run:
            run.log_metric("loss", 0.5)
        return str(run.id)

    def push(self, remote: str | None = None, **more: Any) -> Pushed:
        with self.here():
            return push(self.project, plan_push(self.project, remote, **more))

    def fetch(self, remote: str | None = None, **more: Any) -> Fetched:
        with self.here():
            return fetch(self.project, remote, **more)

    def names(self) -> list[str]:
        with self.here():
            return sorted(run.name for run in gittrack.runs())

    def refs(self) -> list[str]:
        """All refs of ours."""
        names = self.git("for-each-ref", "--format=%(refname)").splitlines()
        return [name for name in names if name.startswith("refs/runs")]


@pytest.fixture
def remote(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A bare repository with one commit."""
    git("init", "-q", "--bare", "remote.git", cwd=tmp_path)
    git("init", "-q", "first", cwd=tmp_path)
    first = tmp_path / "first"
    (first / "train.py").write_text("print('hello')\n")
    git("add", ".", cwd=first)
    git("commit", "-qm", "first", cwd=first)
    git("push", "-q", str(tmp_path / "remote.git"), "main", cwd=first)
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=tmp_path / "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def people(tmp_path: Path, remote: Path) -> Callable[..., Person]:
    """Makes people: each has a clone and an e-mail address."""

    def make(name: str, writer: str | None = None, *options: str) -> Person:
        folder = tmp_path / name
        subprocess.run(["git", "clone", "-q", *options, str(remote), str(folder)], check=True)
        person = Person(folder, name)
        person.git("config", "user.name", name.capitalize())
        person.git("config", "user.email", f"{writer or name}@example.com")
        return person

    return make
