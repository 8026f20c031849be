"""S1b and S5: what runs that are not shared cost ordinary git, and what shared ones cost DVC by URL."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.histories import NEWEST, make_history
from benchmarks.measure import Row, in_turns, wall
from benchmarks.repositories import make_repository

_ROUNDS = 7
_LONG_AGO = 1_600_000_000
"""When the code was committed, s since the epoch: before the runs, as in a night of runs without a commit."""
_NO_TARGET = float("inf")


def rows(
    work: Path,
    environ: Mapping[str, str],
    unshared: Sequence[int] = (5_000, 50_000),
    shared: Sequence[int] = (2_000, 20_000),
) -> list[Row]:
    """Every row of the group.

    Args:
        work: a folder.
        environ: the environment for git and DVC.
        unshared: numbers of runs in local ledgers.
        shared: numbers of runs at the remote.
    """
    found: list[Row] = []
    without = _World(work / "unshared-0", environ, 0)
    for count in unshared:
        found += _unshared(without, _World(work / f"unshared-{count}", environ, count), count)
        shutil.rmtree(work / f"unshared-{count}")
    return found + _by_url(work, environ, shared)


class _World:
    """A remote, a clone with runs in local ledgers, and a mate's clone."""

    def __init__(self, place: Path, environ: Mapping[str, str], count: int) -> None:
        self._environ = {**environ, "GIT_COMMITTER_DATE": f"@{_LONG_AGO} +0000"}
        self._numbers = itertools.count()
        place.mkdir(parents=True)
        self.clone = make_repository(place / "clone", self._environ)
        self._remote, self._mate = place / "remote.git", place / "mate"
        self.git(place, "init", "-q", "--bare", str(self._remote))
        self.git(self.clone, "remote", "add", "origin", f"file://{self._remote}")
        self.git(self.clone, "push", "-q", "-u", "origin", "main")
        self.git(place, "clone", "-q", f"file://{self._remote}", str(self._mate))
        self._base = self.git(self.clone, "rev-parse", "HEAD").strip()
        if count:
            make_history(self.clone, environ, count)

    def git(self, where: Path, *words: str, when: int = _LONG_AGO) -> str:
        environ = {**self._environ, "GIT_COMMITTER_DATE": f"@{when} +0000"}
        return subprocess.run(
            ["git", *words], cwd=where, env=environ, capture_output=True, text=True, check=True
        ).stdout

    def fetch(self, when: int) -> float:
        """Seconds for a fetch of a mate's commit of a moment (s since the epoch)."""
        commit = self._another(self._mate, when)
        self.git(self._mate, "push", "-q", "-f", "origin", f"{commit}:refs/heads/main")
        self.git(self.clone, "update-ref", "refs/remotes/origin/main", self._base)
        return wall(lambda: self.git(self.clone, "fetch", "-q"))

    def push(self) -> float:
        """Seconds for a push of one commit."""
        commit = self._another(self.clone, NEWEST // 1000)
        return wall(lambda: self.git(self.clone, "push", "-q", "-f", "origin", f"{commit}:refs/heads/main"))

    def _another(self, where: Path, when: int) -> str:
        words = ("commit-tree", f"{self._base}^{{tree}}", "-p", self._base, "-m", f"commit {next(self._numbers)}")
        return self.git(where, *words, when=when).strip()


def _unshared(without: _World, world: _World, count: int) -> list[Row]:
    """With and without runs; the runs are newer than all code but the mate's commit, which is the worst that can be."""
    target = 3.0 if count <= 5_000 else _NO_TARGET
    later, earlier = NEWEST // 1000 + 60, _LONG_AGO + 60
    many = f"{count:,} unshared runs"

    def row(work: str, ask: Callable[[_World], float], target: float = target) -> Row:
        floor, ours = in_turns(lambda: ask(without), lambda: ask(world), _ROUNDS, 2)
        return Row("S1b", f"{work}, {many} (floor: without)", "s", floor, ours, target)

    found = [
        row("git fetch of a commit newer than the runs", lambda of: of.fetch(later)),
        row("git fetch of an older commit, no commit-graph", lambda of: of.fetch(earlier), _NO_TARGET),
        row("git push of a commit", lambda of: of.push()),
    ]
    world.git(world.clone, "commit-graph", "write", "--reachable", "--split")
    return [
        *found,
        row("git fetch of an older commit, commit-graph as roll-ups write it", lambda of: of.fetch(earlier)),
    ]


def _by_url(work: Path, environ: Mapping[str, str], counts: Sequence[int]) -> list[Row]:
    """DVC by URL, from a repository with runs and from the same one without."""
    place = work / "by-url"
    place.mkdir()
    project = _dvc_project(place, environ)
    without = _mirror(project, place / "without.git", environ)
    found = []
    for count in counts:
        many = shutil.copytree(project, place / f"project-{count}")
        make_history(many, environ, count)
        with_runs = _mirror(many, place / f"with-{count}.git", environ)
        _git(many, environ, "push", "-q", str(with_runs), "refs/runs/local/*:refs/runs/*/bench")
        for what, words in (
            ("dvc get", ("get", "{}", "data.csv")),
            ("dvc artifacts get", ("artifacts", "get", "{}", "churn")),
        ):
            floor, ours = in_turns(
                lambda words=words: _dvc(place, environ, words, without),
                lambda words=words, source=with_runs: _dvc(place, environ, words, source),
                3,
                0,
            )
            found.append(Row("S5", f"{what} by URL, {count:,} runs (floor: without)", "s", floor, ours, _NO_TARGET))
        shutil.rmtree(many)
    return found


def _dvc_project(place: Path, environ: Mapping[str, str]) -> Path:
    """A DVC project with a data file in a DVC remote, and a registered model."""
    project = make_repository(place / "project", environ)
    for words in (("init", "-q"), ("remote", "add", "-d", "store", str(place / "store"))):
        subprocess.run([*_DVC, *words], cwd=project, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    (project / "data.csv").write_text("a,b\n1,2\n")
    (project / "dvc.yaml").write_text("artifacts:\n  churn:\n    path: data.csv\n    type: model\n")
    for words in (("add", "-q", "data.csv"), ("push", "-q")):
        subprocess.run([*_DVC, *words], cwd=project, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    for words in (("add", "."), ("commit", "-q", "-m", "data"), ("tag", "-a", "-m", "v1", "churn@v1.0.0")):
        _git(project, environ, *words)
    return project


_DVC = (sys.executable, "-m", "dvc")


def _dvc(place: Path, environ: Mapping[str, str], words: Sequence[str], source: Path) -> float:
    """Seconds for one command from an empty cache of clones."""
    here = place / "here"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    command = [*_DVC, *(word.format(f"file://{source}") for word in words)]
    fresh = {**environ, "TMPDIR": str(here), "DVC_NO_ANALYTICS": "1"}
    return wall(lambda: subprocess.run(command, cwd=here, env=fresh, check=True, capture_output=True))


def _mirror(project: Path, place: Path, environ: Mapping[str, str]) -> Path:
    _git(place.parent, environ, "init", "-q", "--bare", str(place))
    _git(project, environ, "push", "-q", "--follow-tags", str(place), "HEAD")
    return place


def _git(where: Path, environ: Mapping[str, str], *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=where, env=dict(environ), capture_output=True, text=True, check=True
    ).stdout


def main() -> None:
    """Measure this group alone: ``python -m benchmarks.plain_git``."""
    from benchmarks.__main__ import measure_alone

    measure_alone(lambda work, environ, _: rows(work, environ), ())


if __name__ == "__main__":
    main()
