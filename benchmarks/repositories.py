"""Repositories to measure in: real ones, made by git, under a sealed home."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

TRAIN = """\
import gittrack

with gittrack.start_run():
    pass
"""


def environment(home: Path) -> dict[str, str]:
    """The environment of every process that is measured: nothing of the person who measures."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH") if key in os.environ}
    config = home / "gitconfig"
    home.mkdir(parents=True, exist_ok=True)
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.com\n[init]\n\tdefaultBranch = main\n")
    return {
        **kept,
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GITTRACK_QUIET": "1",
    }


def make_repository(path: Path, environ: Mapping[str, str]) -> Path:
    """A repository with one commit of a small project."""
    path.mkdir(parents=True)
    (path / "train.py").write_text(TRAIN)
    (path / "README.md").write_text("# A project\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "a project"]):
        subprocess.run(["git", *command], cwd=path, env=dict(environ), check=True)
    return path
