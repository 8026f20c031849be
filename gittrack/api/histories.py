"""A metric's points as pandas has them: of one run as a Series, of several side by side as a DataFrame."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.api.saved_run import SavedRun
from gittrack.core.curves import By, along, check_by, check_points, thinned, unique_labels
from gittrack.core.names import display, metric_paths
from gittrack.core.records import Series
from gittrack.core.series import HEADER
from gittrack.errors import FormatError, InvalidValueError, MissingDependencyError, NotFoundError
from gittrack.store.run_reader import SERIES_FILE

if TYPE_CHECKING:
    import pandas

_HEADER = f"{HEADER}\n".encode()
_TYPES = {"step": "int64", "timestamp": "int64", "value": "float64"}
_OF_ROWS = b"0123456789,.+-enaif\n"
"""All that rows of the format are made of."""
INDEX_NAMES: dict[By, str] = {"step": "step", "time": "time", "relative": "seconds"}


def metrics(
    runs: SavedRun | str | Iterable[SavedRun | str] | pandas.DataFrame,
    name: str,
    *,
    by: By = "step",
    points: int | None = None,
    repo: str | os.PathLike[str] | None = None,
) -> pandas.DataFrame:
    """One metric of several runs, side by side.

    Args:
        runs: the runs, or their addresses (as for ``get_run``); one alone will do. Or what ``search_runs`` gives, a
            list, a DataFrame or an Arrow table; those have a column ``run_id``.
        name: the metric.
        by: what the rows are: ``"step"`` (of a step that was logged several times the last value), ``"time"`` (UTC) or
            ``"relative"`` (seconds since each run began).
        points: keep at most so many rows of each run, among them its extremes, and of each gap and row of infinities
            one (where there are more than half of ``points`` of them, some); all when None. What is kept of one run is
            kept of all, so that no value turns into a gap.
        repo: a directory in the repository; the working directory when None. Only addresses need it.

    Returns:
        A DataFrame of float64. Its columns are the runs in the order given, by name; where several have one name, the
        beginning of the id follows. A run without the metric, and a row that a run does not have, is NaN.

    Warns:
        UserWarning: the metric of a run cannot be read; its column is NaN, and the others are as they are.

    Raises:
        NotFoundError: none of the runs has the metric.
        CorruptRecordError, UnsupportedFormatError: of none of them it can be read; says of which run and metric.
        RunNotFoundError, AmbiguousError: an address.
        InvalidValueError: ``by`` is none of the three, ``points`` is less than 8, or a table has no ``run_id``.
        MissingDependencyError: pandas is not installed.

    Example:
        >>> gittrack.metrics(gittrack.runs("digits"), "loss", points=500).plot()  # doctest: +SKIP
    """
    pandas = _pandas()
    by = check_by(by)
    chosen = _chosen(_listed(runs), repo)
    if not any(name in run.record.metrics for run in chosen):
        raise missing_metric(chosen, name)
    labels = unique_labels([run.name for run in chosen], [run.id for run in chosen])
    if points is not None:
        check_points(points)
    columns: dict[str, _Column] = {}
    failures: list[FormatError] = []
    for label, run in zip(labels, chosen, strict=True):
        try:
            if name in run.record.metrics:
                columns[label] = _column(pandas, run, name, by, points)
        except FormatError as error:
            failures.append(error)
    if failures and not columns:
        raise failures[0]
    for failure in failures:
        warnings.warn(f"{failure.message}; its column is NaN", UserWarning, stacklevel=2)
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

    try:
        table = _parsed(pandas, run, name)
        series = run.history(name) if table is None else None
    except FormatError as error:
        text = f"'{display(name, 80)}' of run '{display(run.name, 60)}' ({run.id[:8]}) cannot be read: {error.message}"
        raise type(error)(text, hint=error.hint) from error
    if series is not None:
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


def _listed(runs: Any) -> list[SavedRun | str]:
    """The runs that somebody gave: one, several, or the table of a search."""
    if isinstance(runs, SavedRun | str):
        return [runs]
    names = getattr(runs, "column_names", getattr(runs, "columns", None))  # of Arrow, of pandas
    if names is None:
        return list(runs)
    if "run_id" not in list(names):
        text = "the table of runs has no column 'run_id'"
        raise InvalidValueError(text, hint='gittrack.metrics(gittrack.search_runs("…"), "loss")')
    ids = runs["run_id"]
    return list(ids.to_pylist() if hasattr(ids, "to_pylist") else ids)


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
