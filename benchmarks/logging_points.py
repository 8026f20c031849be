"""R1 and R2: one ``log_metric`` call as the training loop feels it; 100,000 points until they are committed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from benchmarks.floors import nested, open_synced, write_commit
from benchmarks.measure import Row, in_turns, wall

POINTS = 100_000


def rows(repository: Path) -> list[Row]:
    """Measure in this process.

    Args:
        repository: an existing repository; the working directory is changed to it.
    """
    os.chdir(repository)
    return [*_one_call(), *_until_committed(repository)]


def _one_call() -> list[Row]:
    import gittrack as gt

    values = [1 / (step + 1) for step in range(POINTS)]
    kept: list[tuple[int, float, float]] = []

    def append(step: int, value: float) -> None:
        kept.append((step, time.time(), value))

    def floor() -> float:
        kept.clear()

        def loop() -> None:
            for step in range(POINTS):
                append(step, values[step])

        return wall(loop) / POINTS * 1e6

    def method() -> float:
        run = gt.start_run()

        def loop() -> None:
            log = run.log_metric
            for step in range(POINTS):
                log("loss", values[step], step)

        cost = wall(loop) / POINTS * 1e6
        run.end()
        return cost

    def fluent() -> float:
        run = gt.start_run()

        def loop() -> None:
            log = gt.log_metric
            for step in range(POINTS):
                log("loss", values[step], step=step)

        cost = wall(loop) / POINTS * 1e6
        run.end()
        return cost

    base, ours = in_turns(floor, method, rounds=5)
    base_fluent, ours_fluent = in_turns(floor, fluent, rounds=5)
    return [
        Row("R1", "run.log_metric, per call", "µs", base, ours, 5),
        Row("R1", "gittrack.log_metric, per call", "µs", base_fluent, ours_fluent, 5),
    ]


def _until_committed(repository: Path) -> list[Row]:
    import gittrack as gt

    values = [1 / (step + 1) for step in range(POINTS)]
    repo = open_synced(repository)

    def floor_work() -> None:
        now = int(time.time() * 1000)
        points: list[tuple[int, int, float]] = []
        for step in range(POINTS):
            points.append((step, now + step, values[step]))
        text = "step,timestamp,value\n" + "".join(f"{step},{at},{value!r}\n" for step, at, value in points)
        write_commit(repo, nested({"metrics/loss.csv": text.encode()}), f"refs/floor/{uuid.uuid4().hex}")

    def our_work() -> None:
        with gt.start_run() as run:
            for step in range(POINTS):
                run.log_metric("loss", values[step], step)

    wall_floor, wall_ours = in_turns(lambda: wall(floor_work), lambda: wall(our_work), rounds=5)
    cpu_floor, cpu_ours = in_turns(lambda: _cpu(floor_work), lambda: _cpu(our_work), rounds=5)
    return [
        Row("R2", "100,000 points until committed, wall", "s", wall_floor, wall_ours, 3),
        Row("R2", "100,000 points until committed, CPU", "s", cpu_floor, cpu_ours, 3),
    ]


def _cpu(work: Callable[[], object]) -> float:
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])
