"""Repositories with many runs, made in one pack: real run commits in ledgers, as years of work leave them."""

from __future__ import annotations

import datetime
import hashlib
import math
import random
import struct
import subprocess
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gittrack.core.ids import ObjectId, RunId, experiment_id
from gittrack.core.ledger import MAX_BATCH, BatchRow, encode_batch
from gittrack.core.message import encode_message
from gittrack.core.records import CodeState, ExperimentRef, Person, RunRecord, RunStatus, Series
from gittrack.core.refs import local_ledger_ref
from gittrack.core.run_tree import RunBody, encode_tree, with_summaries
from gittrack.git.trees import MODE_FILE, MODE_TREE, format_commit, format_tree

NEWEST = 1_790_000_000_000
"""When the newest run began, ms since the epoch; each earlier one ten minutes before."""
_APART = 600_000
_WRITER = Person("Bench", "bench@example.com")
_MODELS = ("rf", "svm", "xgb", "mlp")


@dataclass(frozen=True, slots=True)
class MadeRun:
    """One run of a made history: its id and the bytes of its commit."""

    id: RunId
    commit: ObjectId
    record: RunRecord


def make_history(
    repository: Path,
    environ: Mapping[str, str],
    count: int,
    seed: int = 7,
    *,
    points: int = 20,
    noise: float = 0.0,
    apart: int = _APART,
) -> list[MadeRun]:
    """Put runs into the local ledgers of a repository.

    Each has 20 params, 5 metrics, 3 tags; names and numbers come from ``seed``.

    Args:
        repository: a git repository with one commit.
        environ: the environment for git.
        count: how many runs.
        seed: of the random numbers.
        points: of each metric.
        noise: standard deviation of what is added to each value; 0: smooth curves, which pack better than real ones.
        apart: ms between the beginnings of two runs.

    Returns:
        The runs, oldest first.
    """
    head = _git(repository, environ, "rev-parse", "HEAD").strip()
    made: list[MadeRun] = []
    objects = _Objects(repository, environ)
    months: dict[str, list[MadeRun]] = {}
    for body in _bodies(count, ObjectId(head), random.Random(seed), points, noise, apart):
        files = encode_tree(body)
        tree = objects.tree({path: data for path, data in files.items() if isinstance(data, bytes)})
        record = body.record
        seconds = (record.end_time or record.start_time) // 1000
        message = encode_message(record, body.series)
        commit = objects.commit(tree, [ObjectId(head)], message, record.author, seconds)
        run = MadeRun(record.id, commit, record)
        made.append(run)
        month = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m")
        months.setdefault(month, []).append(run)
    tips = {month: _ledger(objects, month, runs) for month, runs in months.items()}
    objects.close()
    lines = "".join(f"create {local_ledger_ref(month)} {tip}\n" for month, tip in tips.items())
    subprocess.run(
        ["git", "update-ref", "--stdin"], cwd=repository, env=dict(environ), input=lines.encode(), check=True
    )
    return made


def _bodies(
    count: int, head: ObjectId, dice: random.Random, points: int, noise: float, apart: int
) -> Iterator[RunBody]:
    for number in range(count):
        start = NEWEST - (count - number) * apart
        top = dice.random()
        series = {
            name: Series(
                array("q", range(points)),
                array("q", (start + 1000 * step for step in range(points))),
                array("d", (_value(top, step, dice, noise) for step in range(points))),
            )
            for name in ("acc", "loss", "val/acc", "val/loss", "system/cpu")
        }
        experiment = f"experiment-{number % 10}"
        record = RunRecord(
            id=RunId(f"{dice.getrandbits(128):032x}"),
            name=f"brisk-otter-{number}",
            experiment=ExperimentRef(experiment_id(experiment), experiment),
            status=RunStatus.FAILED if number % 17 == 0 else RunStatus.FINISHED,
            start_time=start,
            end_time=start + 60_000,
            author=_WRITER,
            code=CodeState(commit=head, head=head, branch="main", dirty=False),
            host="bench",
            entry="train.py",
            exit_code=0,
            kind="run",
            params={"model": dice.choice(_MODELS), "lr": dice.choice([0.1, 0.01, 0.001]), "depth": dice.randrange(20)}
            | {f"param{i}": dice.randrange(1000) for i in range(17)},
            tags={"stage": dice.choice(["dev", "prod"]), "team": "vision", "ticket": f"ML-{number % 400}"},
        )
        yield with_summaries(RunBody(record, series))


def _value(top: float, step: int, dice: random.Random, noise: float) -> float:
    smooth = top * (1 - math.exp(-step / 5))
    return smooth + dice.gauss(0, noise) if noise else smooth


def _ledger(objects: _Objects, month: str, runs: list[MadeRun]) -> ObjectId:
    root = objects.tree({"ledger.toml": f'format = 1\nmonth = "{month}"\nname = "Bench"\nwriter = "bench"\n'.encode()})
    tip = objects.commit(root, [], f"ledger {month}\n", _WRITER, 0)
    for first in range(0, len(runs), MAX_BATCH):
        batch = runs[first : first + MAX_BATCH]
        table = encode_batch([BatchRow("run", run.id, run.commit) for run in batch])
        parents = [tip, *sorted({run.commit for run in batch})]
        tip = objects.commit(objects.tree({"batch.tsv": table}), parents, f"{len(batch)} runs\n", _WRITER, 0)
    return objects.commit(objects.tree({"batch.tsv": encode_batch([])}), [tip], "tip\n", _WRITER, 0)


class _Objects:
    """Objects that go into one pack, which ``git index-pack`` takes in."""

    def __init__(self, repository: Path, environ: Mapping[str, str]) -> None:
        self._repository = repository
        self._environ = dict(environ)
        self._file = (repository / ".git" / "made.pack").open("wb+")
        self._file.write(bytes(12))
        self._known: dict[str, None] = {}

    def tree(self, files: Mapping[str, bytes]) -> ObjectId:
        levels: dict[str, list[tuple[int, str, ObjectId]]] = {"": []}
        nested: dict[str, dict[str, bytes]] = {}
        for path, data in files.items():
            folder, slash, rest = path.partition("/")
            if slash:
                nested.setdefault(folder, {})[rest] = data
            else:
                levels[""].append((MODE_FILE, path, self._add("blob", data)))
        levels[""] += [(MODE_TREE, folder, self.tree(below)) for folder, below in nested.items()]
        return self._add("tree", format_tree(levels[""]))

    def commit(self, tree: ObjectId, parents: list[ObjectId], message: str, author: Person, seconds: int) -> ObjectId:
        return self._add("commit", format_commit(tree, parents, message, author, seconds))

    def _add(self, kind: str, data: bytes) -> ObjectId:
        id = hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
        if id not in self._known:
            self._known[id] = None
            size, head = len(data), bytearray()
            first = {"commit": 1, "tree": 2, "blob": 3}[kind] << 4 | size & 15
            size >>= 4
            while size:
                head.append(first | 128)
                first, size = size & 127, size >> 7
            head.append(first)
            self._file.write(bytes(head) + zlib.compress(data, 1))
        return ObjectId(id)

    def close(self) -> None:
        """Finish the pack and give it to git."""
        self._file.seek(0)
        self._file.write(b"PACK" + struct.pack(">II", 2, len(self._known)))
        self._file.seek(0)
        whole = hashlib.sha1(usedforsecurity=False)
        while data := self._file.read(1 << 20):
            whole.update(data)
        self._file.write(whole.digest())
        self._file.seek(0)
        subprocess.run(
            ["git", "index-pack", "--stdin"],
            cwd=self._repository,
            env=self._environ,
            stdin=self._file,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self._file.close()
        (self._repository / ".git" / "made.pack").unlink()


def _git(repository: Path, environ: Mapping[str, str], *words: str, said: str = "") -> str:
    command = ["git", *words]
    answer = subprocess.run(
        command, cwd=repository, env=dict(environ), input=said, capture_output=True, text=True, check=True
    )
    return answer.stdout
