"""S1 to S4: what runs cost ordinary git, and pushing and fetching of few runs among many."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.histories import make_history
from benchmarks.measure import Row, in_turns, wall
from benchmarks.repositories import make_repository
from gittrack.api.fetch import fetch
from gittrack.api.project import Project
from gittrack.api.push import plan_push, push
from gittrack.config import Config

_ROUNDS = 5
_INBOX = Config().inbox_limit
_NEW = 100


def rows(work: Path, environ: Mapping[str, str], counts: tuple[int, ...] = (10_000, 100_000)) -> list[Row]:
    """Every row of the group; the largest repository takes some minutes to make."""
    found: list[Row] = []
    for count in counts:
        place = work / f"sharing-{count}"
        place.mkdir()
        found += _of(place, environ, count)
        shutil.rmtree(place)
    return found


def _of(place: Path, environ: Mapping[str, str], count: int) -> list[Row]:
    many = f"{count:,} runs"
    shared = _shared(place, environ, count)
    plain = make_repository(place / "plain", environ)
    _git(plain, environ, "remote", "add", "origin", str(_bare(place / "plain.git", plain, environ)))
    _git(plain, environ, "fetch", "-q", "origin")
    found = [_ordinary(plain, shared, environ, words, many) for words in _ORDINARY]
    _git(shared, environ, "update-ref", "--stdin", said="".join(f"delete {name}\n" for name in _inbox(shared, environ)))
    nothing = in_turns(
        lambda: wall(lambda: _git(shared, environ, "ls-remote", "origin", "refs/runs/*")),
        lambda: wall(lambda: fetch(Project.open(shared))),
        _ROUNDS * 2,
    )
    pushes, fetches = _new_runs(place, shared, environ)
    return [
        *found,
        Row("S2", f"push {_NEW} new runs to a remote that holds {many}", "s", *pushes, 1.5),
        Row("S3", f"fetch {_NEW} new runs among {many}", "s", *fetches, 1.5),
        Row("S4", f"nothing new among {many}", "s", *nothing, 2.0),
    ]


_ORDINARY = (
    ("fetch", "-q"),
    ("push", "-q", "origin", "HEAD"),
    ("log", "--decorate", "-5"),
    ("branch", "-a"),
    ("status",),
)


def _ordinary(plain: Path, shared: Path, environ: Mapping[str, str], words: tuple[str, ...], many: str) -> Row:
    floor, cost = in_turns(
        lambda: wall(lambda: _git(plain, environ, *words)), lambda: wall(lambda: _git(shared, environ, *words)), 15
    )
    return Row("S1", f"git {words[0]} with {many} and {_INBOX} in the inbox (floor: without)", "s", floor, cost, 1.1)


def _shared(place: Path, environ: Mapping[str, str], count: int) -> Path:
    """A clone whose runs are all at its remote, with as many more in its inbox as it ever holds for long."""
    clone = make_repository(place / "clone", environ)
    make_history(clone, environ, count)
    remote = _bare(place / "remote.git", clone, environ)
    _git(clone, environ, "remote", "add", "origin", str(remote))
    _git(clone, environ, "push", "-q", "origin", "refs/runs/local/*:refs/runs/*/bench")
    for line in _git(
        clone, environ, "for-each-ref", "--format=%(objectname) %(refname)", "refs/runs/local"
    ).splitlines():
        tip, name = line.split()
        month = name.rpartition("/")[2]
        _git(clone, environ, "update-ref", f"refs/runs-remote/origin/{month}/bench", tip)
        _git(clone, environ, "update-ref", "-d", name)
    _git(clone, environ, "fetch", "-q", "origin")
    head = _git(clone, environ, "rev-parse", "HEAD").strip()
    lines = "".join(f"create refs/runs/inbox/{number:032x} {head}\n" for number in range(_INBOX))
    _git(clone, environ, "update-ref", "--stdin", said=lines)
    return clone


def _inbox(clone: Path, environ: Mapping[str, str]) -> list[str]:
    return _git(clone, environ, "for-each-ref", "--format=%(refname)", "refs/runs/inbox/").split()


def _bare(place: Path, source: Path, environ: Mapping[str, str]) -> Path:
    _git(place.parent, environ, "init", "-q", "--bare", str(place))
    _git(source, environ, "push", "-q", str(place), "HEAD")
    return place


def _new_runs(place: Path, clone: Path, environ: Mapping[str, str]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Pushing and fetching 100 new runs, each time others: (floor, ours) of both."""
    remote, reader = place / "remote.git", place / "reader"
    floor_remote, floor_reader = place / "floor.git", place / "floor-reader"
    shutil.copytree(clone, reader)
    shutil.copytree(clone, floor_reader)
    shutil.copytree(remote, floor_remote)
    _git(floor_reader, environ, "remote", "set-url", "origin", str(floor_remote))
    pushes: list[tuple[float, float]] = []
    fetches: list[tuple[float, float]] = []
    for number in range(_ROUNDS):
        make_history(clone, environ, _NEW, seed=1000 + number)
        project = Project.open(clone)
        ours = wall(lambda project=project: push(project, plan_push(project)))
        ref = _newest(clone, environ)
        tip = _git(clone, environ, "rev-parse", ref).strip()
        there = "refs/runs/" + ref.split("/", 3)[3]
        floor = wall(
            lambda tip=tip, there=there: _git(clone, environ, "push", "-q", str(floor_remote), f"{tip}:{there}")
        )
        pushes.append((floor, ours))
        spec = f"{there}:{ref}"
        floor = wall(lambda spec=spec: _git(floor_reader, environ, "fetch", "-q", "--no-tags", "origin", spec))
        ours = wall(lambda: fetch(Project.open(reader)))
        fetches.append((floor, ours))
    return _medians(pushes), _medians(fetches)


def _newest(clone: Path, environ: Mapping[str, str]) -> str:
    lines = _git(clone, environ, "for-each-ref", "--format=%(refname)", "refs/runs-remote/origin/").splitlines()
    return max(line for line in lines if line)


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    import statistics

    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _git(where: Path, environ: Mapping[str, str], *words: str, said: str = "") -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=where,
        env=dict(environ),
        input=said,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Measure this group alone: ``python -m benchmarks.sharing [COUNT…]``."""
    from benchmarks.__main__ import measure_alone

    measure_alone(rows, tuple(map(int, sys.argv[1:])) or (10_000, 100_000))


if __name__ == "__main__":
    main()
