"""Rows of the result table, and the few ways in which they are measured.

Floor and ours are measured in turns within one run, so that a machine whose speed drifts treats both alike; the medians
are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: the target's row (R1, R2, …).
        work: what was done.
        unit: of both figures.
        floor, ours: medians.
        target: the ratio that must not be exceeded.
    """

    name: str
    work: str
    unit: str
    floor: float
    ours: float
    target: float

    @property
    def ratio(self) -> float:
        """Ours against the floor."""
        return self.ours / self.floor

    @property
    def met(self) -> bool:
        """Whether the target holds."""
        return self.ratio <= self.target


def in_turns(
    floor: Callable[[], float], ours: Callable[[], float], rounds: int, warm_ups: int = 1
) -> tuple[float, float]:
    """Medians of two measurements taken in turns.

    Args:
        floor, ours: do the work once and return what it cost.
        rounds: how often each is counted.
        warm_ups: how often each is done before.
    """
    for _ in range(warm_ups):
        floor()
        ours()
    floors, costs = [], []
    for _ in range(rounds):
        floors.append(floor())
        costs.append(ours())
    return statistics.median(floors), statistics.median(costs)


def wall(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def program_seconds(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> float:
    """Seconds from starting a program until it has ended; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def disk_bytes(folder: Path) -> int:
    """Bytes on disk (blocks) of everything below a folder."""
    total = 0
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total
