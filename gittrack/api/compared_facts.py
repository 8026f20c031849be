"""What a run is in every section of a comparison; a section that is not asked for costs no reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from gittrack.api.project import Project
from gittrack.api.saved_run import SavedRun
from gittrack.core.comparison import Absence, ComparedRun, Section
from gittrack.core.directions import Direction, Directions
from gittrack.core.names import display
from gittrack.core.query.tree import Field
from gittrack.core.records import Input, MetricSummary
from gittrack.core.run_diff import (
    ENVIRONMENT_FILES,
    environment_facts,
    package_versions,
)
from gittrack.core.run_tree import INPUTS_FILE, decode_inputs
from gittrack.errors import GittrackError

Value = Literal["last", "min", "max", "mean", "best"]
VALUES: tuple[Value, ...] = get_args(Value)
"""Which number of a metric's summary is compared; ``best`` is its maximum or minimum, by the metric's direction."""


@dataclass(slots=True)
class FactReader:
    """Reads the facts of runs, one after the other; environments that are the same are parsed once.

    Attributes:
        project: where.
        sections: which facts.
        value: which number of each metric.
        directions: of metrics, for ``best``.
        keys: what runs are grouped by that is no fact of a section, as queries know it.
        problems: what could not be read so far, each in a sentence.
    """

    project: Project
    sections: Sequence[Section]
    value: Value
    directions: Directions
    keys: Mapping[str, Field] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _environments: dict[tuple[bytes | None, ...], Mapping[str, str]] = field(default_factory=dict)
    _better: dict[str, Direction] = field(default_factory=dict)

    def read(self, run: SavedRun) -> ComparedRun:
        """The facts of a run. What cannot be read of it is a problem, and unknown; the rest is none the worse."""
        readers: dict[Section, Callable[[SavedRun], Mapping[str, Any] | None]] = {
            "attributes": self._attributes,
            "params": lambda run: run.params,
            "metrics": self._metrics,
            "tags": lambda run: run.tags,
            "code": _code,
            "inputs": self._inputs,
            "environment": self._environment,
        }
        facts: dict[Section, Mapping[str, Any]] = {}
        unknown: set[Section] = set()
        for section in self.sections:
            try:
                found = readers[section](run)
            except GittrackError as error:
                self.problems.append(f"the {section} of run {run.id[:8]} cannot be read: {error.message}")
                found = None
            if found is None:
                unknown.add(section)
            else:
                facts[section] = found
        keys = {key: self._of_key(run, asked) for key, asked in self.keys.items()}
        return ComparedRun(run.id, run.name, facts, frozenset(unknown), keys)

    def _of_key(self, run: SavedRun, asked: Field) -> Any:
        """What a query would find; several values, as of inputs, together."""
        from gittrack.core.query.evaluate import facts_of, field_values

        try:
            record = run.record
            if asked.scope in ("data", "inputs"):
                record = replace(record, inputs=tuple(self._run_inputs(run)))
            elif asked.scope == "artifacts":
                record = replace(record, artifacts=tuple(run.artifacts()))
        except GittrackError as error:
            self.problems.append(f"the {asked.scope} of run {run.id[:8]} cannot be read: {error.message}")
            return Absence.UNKNOWN
        found = list(field_values(asked, facts_of(record, now=self._now, deleted=run.deleted)))
        if len(found) < 2:
            return found[0] if found else Absence.MISSING
        return ", ".join(sorted({str(value) for value in found}))

    @property
    def _now(self) -> int:
        return self.project.now()

    def _attributes(self, run: SavedRun) -> dict[str, Any]:
        record = run.record
        end = self._now if record.end_time is None else record.end_time  # until now, as in queries
        facts = {
            "experiment": record.experiment.name,
            "status": record.status.value,
            "kind": record.kind,
            "author": record.author.name,
            "host": record.host,
            "parent": record.parent,
            "exit_code": record.exit_code,
            "duration_ms": max(end - record.start_time, 0),
        }
        return {name: value for name, value in facts.items() if value not in (None, "")}

    def _metrics(self, run: SavedRun) -> dict[str, float]:
        if self.value == "best":
            return {name: self._best(name, summary) for name, summary in run.record.metrics.items()}
        return {name: getattr(summary, self.value) for name, summary in run.record.metrics.items()}

    def _best(self, name: str, summary: MetricSummary) -> float:
        """The best number; of a metric that nobody knows which way it gets better, the last."""
        direction = self._better.get(name)
        if direction is None:
            direction = self._better[name] = self.directions.of(name)
        named = {Direction.UP: summary.max, Direction.DOWN: summary.min}
        return named.get(direction, summary.last)

    def _inputs(self, run: SavedRun) -> dict[str, str]:
        return _input_facts(self._run_inputs(run))

    def _run_inputs(self, run: SavedRun) -> Sequence[Input]:
        # A list of runs does not tell the inputs of those that are committed; a live run's record is whole.
        if run.commit is None:
            return run.record.inputs
        data = run.file(INPUTS_FILE)
        return [] if data is None else decode_inputs(data)

    def _environment(self, run: SavedRun) -> Mapping[str, str] | None:
        if run.commit is None:
            self.problems.append(f"the environment of run {run.id[:8]} is not known before it ends")
            return None
        files = tuple(run.file(f"environment/{name}") for name in ENVIRONMENT_FILES)
        known = self._environments.get(files)
        if known is None:
            present = {name: data for name, data in zip(ENVIRONMENT_FILES, files, strict=True) if data is not None}
            packages = {f"packages.{name}": version for name, version in package_versions(present).items()}
            known = self._environments[files] = {**environment_facts(present), **packages}
        return known


def _code(run: SavedRun) -> dict[str, Any]:
    code = run.record.code
    facts = {
        "commit": code.commit,
        "head": code.head,
        "branch": code.branch,
        "entry": run.record.entry,
        "dirty": code.dirty,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _input_facts(inputs: Iterable[Input]) -> dict[str, str]:
    """``<name> (<role>) digest``, ``… state`` and ``… uri``; several of one name and role together."""
    facts: dict[str, list[str]] = {}
    for item in inputs:
        title = f"{item.name} ({item.role})" if item.role and item.role != item.name else item.name
        for part, value in (("digest", item.digest), ("state", item.state), ("uri", item.uri)):
            if value:
                facts.setdefault(f"{title} {part}", []).append(value)
    return {name: ", ".join(sorted(set(values))) for name, values in facts.items()}


def unread_problem(where: str, reason: str) -> str:
    """A run that is missing from the comparison because it cannot be read."""
    return f"{display(where, 100)} cannot be read: {reason}"
