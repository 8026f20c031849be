"""What differs between two runs: params, metrics, inputs, artifacts, environment. The code is compared by git.

Everything here is a function of two sides, *before* and *after*; what is the same on both is left out.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from gittrack.core import toml
from gittrack.core.directions import Direction, Directions
from gittrack.core.records import ArtifactEntry, Input, MetricSummary, RunRecord
from gittrack.frozen import dataclass

Kind = Literal["added", "removed", "changed"]
"""``added``: only the second side has it; ``removed``: only the first; ``changed``: both, and not the same."""

SYSTEM_METRICS = "system/"
"""Metrics of the machine (load, memory, …). They are never the same twice and tell nothing of the run: left out."""
ENVIRONMENT_FILE, HARDWARE_FILE, LOCKS_FILE = "environment.toml", "hardware.toml", "locks.toml"
PACKAGES_FILE, CONDA_FILE = "packages.txt", "conda.txt"
ENVIRONMENT_FILES = (ENVIRONMENT_FILE, HARDWARE_FILE, LOCKS_FILE, PACKAGES_FILE, CONDA_FILE)
"""The files of ``environment/`` that are compared."""
MOST_BYTES = 8 << 20

_SECTIONS = ("python", "platform", "locale", "container", "variables")
_OF_ONE_RUN_ONLY = frozenset(
    {
        *("python.executable", "locale.utc_offset", "variables.SLURM_JOB_ID", "variables.SLURM_ARRAY_JOB_ID"),
        *("variables.SLURM_ARRAY_TASK_ID", "variables.PBS_JOBID", "variables.LSB_JOBID"),
    }
)
"""Facts that differ between runs in the same environment, or from summer to winter."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One name at which two runs differ.

    Attributes:
        name: of the param, tag, package, …
        kind: ``added``, ``removed`` or ``changed``.
        before: the value in the first run; None when it has none (and when it is None: ``kind`` tells).
        after: the value in the second run.
    """

    name: str
    kind: Kind
    before: Any = None
    after: Any = None

    @property
    def types(self) -> tuple[str, str] | None:
        """The names of both types (``("int", "str")``) when they differ, else None."""
        names = _type_name(self.before), _type_name(self.after)
        return names if self.kind == "changed" and names[0] != names[1] else None


def _type_name(value: object) -> str:
    return "None" if value is None else type(value).__name__


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """A metric whose last value differs.

    Attributes:
        name: of the metric.
        kind: ``added``, ``removed`` or ``changed``.
        before, after: the last values; None where a run has no such metric.
        direction: which way the metric gets better, as the project says or its name usually means.
        delta: ``after - before``; None when one is missing, and when it is no number (NaN, infinities).
        better: whether the second is the better one; None where the direction or a value is not known.
    """

    name: str
    kind: Kind
    before: float | None = None
    after: float | None = None
    direction: Direction = Direction.UNKNOWN

    @property
    def delta(self) -> float | None:
        """``after - before``, or None."""
        if self.before is None or self.after is None:
            return None
        delta = self.after - self.before
        return delta if math.isfinite(delta) else None

    @property
    def better(self) -> bool | None:
        """Whether the second is the better one, or None."""
        if self.before is None or self.after is None or self.direction is Direction.UNKNOWN:
            return None
        if math.isnan(self.before) or math.isnan(self.after):
            return None
        return self.after * self.direction.sign > self.before * self.direction.sign


@dataclass(frozen=True, slots=True)
class InputDifference:
    """An input that differs.

    Attributes:
        name, role: of the input; inputs are the same input when both are.
        kind: ``added``, ``removed`` or ``changed``.
        before, after: the inputs; None where a run has none.
        fields: what differs: ``digest``, ``state``, ``uri``, ``schema``; empty for what is added or removed.
    """

    name: str
    role: str
    kind: Kind
    before: Input | None = None
    after: Input | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactDifference:
    """An artifact that differs: its path, how, and the entries (None where a run has none)."""

    path: str
    kind: Kind
    before: ArtifactEntry | None = None
    after: ArtifactEntry | None = None


# -- values ----------------------------------------------------------------------------------------------------------


def same_value(one: object, other: object) -> bool:
    """Whether two params are the same: of one type, and equal; NaN is NaN, and 1 is neither 1.0 nor True.

    >>> same_value([1, float("nan")], [1, float("nan")]), same_value(1, 1.0), same_value(1, "1")
    (True, False, False)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    return one == other


def value_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The names at which two mappings differ, sorted.

    >>> value_differences({"lr": 0.1, "seed": 1}, {"lr": 0.2, "depth": 3})
    ... # doctest: +NORMALIZE_WHITESPACE
    (Difference(name='depth', kind='added', before=None, after=3),
     Difference(name='lr', kind='changed', before=0.1, after=0.2),
     Difference(name='seed', kind='removed', before=1, after=None))
    """
    return tuple(Difference(name, kind, one, other) for name, kind, one, other in _pairs(before, after, same_value))


_Value = TypeVar("_Value")


def _pairs(
    before: Mapping[str, _Value], after: Mapping[str, _Value], is_same: Callable[[_Value, _Value], bool]
) -> Iterable[tuple[str, Kind, _Value | None, _Value | None]]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield name, "added", None, after[name]
        elif name not in after:
            yield name, "removed", before[name], None
        elif not is_same(before[name], after[name]):
            yield name, "changed", before[name], after[name]


def metric_differences(
    before: Mapping[str, MetricSummary], after: Mapping[str, MetricSummary], directions: Directions | None = None
) -> tuple[MetricDifference, ...]:
    """The metrics whose last value differs, sorted by name; those of the system (``system/…``) are left out.

    Args:
        before, after: the metrics of both runs.
        directions: what the project says of its metrics, if anything.
    """
    of = (directions or Directions()).of
    sides = [
        {name: summary.last for name, summary in side.items() if not name.startswith(SYSTEM_METRICS)}
        for side in (before, after)
    ]
    return tuple(MetricDifference(*pair, of(pair[0])) for pair in _pairs(sides[0], sides[1], same_value))


# -- data ------------------------------------------------------------------------------------------------------------


def input_differences(before: Sequence[Input], after: Sequence[Input]) -> tuple[InputDifference, ...]:
    """The inputs that differ, sorted by name and role.

    Of several inputs with one name and role, those with the same digest belong together; the others in their order.
    """
    groups: dict[tuple[str, str], tuple[list[Input], list[Input]]] = {}
    for position, side in enumerate((before, after)):
        for data in side:
            groups.setdefault((data.name, data.role), ([], []))[position].append(data)
    found: list[InputDifference] = []
    for name, role in sorted(groups):
        for one, other in _matched(*groups[name, role]):
            if one is None or other is None:
                found.append(InputDifference(name, role, "added" if one is None else "removed", one, other))
            elif fields := _changed_fields(one, other):
                found.append(InputDifference(name, role, "changed", one, other, fields))
    return tuple(found)


def _matched(before: list[Input], after: list[Input]) -> Iterable[tuple[Input | None, Input | None]]:
    waiting: dict[str, list[Input]] = {}
    for data in reversed(after):
        waiting.setdefault(data.digest or data.uri, []).append(data)
    left = []
    for data in before:
        same = waiting.get(data.digest or data.uri)
        if same:
            yield data, same.pop()
        else:
            left.append(data)
    kept = {id(data) for same in waiting.values() for data in same}
    right = [data for data in after if id(data) in kept]
    for position in range(max(len(left), len(right))):
        yield (
            left[position] if position < len(left) else None,
            right[position] if position < len(right) else None,
        )


def _changed_fields(one: Input, other: Input) -> tuple[str, ...]:
    differs = {
        "digest": one.digest != other.digest,
        "state": one.state != other.state,
        "uri": one.uri != other.uri,
        "schema": dict(one.schema) != dict(other.schema),
    }
    return tuple(name for name, is_so in differs.items() if is_so)


def artifact_differences(
    before: Iterable[ArtifactEntry], after: Iterable[ArtifactEntry]
) -> tuple[ArtifactDifference, ...]:
    """The artifacts whose bytes differ, by path; where and how they are kept is no difference."""
    sides = [{entry.path: entry for entry in side} for side in (before, after)]
    return tuple(ArtifactDifference(*pair) for pair in _pairs(sides[0], sides[1], _same_bytes))


def _same_bytes(one: ArtifactEntry, other: ArtifactEntry) -> bool:
    if one.digest and other.digest:
        return one.digest == other.digest
    return (one.digest, one.uri, one.size) == (other.digest, other.uri, other.size)  # nobody knows the bytes


# -- how it was run --------------------------------------------------------------------------------------------------


def command_facts(record: RunRecord) -> dict[str, str | int]:
    """How a run was started: ``command`` as a shell takes it, ``directory`` in the work tree, ``seed.<name>``."""
    facts: dict[str, str | int] = {f"seed.{name}": value for name, value in record.seeds.items()}
    if record.command:
        facts["command"] = shlex.join(record.command)
    if record.code.directory:
        facts["directory"] = record.code.directory
    return facts


def environment_facts(files: Mapping[str, bytes]) -> dict[str, str]:
    """Interpreter, platform, variables, processor, GPUs and lock files of a run, as ``python.version`` -> text.

    Args:
        files: name -> bytes of what lies in the run's ``environment/``; hostile until read.

    Raises:
        FormatError: a file is damaged.
    """
    said = _parsed(files, ENVIRONMENT_FILE)
    facts = {f"{section}.{name}": value for section in _SECTIONS for name, value in _table(said, section).items()}
    machine = _parsed(files, HARDWARE_FILE)
    facts |= {f"cpu.{name}": value for name, value in _table(machine, "cpu").items()}
    facts |= {f"memory.{name}": value for name, value in _table(machine, "memory").items()}
    for number, gpu in enumerate(_rows(machine, "gpus")):
        facts |= {f"gpu.{number}.{name}": value for name, value in gpu.items()}
    for lock in _rows(_parsed(files, LOCKS_FILE), "locks"):
        facts[f"lock.{lock.get('path', '')}"] = f"sha256:{lock.get('sha256', '')}"
    return {name: str(value) for name, value in facts.items() if name not in _OF_ONE_RUN_ONLY}


def package_versions(files: Mapping[str, bytes]) -> dict[str, str]:
    """The installed packages of a run: name -> version, with where it came from if not from an index.

    Packages of conda are ``conda/<name>`` -> version and build. A line that is no package is left out.

    >>> package_versions({"packages.txt": b"numpy==2.1.0\\nours==1.0 # editable .\\n"})
    {'numpy': '2.1.0', 'ours': '1.0 (editable .)'}
    """
    found: dict[str, str] = {}
    for line in _lines(files, PACKAGES_FILE):
        package, _, origin = line.partition(" # ")
        name, _, version = package.strip().partition("==")
        if name and not name.startswith("#"):
            found[name] = " ".join(filter(None, (version, f"({origin.strip()})" if origin.strip() else "")))
    for line in _lines(files, CONDA_FILE):
        name, _, version = line.strip().partition("=")
        if name:
            found[f"conda/{name}"] = version.replace("=", " ")
    return found


def _lines(files: Mapping[str, bytes], name: str) -> list[str]:
    return files.get(name, b"").decode("utf-8", "replace").split("\n")


def _parsed(files: Mapping[str, bytes], name: str) -> Mapping[str, Any]:
    return toml.parse(files[name], limit=MOST_BYTES, what=f"environment/{name}") if name in files else {}


def _table(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _rows(whole: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    part = whole.get(name)
    return [row for row in part if isinstance(row, dict)] if isinstance(part, list) else []
