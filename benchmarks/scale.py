"""The constants of docs/scale.md, measured: ``python -m benchmarks.scale [RUNS]`` prints each of them.

Runs as people make them: 20 params, 5 metrics of 100 points with noise in every digit, 3 tags; in one pack, pushed to a
bare repository beside. Each time is the best of some rounds: the machine's neighbours only ever add.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import gittrack
from benchmarks.histories import make_history
from benchmarks.measure import wall
from benchmarks.repositories import environment, make_repository
from gittrack.api.fetch import fetch
from gittrack.api.project import Project
from gittrack.api.run_index import ask
from gittrack.store.rollup import roll_up

_RUNS = 10_000
_POINTS, _NOISE = 100, 0.01
_MONTH = 30 * 86_400_000
_REFS = 1_200
"""Ledgers of twenty writers in five years."""
_ROLLED = 250

Constant = tuple[str, float, str]
"""What it is, its figure, its unit."""


def constants(work: Path, environ: Mapping[str, str], count: int) -> Iterator[Constant]:
    """Every constant, in the order of the table of docs/scale.md.

    Args:
        work: an empty folder.
        environ: the environment for git.
        count: how many runs.
    """
    clone = make_repository(work / "clone", environ)
    plain = _remote(work / "plain.git", clone, environ)
    make_history(clone, environ, count, points=_POINTS, noise=_NOISE)
    remote = _remote(work / "remote.git", clone, environ)
    _git(clone, environ, "push", "-q", str(remote), "refs/runs/local/*:refs/runs/*/bench")
    yield from _bytes(clone, environ, count)
    yield from _ledger_bytes(clone, environ, count)
    yield from _refs(work, clone, environ)
    yield from _fetches(work, remote, environ, count)
    yield from _months(work, environ)
    yield from _index(clone, count)
    yield from _others(work, plain, remote, environ, count)
    yield from _roll_up(work, environ)


def _bytes(clone: Path, environ: Mapping[str, str], count: int) -> Iterator[Constant]:
    before = _packed(clone, environ)
    yield "objects of a run", (_counted(clone, environ, "in-pack") - 4) / count, ""
    yield "bytes of a run in a pack, as written", before / count, "B"
    packed = shutil.copytree(clone, clone.with_name("packed"))
    seconds = wall(lambda: _git(packed, environ, "repack", "-a", "-d", "-f", "-q"))
    yield "bytes of a run in a pack, after git repack -adf", _packed(packed, environ) / count, "B"
    yield "git repack -adf, per run", seconds / count * 1000, "ms"
    yield "git gc of what is packed, per run", wall(lambda: _git(packed, environ, "gc", "-q")) / count * 1000, "ms"
    shutil.rmtree(packed)


def _ledger_bytes(clone: Path, environ: Mapping[str, str], count: int) -> Iterator[Constant]:
    tips = _git(clone, environ, "for-each-ref", "--format=%(refname)", "refs/runs/local").split()
    commits = _git(clone, environ, "log", "--first-parent", "--format=%H", *tips).split()
    head = _git(clone, environ, "rev-parse", "HEAD").strip()
    ids = [f"{commit}{part}\n" for commit in commits if commit != head for part in ("", "^{tree}", ":batch.tsv")]
    sizes = _git(clone, environ, "cat-file", "--batch-check=%(objectsize:disk)", said="".join(ids)).split("\n")
    yield (
        "bytes of ledger commits and batches, per run",
        sum(int(size) for size in sizes if size.isdecimal()) / count,
        "B",
    )


def _refs(work: Path, clone: Path, environ: Mapping[str, str]) -> Iterator[Constant]:
    """What refs cost those who ask: one ledger is one line."""
    few, many = (_remote(work / name, clone, environ) for name in ("few.git", "many.git"))
    head = _git(clone, environ, "rev-parse", "HEAD").strip()
    names = [
        f"refs/runs/20{number // 240:02}-{number // 20 % 12 + 1:02}/writer-{number % 20}" for number in range(_REFS)
    ]
    _git(many, environ, "update-ref", "--stdin", said="".join(f"create {name} {head}\n" for name in names))
    _git(many, environ, "pack-refs", "--all")
    yield "bytes of an advertised ledger", 4 + 40 + 1 + len(names[0]) + 1, "B"
    for what, words in (
        ("ls-remote", ("ls-remote",)),
        ("git fetch, nothing new", ("fetch", "-q")),
        ("git push, nothing new", ("push", "-q", "origin", "HEAD")),
    ):
        times = []
        for place in (few, many):
            user = place.with_suffix(".user")
            if not user.exists():
                _git(work, environ, "clone", "-q", f"file://{place}", str(user))
                _git(user, environ, "fetch", "-q", "origin", "refs/runs/*:refs/runs-remote/origin/*")
            times.append(_best(lambda user=user, words=words: _git(user, environ, *words), 15))
        yield f"{what}: without ledgers", times[0] * 1000, "ms"
        yield f"{what}: with {_REFS:,} ledgers there and here", times[1] * 1000, "ms"


def _fetches(work: Path, remote: Path, environ: Mapping[str, str], count: int) -> Iterator[Constant]:
    """A first fetch: git's part, and all of it with our checks."""
    names = _git(remote, environ, "for-each-ref", "--format=%(refname)", "refs/runs").split()
    specs = [f"{name}:refs/x/{number}" for number, name in enumerate(names)]

    def bare() -> Path:
        place = work / "first"
        shutil.rmtree(place, ignore_errors=True)
        _git(work, environ, "clone", "-q", f"file://{remote}", str(place))
        return place

    places = [bare()]
    by_git = wall(lambda: _git(places[0], environ, "-c", "transfer.fsckObjects=true", "fetch", "-q", "origin", *specs))
    yield "first fetch by git alone, per run", by_git / count * 1000, "ms"
    place = bare()
    yield "first fetch, checked, per run", wall(lambda: fetch(Project.open(place))) / count * 1000, "ms"
    yield "nothing new", _best(lambda: fetch(Project.open(place)), 5) * 1000, "ms"


def _months(work: Path, environ: Mapping[str, str]) -> Iterator[Constant]:
    """A remote with a run in each of many months: what a month costs beside its runs."""
    many = 24
    source = make_repository(work / "months", environ)
    make_history(source, environ, many, apart=_MONTH)
    remote = _remote(work / "months.git", source, environ)
    _git(source, environ, "push", "-q", str(remote), "refs/runs/local/*:refs/runs/*/bench")
    reader = work / "months-reader"
    _git(work, environ, "clone", "-q", f"file://{remote}", str(reader))
    months = len(_git(remote, environ, "for-each-ref", "refs/runs").splitlines())
    yield "first fetch, per month", wall(lambda: fetch(Project.open(reader))) / months * 1000, "ms"


def _index(clone: Path, count: int) -> Iterator[Constant]:
    project = Project.open(clone)
    (clone / ".git" / "gittrack").mkdir(exist_ok=True)
    yield "index made anew, per run", wall(lambda: ask(project, lambda _: None)) / count * 1000, "ms"
    yield "bytes of the index, per run", (clone / ".git" / "gittrack" / "index.sqlite").stat().st_size / count, "B"


def _others(work: Path, plain: Path, remote: Path, environ: Mapping[str, str], count: int) -> Iterator[Constant]:
    """Clones by people who do not know of runs, and by those who take everything."""
    place = work / "others"
    for what, source, options in (
        ("git clone, no runs there", plain, ()),
        ("git clone, runs there", remote, ()),
        ("git clone --mirror, runs there", remote, ("--mirror",)),
    ):

        def cloned(source: Path = source, options: tuple[str, ...] = options) -> None:
            shutil.rmtree(place, ignore_errors=True)
            _git(work, environ, "clone", "-q", *options, f"file://{source}", str(place))

        seconds = _best(cloned, 5 if not options else 1)
        git_dir = place if options else place / ".git"
        size = sum(path.stat().st_size for path in git_dir.rglob("*.pack"))
        if options:
            yield f"{what}, per run", seconds / count * 1000, "ms"
            yield f"{what}, bytes per run", size / count, "B"
        else:
            yield what, seconds * 1000, "ms"
            yield f"{what}, bytes", size, "B"


def _roll_up(work: Path, environ: Mapping[str, str]) -> Iterator[Constant]:
    place = make_repository(work / "rolled", environ)
    os.chdir(place)
    for number in range(_ROLLED):
        with gittrack.start_run(params={f"p{i}": number + i for i in range(20)}) as run:
            for name in ("a", "b", "c", "d", "e"):
                for step in range(_POINTS):
                    run.log_metric(name, 1 / (step + 1 + number), step)
    os.chdir(work)
    project = Project.open(place)
    seconds = wall(lambda: roll_up(project.repo, project.layout, project.author, project.now()))
    yield "roll-up, per run", seconds / _ROLLED * 1000, "ms"


def _remote(place: Path, source: Path, environ: Mapping[str, str]) -> Path:
    _git(place.parent, environ, "init", "-q", "--bare", str(place))
    _git(source, environ, "push", "-q", str(place), "HEAD")
    return place


def _best(work: Callable[[], object], rounds: int) -> float:
    return min(wall(work) for _ in range(rounds))


def _packed(place: Path, environ: Mapping[str, str]) -> float:
    return _counted(place, environ, "size-pack") * 1024


def _counted(place: Path, environ: Mapping[str, str], what: str) -> float:
    lines = dict(line.split(": ") for line in _git(place, environ, "count-objects", "-v").splitlines())
    return float(lines[what])


def _git(where: Path, environ: Mapping[str, str], *words: str, said: str = "") -> str:
    return subprocess.run(
        ["git", *words], cwd=where, env=dict(environ), input=said, capture_output=True, text=True, check=True
    ).stdout


def main() -> None:
    """Print the constants as a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _RUNS
    with tempfile.TemporaryDirectory(prefix="gittrack-scale-") as folder:
        environ = environment(Path(folder) / "home")
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        print(f"| constant, by {count:,} runs | |\n|---|--:|")
        for what, figure, unit in constants(Path(folder), environ, count):
            print(
                f"| {what} | {figure:,.3g} {unit} |" if figure < 1000 else f"| {what} | {figure:,.0f} {unit} |",
                flush=True,
            )
        os.chdir("/")


if __name__ == "__main__":
    main()
