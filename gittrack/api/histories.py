"""A metric's points as pandas has them: of one run as a Series, of several side by side as a DataFrame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.api.saved_run import SavedRun
from gittrack.core.curves import By, along, check_by, thinned, unique_labels
from gittrack.core.names import display, metric_paths
from gittrack.core.records import Series
from gittrack.core.series import HEADER
from gittrack.errors import MissingDependencyError, NotFoundError
from gittrack.store.run_reader import SERIES_FILE

if TYPE_CHECKING:
    import pandas

_HEADER = f"{HEADER}\n".encode()
_TYPES = {"step": "int64", "timestamp": "int64", "value": "float64"}
_OF_ROWS = b"0123456789,.+-enaif\n"
"""All that rows of the format are made of."""
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
    frame = _side_by_side(pandas, columns, by)
    return frame.reindex(columns=pandas.Index(labels)) if len(columns) < len(labels) else frame


class _Column(NamedTuple):
    """A run's values by their index, and the positions that thinning keeps; None for all."""

    values: pandas.Series[float]
    kept: list[int] | None


def metric_series(run: SavedRun, name: str, *, by: By = "step", points: int | None = None) -> pandas.Series[float]:
    """One metric of one run; what :meth:`SavedRun.metric` gives."""
    pandas = _pandas()
    by = check_by(by)
    places, values = _points(pandas, run, name, by)
    if points is not None and len(values) > points:
        kept = thinned(values.tolist(), points)
        places, values = places[kept], values[kept]
    return pandas.Series(values, index=_index(pandas, run, places, by), name=name)


def _points(pandas: Any, run: SavedRun, name: str, by: By) -> tuple[Any, Any]:
    """Steps or timestamps in rising order, those of one place as logged, and the values: numpy arrays."""
    import numpy

    table = _parsed(pandas, run, name)
    if table is None:
        series = run.history(name)
        logged = series.steps if by == "step" else series.timestamps
        places, values = numpy.array(logged, dtype="int64"), numpy.array(series.values, dtype="float64")
    else:
        places = table["step" if by == "step" else "timestamp"].to_numpy()
        values = table["value"].to_numpy()
    if (places[1:] >= places[:-1]).all():
        return places, values
    order = places.argsort(kind="stable")
    return places[order], values[order]


def _parsed(pandas: Any, run: SavedRun, name: str) -> Any:
    """The points of a finished run, parsed by pandas, which is four times as fast as we are.

    None when it is not sure to read what we would: ``run.history`` decides then, and names the damage. What else the
    rows may hold than what pandas refuses is refused here: quotes, blanks, other letters, rows of other widths.
    """
    if run.commit is None or run._project is None or name not in run.record.metrics:
        return None
    data = run._project.repo.objects.read_file(run.commit, metric_paths(run.record.metrics)[name], limit=SERIES_FILE)
    if data is None or not data.startswith(_HEADER) or not data.endswith(b"\n"):
        return None
    rows = data[len(_HEADER) :]
    count = rows.count(b"\n")
    if not count or rows.count(b",") != 2 * count or rows.translate(None, _OF_ROWS):
        return None
    # Since 3.1 pandas reads every float exactly, and warns of being asked to.
    is_exact = tuple(map(int, pandas.__version__.split(".")[:2])) >= (3, 1)
    how = {} if is_exact else {"float_precision": "round_trip"}
    try:
        table = pandas.read_csv(
            BytesIO(rows),
            header=None,
            names=list(_TYPES),
            dtype=_TYPES,
            index_col=False,
            skip_blank_lines=False,
            keep_default_na=False,
            na_values={"value": ["nan"]},
            **how,
        )
    except (ValueError, OverflowError):
        return None
    return table if len(table) == count else None


def _column(pandas: Any, run: SavedRun, name: str, by: By, points: int | None) -> _Column:
    places, numbers = _points(pandas, run, name, by)
    values = pandas.Series(numbers, index=_index(pandas, run, places, by))
    if by == "step" and not values.index.is_unique:
        values = values[~values.index.duplicated(keep="last")]
    return _Column(values, None if points is None else thinned(values.tolist(), points))


def _side_by_side(pandas: Any, columns: Mapping[str, _Column], by: By) -> Any:
    series: dict[str, Any] = {label: column.values for label, column in columns.items()}
    numbered = not all(each.index.is_unique for each in series.values())
    if numbered:  # several points of one millisecond: the first of one run stands beside the first of the other
        series = {label: each.set_axis(_numbered(pandas, each)) for label, each in series.items()}
    if len(series) == 1:
        ((label, only),) = series.items()
        frame = only.to_frame(label)
    else:
        frame = pandas.concat(series, axis=1).sort_index()
    kept = [frame.index.isin(series[label].index[column.kept]) for label, column in columns.items() if column.kept]
    if kept:
        import numpy

        frame = frame[numpy.logical_or.reduce(kept)]
    return (frame.droplevel(1) if numbered else frame).rename_axis(INDEX_NAMES[by])


def _numbered(pandas: Any, column: Any) -> Any:
    """Its index, and for each point how many of the same place stand before it."""
    number = column.groupby(level=0).cumcount()
    return pandas.MultiIndex.from_arrays([column.index, number.to_numpy()])


def _index(pandas: Any, run: SavedRun, places: Any, by: By) -> Any:
    if by == "step":
        return pandas.Index(places, name=INDEX_NAMES[by])
    if by == "relative":
        return pandas.Index((places - float(run.record.start_time)) / 1000, name=INDEX_NAMES[by])
    return pandas.DatetimeIndex(places.view("datetime64[ms]"), name=INDEX_NAMES[by]).tz_localize("UTC")


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
