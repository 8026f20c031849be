"""The records of a comparison: the runs, a row for each fact, groups of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args

from gittrack.core.directions import Direction
from gittrack.core.normalise import Method
from gittrack.core.statistics import Statistics
from gittrack.errors import NotFoundError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    import pandas

Section = Literal["attributes", "params", "metrics", "tags", "code", "inputs", "environment"]
SECTIONS: tuple[Section, ...] = get_args(Section)
Verdict = Literal["better", "worse", "same", ""]


class Absence(Enum):
    """Why a run has no value: it has none, or nobody knows."""

    MISSING = "missing"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the runs that are compared.

    Attributes:
        id, name: the run's.
        facts: section -> name -> value. Metrics are numbers.
        unknown: sections that could not be read, so that nobody knows what is missing there.
        keys: what the runs are grouped by that is no fact of a section: ``data.train.hash`` -> value, or an
            :class:`Absence`.
    """

    id: str
    name: str
    facts: Mapping[Section, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    unknown: frozenset[Section] = frozenset()
    keys: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """How far a number is from the baseline's.

    Attributes:
        difference: this one minus the baseline's; NaN where one of them is.
        relative: the same as a share of the baseline's size; None when that is zero or infinite.
        verdict: ``""`` when the direction is unknown, or where a number is NaN.
    """

    difference: float
    relative: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of all runs.

    Attributes:
        section, name: which.
        values: by run; :data:`Absence.MISSING` where a run has none, ``UNKNOWN`` where nobody knows.
        differs: whether they are not all the same; types count, so that ``1`` and ``"1"`` differ.
        direction: of a metric: which way it gets better.
        deltas: of a metric, against the baseline, by run; None for what cannot be compared. Empty without a baseline.
        normalised: of a metric, by run; higher is better, of unknown direction only more. Empty when nobody asked.
    """

    section: Section
    name: str
    values: tuple[Any, ...]
    differs: bool
    direction: Direction = Direction.UNKNOWN
    deltas: tuple[Delta | None, ...] = ()
    normalised: tuple[float | None, ...] = ()

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """The values of a metric, None where there is none."""
        return tuple(value if isinstance(value, int | float) else None for value in self.values)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that have the same values of the keys they are grouped by.

    Attributes:
        key: these values, in the order of the keys.
        runs: their places in :attr:`Comparison.runs`.
        statistics: metric -> what the runs say of it together; metrics that none of them has are left out.
        deltas: metric -> its mean against the mean of the baseline's group; empty without a baseline.
        normalised: metric -> its mean on the scale asked for, among the means of all groups; empty when nobody asked.
        score: the weighted mean of the means normalised over the groups; None without weights, or where one is
            missing.
        rank: the group's place by its score, 1 for the best.
        labels: by key, what people know the value by: the name of a parent; ``""`` where the value says it.
    """

    key: tuple[Any, ...]
    runs: tuple[int, ...]
    statistics: Mapping[str, Statistics]
    deltas: Mapping[str, Delta] = field(default_factory=dict)
    normalised: Mapping[str, float | None] = field(default_factory=dict)
    score: float | None = None
    rank: int | None = None
    labels: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: in the order of all values; the baseline, if there is one, is the first.
        rows: by section and name; :meth:`differing` leaves out what is the same everywhere.
        sections: what was compared.
        has_baseline: whether the first run is the baseline.
        value: which number of each metric: ``last``, ``min``, ``max``, ``mean`` or ``best``.
        normalize: the scale of ``normalised``, or None.
        weights: metric -> weight of the score; empty without one.
        scores: the weighted mean of the normalised metrics, by run; None for a run that lacks one. Empty without one.
            Groups have their own.
        group_by: the keys, ``section.name`` or as they are in queries; empty when the runs are not grouped.
        groups: by their keys.
        problems: what could not be read, each in a sentence.
    """

    runs: tuple[ComparedRun, ...]
    rows: tuple[Row, ...]
    sections: tuple[Section, ...] = SECTIONS
    has_baseline: bool = False
    value: str = "last"
    normalize: Method | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    scores: tuple[float | None, ...] = ()
    group_by: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    problems: tuple[str, ...] = ()

    def section(self, name: Section) -> tuple[Row, ...]:
        """The rows of one section."""
        return tuple(row for row in self.rows if row.section == name)

    def row(self, section: Section, name: str) -> Row:
        """One row.

        Raises:
            NotFoundError: no run has it.
        """
        for row in self.rows:
            if row.section == section and row.name == name:
                return row
        raise NotFoundError(f"no run has '{section}.{name}'", hint="gittrack compare … --all")

    def differing(self) -> tuple[Row, ...]:
        """The rows where the runs differ."""
        return tuple(row for row in self.rows if row.differs)

    def ranks(self) -> tuple[int | None, ...]:
        """The place of each run by its score, 1 for the best; equal scores share one."""
        return ranks_of(self.scores)

    def to_frame(self, *, differing: bool = False) -> pandas.DataFrame:
        """The comparison as a pandas DataFrame.

        Args:
            differing: only what differs.

        Returns:
            A row for each run, indexed by its id: ``name``, then ``<section>.<name>`` as in ``params.lr``, deltas as
            ``metrics.acc.delta``, normalised metrics as ``metrics.acc.normalized``, and ``score``. Of grouped runs a
            row for each group: the keys, ``runs``, then ``metrics.acc.n``, ``.mean``, ``.std``, ``.low`` and ``.high``
            (and ``.delta``, ``.normalized``, ``score``, ``rank``).
        """
        import pandas

        if self.group_by:
            return pandas.DataFrame(list(self._group_records()))
        columns: dict[str, Sequence[Any]] = {"name": [run.name for run in self.runs]}
        for row in self.differing() if differing else self.rows:
            title = f"{row.section}.{row.name}"
            columns[title] = row.numbers if row.section == "metrics" else [_or_none(value) for value in row.values]
            if row.deltas:
                columns[f"{title}.delta"] = [None if delta is None else delta.difference for delta in row.deltas]
            if row.normalised:
                columns[f"{title}.normalized"] = row.normalised
        if self.scores:
            columns["score"] = self.scores
        numeric = [name for name in columns if name.startswith("metrics.") or name == "score"]
        frame = pandas.DataFrame(columns, index=pandas.Index([run.id for run in self.runs], name="run_id"))
        return frame.astype(dict.fromkeys(numeric, "float64")) if self.runs else frame

    def _group_records(self) -> Iterator[dict[str, Any]]:
        for group in self.groups:
            record: dict[str, Any] = dict(zip(self.group_by, map(_or_none, group.key), strict=True))
            record["runs"] = len(group.runs)
            for name, found in group.statistics.items():
                named = (("n", found.n), ("mean", found.mean), ("std", found.deviation))
                for part, number in (*named, ("low", found.low), ("high", found.high)):
                    record[f"metrics.{name}.{part}"] = number
                if name in group.deltas:
                    record[f"metrics.{name}.delta"] = group.deltas[name].difference
                if name in group.normalised:
                    record[f"metrics.{name}.normalized"] = group.normalised[name]
            if self.weights:
                record |= {"score": group.score, "rank": group.rank}
            yield record

    def __repr__(self) -> str:
        return f"Comparison({len(self.runs)} runs, {len(self.rows)} facts, {len(self.differing())} of them differ)"


def _or_none(value: Any) -> Any:
    return None if isinstance(value, Absence) else value


def ranks_of(scores: Sequence[float | None]) -> tuple[int | None, ...]:
    """The place of each score, 1 for the best; equal ones share one, None has none."""
    places: dict[float, int] = {}
    for place, score in enumerate(sorted((score for score in scores if score is not None), reverse=True), 1):
        places.setdefault(score, place)
    return tuple(None if score is None else places[score] for score in scores)
