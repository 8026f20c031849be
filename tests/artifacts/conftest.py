"""Runs with artifacts of known bytes, and files that have grown old."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.project import Project

SIZE = 100_000
"""Of every artifact made here: too large for git."""


def bytes_of(name: str, size: int = SIZE) -> bytes:
    """The same bytes for the same name."""
    return (name.encode() + b"\n") * (size // (len(name) + 1)) + b"x" * (size % (len(name) + 1))


@pytest.fixture
def logged(repo):
    """``logged("one", a="x", folder={"f": "y"}, **start_run options)``: a finished run with such artifacts; its id."""

    def make(name: str, artifacts: dict[str, object], **options) -> str:
        metrics = options.pop("metrics", {})
        with gittrack.start_run(name=name, strict=True, **options) as run:
            for metric, value in metrics.items():
                run.log_metric(metric, value)
            for path, content in artifacts.items():
                if isinstance(content, dict):
                    folder = repo.parent / "folders" / path
                    for inner, text in content.items():
                        (folder / inner).parent.mkdir(parents=True, exist_ok=True)
                        (folder / inner).write_bytes(bytes_of(text))
                    run.log_artifact(folder)
                else:
                    run.log_text(bytes_of(content), path)
        return run.id

    return make


@pytest.fixture
def store(repo):
    """The byte store of the project."""
    return open_bytes_store(Project.open(repo))


@pytest.fixture
def aged(repo):
    """``aged()``: everything in the byte store was written two days ago."""

    def make(seconds: float = 2 * 86_400) -> None:
        past = time.time() - seconds
        for path in (repo / ".git" / "gittrack" / "cache" / "files").rglob("*"):
            if path.is_file():
                os.utime(path, (past, past))

    return make


def stored_files(store) -> set[str]:
    """The digests in the store."""
    top = Path(store.root) / "files" / "md5"
    return {f"md5:{path.parent.name}{path.name}" for path in top.rglob("*") if path.is_file()}
