"""The command line in this process, runs to look at, and a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import gittrack
from gittrack.cli.main import main


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(repo, capfd) -> Callable[..., Answer]:
    """``cli("ls", "--json")``: the command in this process, in a repository with one commit."""

    def call(*words: str) -> Answer:
        capfd.readouterr()
        code = main(words)
        said = capfd.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture
def record(repo):
    """``record("name", {"loss": [1, 0.5]}, params=…)``: a finished run; its id."""

    def make(name: str, metrics=None, **options) -> str:
        with gittrack.start_run(name=name, strict=True, **options) as run:
            for metric, values in (metrics or {}).items():
                for value in values:
                    run.log_metric(metric, value)
        return run.id

    return make


@pytest.fixture
def in_terminal(project_env):
    """``in_terminal("ls", columns=80)``: what a terminal shows, and the exit code."""

    def call(*words: str, columns: int = 80, lines: int = 200, env=None, typed: str = "") -> tuple[str, int]:
        leader, follower = pty.openpty()
        size = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm"}
        child = subprocess.Popen(
            [sys.executable, "-m", "gittrack", *words],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**project_env, **size, **(env or {})},
            start_new_session=True,
        )
        os.close(follower)
        if typed:
            os.write(leader, typed.encode())
        shown = b""
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # Linux says so when the last one that held the other side is gone
                break
            if not data:
                break
            shown += data
        os.close(leader)
        return shown.decode("utf-8", "replace").replace("\r\n", "\n"), child.wait(timeout=200)

    return call


def settled(text: str) -> str:
    """``text`` with everything that differs from run to run replaced."""
    text = re.sub(r"\b[0-9a-f]{32,40}\b", "<id>", text)
    text = re.sub(r"\b(?=[a-f]*[0-9])[0-9a-f]{8}\b", "<short>", text)
    text = re.sub(r"\b(?=[a-f]*[0-9])[0-9a-f]{12}\b", "<commit>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "<time>", text)
    text = re.sub(r"\b(?:just now|\d+s ago)\b", "<age>", text)
    return re.sub(r"\b\d+ms\b|\b\d+\.\ds\b", "<duration>", text)
