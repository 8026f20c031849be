"""Which way this project's metrics get better: the table ``[metrics]`` of ``.gittrack.toml``.

::

    [metrics]
    maximize = ["acc", "val/*_score"]
    minimize = ["cost"]

What it does not name is judged by its usual meaning (``core/directions.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.project import read_config_file
from gittrack.config import CONFIG_FILE
from gittrack.core.directions import Directions
from gittrack.core.names import display
from gittrack.errors import CorruptRecordError, UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project

_MOST = 1000
"""Names and patterns in a list: each is tried on each metric."""
_HINT = 'maximize = ["acc"] below [metrics]'


def directions_of(project: Project) -> Directions:
    """What the project says of its metrics; nothing when its file cannot be read, which ``project.faults`` tells.

    Raises:
        UsageError: the table is not as it should be; says where.
    """
    try:
        table = read_config_file(project.repo).get("metrics", {})
    except (CorruptRecordError, OSError):
        return Directions()
    if not isinstance(table, dict):
        raise UsageError(f"'metrics' in {CONFIG_FILE} is no table", hint=_HINT)
    for name in table:
        if name not in ("maximize", "minimize"):
            raise UsageError(f"[metrics] in {CONFIG_FILE} has no '{display(name, 60)}'", hint=_HINT)
    found = Directions(_names(table, "maximize"), _names(table, "minimize"))
    both = sorted(set(found.maximize) & set(found.minimize))
    if both:
        text = f"[metrics] in {CONFIG_FILE} has '{display(both[0], 60)}' both to maximize and to minimize"
        raise UsageError(text, hint=_HINT)
    return found


def _names(table: dict[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise UsageError(f"'{key}' of [metrics] in {CONFIG_FILE} is no list of metrics", hint=_HINT)
    if len(listed) > _MOST:
        raise UsageError(f"'{key}' of [metrics] in {CONFIG_FILE} has more than {_MOST} names", hint=_HINT)
    return tuple(listed)
