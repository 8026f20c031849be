"""A metric's points as pandas has them: of one run as a Series, of several side by side as a DataFrame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.api.saved_run import SavedRun
from gittrack.core.curves import By, along, check_by, thinned, unique_labels
from gittrack.core.names import display
from gittrack.core.records import Series
from gittrack.errors import MissingDependencyError, NotFoundError

if TYPE_CHECKING:
    import pandas

INDEX_NAMES: dict[By, str] = {"step": "step", "time": "time", "relative": "seconds"}


def metrics(
    runs: SavedRun | str | Iterable[SavedRun | str],
    name: str,
    *,
    by: By = "step",
    points: int | None = None,
    repo: str | os.PathLike[str] | None = None,
) -> pandas.DataFrame:
    """One metric of several runs, side by side.

    Args:
        runs: the runs, or their addresses (as for ``get_run``); one alone will do.
        name: the metric.
        by: what the rows are: ``"step"`` (of a step that was logged several times the last value), ``"time"`` (UTC) or
            ``"relative"`` (seconds since each run began).
        points: keep at most so many rows of each run, among them its extremes, gaps and infinities; all when None.
            What is kept of one run is kept of all, so that no value turns into a gap.
        repo: a directory in the repository; the working directory when None. Only addresses need it.

    Returns:
        A DataFrame of float64. Its columns are the runs in the order given, by name; where several have one name, the
        beginning of the id follows. A run without the metric, and a row that a run does not have, is NaN.

    Raises:
        NotFoundError: none of the runs has the metric.
        RunNotFoundError, AmbiguousError: an address.
        InvalidValueError: ``by`` is none of the three, or ``points`` is less than 8.
        MissingDependencyError: pandas is not installed.

    Example:
        >>> gittrack.metrics(gittrack.runs("digits"), "loss", points=500).plot()  # doctest: +SKIP
    """
    pandas = _pandas()
    by = check_by(by)
    chosen = _chosen([runs] if isinstance(runs, SavedRun | str) else list(runs), repo)
    if not any(name in run.record.metrics for run in chosen):
        raise missing_metric(chosen, name)
    labels = unique_labels([run.name for run in chosen], [run.id for run in chosen])
    columns = {
        label: _column(pandas, run, name, by, points)
        for label, run in zip(labels, chosen, strict=True)
        if name in run.record.metrics
    }
    frame = _side_by_side(pandas, {label: column.values for label, column in columns.items()}, by)
    if len(columns) < len(labels):
        frame = frame.reindex(columns=pandas.Index(labels))
    return frame if points is None else _kept_only(frame, list(columns.values()))


class _Column(NamedTuple):
    """A run's values by their index, and the part of the index that thinning keeps."""

    values: pandas.Series[float]
    kept: pandas.Index[Any] | None


def metric_series(run: SavedRun, name: str, *, by: By = "step", points: int | None = None) -> pandas.Series[float]:
    """One metric of one run; what :meth:`SavedRun.metric` gives."""
    pandas = _pandas()
    by = check_by(by)
    history = run.history(name)
    places, values = along(history, by)
    if points is not None and len(values) > points:
        kept = thinned(values, points)
        places, values = [places[i] for i in kept], [values[i] for i in kept]  # type: ignore[assignment]
    return pandas.Series(_floats(values), index=_index(pandas, run, places, by), name=name)


def _column(pandas: Any, run: SavedRun, name: str, by: By, points: int | None) -> _Column:
    places, numbers = along(run.history(name), by)
    values = pandas.Series(_floats(numbers), index=_index(pandas, run, places, by))
    if by == "step" and not values.index.is_unique:
        values = values[~values.index.duplicated(keep="last")]
    return _Column(values, None if points is None else values.index[thinned(values.tolist(), points)])


def _side_by_side(pandas: Any, columns: dict[str, Any], by: By) -> Any:
    if len(columns) == 1:
        ((label, only),) = columns.items()
        return only.to_frame(label)
    if not all(column.index.is_unique for column in columns.values()):
        # Several points of one millisecond: the first of one run stands beside the first of the other.
        numbered = {label: column.set_axis(_numbered(pandas, column)) for label, column in columns.items()}
        frame = pandas.concat(numbered, axis=1).sort_index().droplevel(1)
    else:
        frame = pandas.concat(columns, axis=1).sort_index()
    return frame.rename_axis(INDEX_NAMES[by])


def _numbered(pandas: Any, column: Any) -> Any:
    number = column.groupby(level=0).cumcount()
    return pandas.MultiIndex.from_arrays([column.index, number.to_numpy()])


def _kept_only(frame: Any, columns: Sequence[_Column]) -> Any:
    """The rows that thinning keeps of any of the columns."""
    import numpy

    kept = [frame.index.isin(column.kept) for column in columns if column.kept is not None]
    return frame[numpy.logical_or.reduce(kept)]


def _floats(values: Any) -> Any:
    import numpy

    return numpy.array(values, dtype="float64")


def _index(pandas: Any, run: SavedRun, places: Any, by: By) -> Any:
    import numpy

    numbers = numpy.array(places, dtype="int64")
    if by == "step":
        return pandas.Index(numbers, name=INDEX_NAMES[by])
    if by == "relative":
        return pandas.Index((numbers - float(run.record.start_time)) / 1000, name=INDEX_NAMES[by])
    return pandas.DatetimeIndex(numbers.view("datetime64[ms]"), name=INDEX_NAMES[by]).tz_localize("UTC")


def _chosen(runs: Sequence[SavedRun | str], repo: str | os.PathLike[str] | None) -> list[SavedRun]:
    from gittrack.api.read import get_run

    return [run if isinstance(run, SavedRun) else get_run(run, repo) for run in runs]


def missing_metric(runs: Sequence[SavedRun], name: str) -> NotFoundError:
    """The error that none of some runs has a metric; its hint is the nearest name, or where the names are listed."""
    from difflib import get_close_matches

    if not runs:
        return NotFoundError("no runs are given", hint="gittrack ls")
    known = sorted({known for run in runs for known in run.record.metrics})
    near = get_close_matches(name, known, 1)
    who = f"run '{display(runs[0].name, 60)}' has no" if len(runs) == 1 else f"none of {len(runs)} runs has a"
    hint = f"did you mean '{display(near[0], 80)}'?" if near else f"gittrack show {runs[0].id[:8]}"
    return NotFoundError(f"{who} metric '{display(name, 80)}'", hint=hint)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError("pandas is not installed", hint="pip install 'gittrack[pandas]'") from error
    return pandas


def points_of(run: SavedRun, series: Series, by: By) -> tuple[Sequence[float], Sequence[float]]:
    """A metric's points as a curve needs them: steps, ms since the epoch, or seconds since the run began."""
    places, values = along(series, by)
    if by == "relative":
        start = run.record.start_time
        return [(place - start) / 1000 for place in places], values
    return places, values
