"""What could not be read, told beside what could."""

from __future__ import annotations

from gittrack.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read: where, and why."""

    where: str
    reason: str
