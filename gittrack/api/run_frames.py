"""Runs as a table of pandas or Arrow, in MLflow's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from gittrack.core.query.evaluate import artifact_uri, attributes_of
from gittrack.core.query.reserved_tags import RESERVED_TAGS, tag_value
from gittrack.core.value_text import exact_text

if TYPE_CHECKING:
    from gittrack.api.saved_run import SavedRun
    from gittrack.api.search_runs import PagedList

PAGE_TOKEN, PROBLEMS = "page_token", "problems"
"""Where a table keeps what goes with it: ``attrs`` of a DataFrame, metadata of an Arrow table."""
_EXACT = 1 << 53
"""Integers up to here are floats too."""
_INT64 = 1 << 63

_ABOUT: Mapping[str, Callable[[SavedRun], str]] = {
    "run_id": lambda run: run.id,
    "experiment_id": lambda run: run.record.experiment.id,
    "status": lambda run: run.status.value.upper(),
    "artifact_uri": lambda run: artifact_uri(run.id),
}
_TIMES: Mapping[str, Callable[[SavedRun], int | None]] = {
    "start_time": lambda run: run.record.start_time,
    "end_time": lambda run: run.record.end_time,
}
_NAMES: Mapping[str, Callable[[SavedRun], str]] = {
    "run_name": lambda run: run.name,
    "experiment_name": lambda run: run.experiment,
}


def frame(pandas: Any, page: PagedList) -> Any:
    """Runs as a DataFrame, a row each.

    ``run_id, experiment_id, status, artifact_uri, start_time, end_time`` as MLflow has them, ``run_name`` and
    ``experiment_name``; then ``metrics.…``, ``params.…``, ``tags.…``, sorted.
    """
    columns: dict[str, Any] = {name: _texts(pandas, map(tell, page)) for name, tell in _ABOUT.items()}
    columns |= {name: _moments(pandas, [tell(run) for run in page]) for name, tell in _TIMES.items()}
    columns |= {name: _texts(pandas, map(tell, page)) for name, tell in _NAMES.items()}
    for name, values in _logged([run.metrics for run in page]).items():
        numbers = [float("nan") if value is None else value for value in values]
        columns[f"metrics.{name}"] = pandas.Series(numbers, dtype="float64")
    for name, values in _logged([run.params for run in page]).items():
        columns[f"params.{name}"] = _params(pandas, values)
    for name, values in _logged([_tags(run) for run in page]).items():
        columns[f"tags.{name}"] = _texts(pandas, values)
    result = pandas.DataFrame(columns)
    result.attrs = {PAGE_TOKEN: page.token, PROBLEMS: list(page.problems)}
    return result


def table(pyarrow: Any, page: PagedList) -> Any:
    """Runs as an Arrow table with the columns of :func:`frame`; a param of several kinds is a column of texts."""
    text, number = pyarrow.string(), pyarrow.float64()
    moment = pyarrow.timestamp("ms", tz="UTC")
    columns: dict[str, Any] = {name: pyarrow.array(map(tell, page), text) for name, tell in _ABOUT.items()}
    columns |= {name: pyarrow.array([tell(run) for run in page], moment) for name, tell in _TIMES.items()}
    columns |= {name: pyarrow.array(map(tell, page), text) for name, tell in _NAMES.items()}
    for name, values in _logged([run.metrics for run in page]).items():
        columns[f"metrics.{name}"] = pyarrow.array(values, number)
    for name, values in _logged([run.params for run in page]).items():
        columns[f"params.{name}"] = _arrow_params(pyarrow, values)
    for name, values in _logged([_tags(run) for run in page]).items():
        columns[f"tags.{name}"] = pyarrow.array(values, text)
    metadata = {PROBLEMS: "\n".join(page.problems), **({} if page.token is None else {PAGE_TOKEN: page.token})}
    return pyarrow.table(columns).replace_schema_metadata(metadata)


def _logged(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Name -> its value in each run, None where a run has none; names sorted."""
    names = sorted(set(chain.from_iterable(runs)))
    return {name: [values.get(name) for values in runs] for name in names}


def _tags(run: SavedRun) -> dict[str, str]:
    """Its tags, and those that MLflow gives every run, as far as there is something to say; queries see the same."""
    tags, attributes = run.record.tags, attributes_of(run.record, run.record.start_time)
    reserved = {key: tag_value(key, tags, attributes) for key in RESERVED_TAGS}
    return {**tags, **{key: value for key, value in reserved.items() if value}}


def _texts(pandas: Any, values: Any) -> Any:
    return pandas.Series(list(values), dtype="object")


def _moments(pandas: Any, values: Sequence[int | None]) -> Any:
    import numpy

    nothing = numpy.datetime64("NaT").view("int64")
    stored = numpy.array([nothing if value is None else value for value in values], dtype="int64")
    return pandas.Series(pandas.DatetimeIndex(stored.view("datetime64[ms]")).tz_localize("UTC"))


def _params(pandas: Any, values: list[Any]) -> Any:
    """Numbers and truths as such where all are; where one is missing as floats, if those hold them exactly."""
    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    whole = len(there) == len(values)
    if kinds == {bool} and whole:
        return pandas.Series(values, dtype="bool")
    if kinds == {int} and whole and all(-_INT64 <= value < _INT64 for value in there):
        return pandas.Series(values, dtype="int64")
    if kinds and kinds <= {int, float} and all(_is_exact(value) for value in there):
        return pandas.Series([float("nan") if value is None else float(value) for value in values], dtype="float64")
    return pandas.Series(values, dtype="object")


def _is_exact(value: float) -> bool:
    return not isinstance(value, int) or -_EXACT <= value <= _EXACT


def _arrow_params(pyarrow: Any, values: list[Any]) -> Any:
    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    if kinds == {bool}:
        return pyarrow.array(values, pyarrow.bool_())
    if kinds == {int} and all(-_INT64 <= value < _INT64 for value in there):
        return pyarrow.array(values, pyarrow.int64())
    if kinds and kinds <= {int, float} and all(_is_exact(value) for value in there):
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    return pyarrow.array([None if value is None else exact_text(value) for value in values], pyarrow.string())
