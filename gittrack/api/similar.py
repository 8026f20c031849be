"""The runs that are most like one: by what they were given, or by what came out."""

from __future__ import annotations

import heapq
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gittrack.api.found_hits import FoundHits, ask_hits, chosen_runs
from gittrack.api.search import Search
from gittrack.core.query.tree import EVERYTHING, Expression
from gittrack.core.run_diff import Kind, value_differences
from gittrack.core.similarity import (
    Aspect,
    Basis,
    Difference,
    Facts,
    code_distance,
    data_distance,
    gower,
    parse_basis,
    variables,
)
from gittrack.errors import FormatError, NotFoundError, UsageError
from gittrack.frozen import dataclass
from gittrack.index.columns import codes, distances, facts_of_number, number_of, scales_of, shared_digests
from gittrack.index.rows import stored_value

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.run_index import Progress
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import ExperimentId, RunId
    from gittrack.core.problem import Problem
    from gittrack.index.searching import Hit

_WHOLE = Basis()


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs between the run that was asked for and one like it.

    Attributes:
        aspect: ``params``, ``metrics``, ``code`` or ``data``.
        name: of the param or metric.
        mine, theirs: the values; None for what a run has none of. Of code commits, of data sorted digests.
        distance: how much of a difference it is, at most 1; 0 for a param that means the same and is of another type.
        kind: ``removed`` when the other run has none, ``added`` when only it has one, else ``changed``.
    """

    aspect: Aspect
    name: str
    mine: Any
    theirs: Any
    distance: float
    kind: Kind = "changed"


@dataclass(frozen=True, slots=True)
class SimilarRun:
    """A run like the one asked for.

    Attributes:
        run: the run.
        distance: 0 (alike in all that was compared) to 1.
        duplicate: whether params, code and data are all the same, types of params too, whatever was compared.
        differences: in what was compared, the largest first.
    """

    run: SavedRun
    distance: float
    duplicate: bool
    differences: tuple[Differing, ...]


@dataclass(frozen=True, slots=True)
class Similar:
    """The runs most like one.

    Attributes:
        run: that one.
        runs: the nearest first; of those as near the newest first.
        compared: how many runs it was compared with.
        problems: what could not be read.
    """

    run: SavedRun
    runs: tuple[SimilarRun, ...]
    compared: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SimilarAsked:
    """What is asked for.

    Attributes:
        run: which.
        number: how many runs like it.
        basis: by what.
        expression, experiments: among which runs.
        seconds: how long finding these may take, as in :class:`Search`.
    """

    run: SavedRun
    number: int = 10
    basis: Basis = _WHOLE
    expression: Expression = EVERYTHING
    experiments: tuple[ExperimentId, ...] | None = None
    seconds: float | None = None


def find_similar(project: Project, asked: SimilarAsked, progress: Progress | None = None) -> Similar:
    """Find the runs most like one.

    Args:
        project: where.
        asked: which, by what, among which.
        progress: told while many runs are read for the first time.

    Raises:
        NotFoundError: the run has nothing of what it is to be compared by.
        UsageError: less than one run is asked for.
    """
    if asked.number < 1:
        raise UsageError(f"{asked.number} is no number of runs", hint="gittrack similar @latest -n 10")
    search = Search(asked.expression, experiments=asked.experiments, seconds=asked.seconds)
    return ask_hits(project, search, lambda found: _Nearest(asked, found).answer(), progress, details=True)


class _Nearest:
    """One answer, from one state of the index."""

    def __init__(self, asked: SimilarAsked, found: FoundHits) -> None:
        self._asked = asked
        self._found = found
        self._mine = self._facts(asked.run.id)
        self._params = _params_of(asked.run)
        self._scales: dict[Any, Any] = {}
        for aspect, own in (("params", self._mine.params), ("metrics", self._mine.metrics)):
            names = [name for name in own if asked.basis.has(aspect, name)]  # type: ignore[arg-type]
            self._scales |= scales_of(found.sql, aspect, names)  # type: ignore[arg-type]

    def answer(self) -> Similar:
        self._check()
        distant = [each for each in (*self._stored(), *self._live()) if each[1].id != self._asked.run.id]
        # Not the runs themselves decide between those as near, but when they began: hits come newest first.
        nearest = heapq.nsmallest(self._asked.number, distant, key=lambda each: (each[0], *_newest(each[1])))
        runs = self._found.runs(hit for _, hit in nearest)
        like = [self._like(run, distance) for run, (distance, _) in zip(runs, nearest, strict=True)]
        return Similar(self._asked.run, tuple(like), len(distant), self._found.problems())

    def _check(self) -> None:
        if not any(True for _ in variables(self._mine, Facts(), self._asked.basis, {})):
            name = f"run {self._asked.run.id[:8]}"
            hint = self._near() or f"gittrack show {name[4:]}"
            raise NotFoundError(f"{name} has nothing of what it is compared by", hint=hint)

    def _near(self) -> str | None:
        """``did you mean …?`` of the first name that is nearly one."""
        from gittrack.core.query.diagnosis import meant
        from gittrack.index.fields import known_names

        basis, sql = self._asked.basis, self._found.sql
        known = ["params", "metrics", "code", "data", *known_names(sql, "params")]
        measured = known_names(sql, "metrics")
        hints = [*(meant(name, known) for name in basis.params or ())]
        hints += [meant(f"metrics.{name}", [f"metrics.{each}" for each in measured]) for name in basis.metrics or ()]
        return next((hint for hint in hints if hint), None)

    def _facts(self, id: RunId) -> Facts:
        live = self._found.live.get(id)
        if live is not None:
            return facts_of_live(live)
        number = number_of(self._found.sql, id)
        if number is None:
            raise NotFoundError(f"run {id[:8]} cannot be read", hint="gittrack fsck")
        return facts_of_number(self._found.sql, number)

    def _stored(self) -> list[tuple[float, Hit]]:
        """The distance of each run of the index that can be compared at all."""
        basis, mine, sql = self._asked.basis, self._mine, self._found.sql
        tables = [distances(sql, aspect, mine, basis, self._scales) for aspect in _aspects(basis)]
        code = codes(sql) if basis.code else {}
        data = shared_digests(sql, mine.data) if basis.data else {}
        result = []
        for hit in self._found.stored():
            total, count = 0.0, 0
            for table in tables:
                apart, several = table.of.get(hit.number, table.otherwise)
                total, count = total + apart, count + several
            one = code_distance(mine.code, mine.head, *code[hit.number]) if basis.code else None
            other = data_distance(len(mine.data), *data.get(hit.number, (0, 0))) if basis.data else None
            for distance in (one, other):
                if distance is not None:
                    total, count = total + distance, count + 1
            if count:
                result.append((total / count, hit))
        return result

    def _live(self) -> list[tuple[float, Hit]]:
        result = []
        for hit in self._found.going_on():
            distance = gower(self._mine, self._facts(hit.id), self._asked.basis, self._scales)
            if distance is not None:
                result.append((distance, hit))
        return result

    def _like(self, run: SavedRun, distance: float) -> SimilarRun:
        theirs = self._facts(run.id)
        apart = [each for each in variables(self._mine, theirs, self._asked.basis, self._scales) if each.distance > 0]
        whole = variables(self._mine, theirs, _WHOLE, {})
        params = _params_of(run)
        other_params = [each.name for each in value_differences(self._params, params)]
        told = {each.name for each in apart if each.aspect == "params"}
        apart += [
            Difference("params", name, 0.0)
            for name in other_params
            if name not in told and self._asked.basis.has("params", name)
        ]
        differing = sorted(apart, key=lambda each: (-each.distance, each.aspect, each.name))
        return SimilarRun(
            run=run,
            distance=distance,
            duplicate=not other_params and self._mine.code is not None and not any(each.distance > 0 for each in whole),
            differences=tuple(
                _differing(
                    each,
                    self._known(self._asked.run, self._mine, self._params, each),
                    self._known(run, theirs, params, each),
                )
                for each in differing
            ),
        )

    @staticmethod
    def _known(run: SavedRun, facts: Facts, params: Mapping[str, Any], each: Difference) -> tuple[Any, ...]:
        """What a run has of one variable; empty for nothing."""
        if each.aspect in ("params", "metrics"):
            values = params if each.aspect == "params" else run.metrics
            return (values[each.name],) if each.name in values else ()
        return (facts.code if each.aspect == "code" else tuple(sorted(facts.data)),)


def _aspects(basis: Basis) -> list[Aspect]:
    kept: list[Aspect] = []
    if basis.params is None or basis.params:
        kept.append("params")
    if basis.metrics is None or basis.metrics:
        kept.append("metrics")
    return kept


def _newest(hit: Hit) -> tuple[int, int]:
    start, id = hit.position[-2:]
    return -start, -int(id, 16)


def facts_of_live(run: SavedRun) -> Facts:
    """What of a run that is not in the index is compared."""
    record = run.record
    return Facts(
        {name: stored_value(value)[:2] for name, value in record.params.items()},
        {name: (stored_value(summary.last)[0], "") for name, summary in record.metrics.items()},
        record.code.commit,
        record.code.head,
        frozenset(data.digest for data in record.inputs if data.digest),
    )


def _differing(each: Difference, mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> Differing:
    kind: Kind = "changed" if mine and theirs else "removed" if mine else "added"
    values = [side[0] if side else None for side in (mine, theirs)]
    return Differing(each.aspect, each.name, values[0], values[1], each.distance, kind)


def _params_of(run: SavedRun) -> Mapping[str, Any]:
    """The params with their types; of a run that is damaged what is known of it."""
    try:
        return run.params
    except FormatError:
        return run.record.params


def similar(
    run: SavedRun | str,
    number: int = 10,
    *,
    on: str | Sequence[str] = (),
    query: str = "",
    experiment: str | None = None,
    repo: str | os.PathLike[str] | None = None,
) -> Similar:
    """The runs that are most like one, the nearest first.

    Each param is a variable, the code and the data one each; a pair's distance is the mean of what its variables say
    (Gower 1971): a number's is the difference over its range among all runs, of logarithms where that spans two decades
    above zero, anything else is the same or not. A param that only one of the two has is a whole difference.

    Args:
        run: the run, or its address.
        number: how many.
        on: by what: ``params``, ``metrics``, ``code``, ``data``, or names (``lr``, ``params.lr``, ``metrics.acc``);
            params, code and data when empty.
        query: among the runs that this finds.
        experiment: among the runs of this one (name or id).
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen; ``.runs`` has them with distance and differences. One whose params, code and data are all the same is a
        ``.duplicate``.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        ExperimentNotFoundError: there is no such experiment.
        NotFoundError: the run has nothing of what it is to be compared by.
        QuerySyntaxError: the query.
        UsageError: what it is to be compared by names nothing.

    Example:
        >>> [(each.run.name, each.distance) for each in gittrack.similar("@latest").runs]  # doctest: +SKIP
        [('lr-0.1', 0.05)]
    """
    from gittrack.api.project import Project
    from gittrack.api.read import find_run
    from gittrack.api.recovering import recover

    project = Project.open(repo)
    recover(project)
    whole = find_run(project, run) if isinstance(run, str) else run
    basis = parse_basis([on] if isinstance(on, str) else on)
    expression, experiments = chosen_runs(project, query, experiment)
    return find_similar(project, SimilarAsked(whole, number, basis, expression, experiments))
