"""Curves of runs: read, drawn into one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.api.histories import missing_metric, points_of
from gittrack.core.curves import By, Chart, Curve, has_points, smoothed, unique_labels
from gittrack.core.metric_choice import named_by, telling_first
from gittrack.core.names import display
from gittrack.errors import ConflictError, GittrackError, NotFoundError, StorageError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.api.search import Search
    from gittrack.core.records import Series

Format = Literal["svg", "png", "html"]
MOST_CHOSEN, MOST_CHARTS = 4, 50
"""Metrics that are drawn when none are named, and when a pattern names them."""
_FORMATS: dict[str, Format] = {".svg": "svg", ".png": "png", ".html": "html", ".htm": "html"}


@dataclass(frozen=True, slots=True)
class View:
    """How curves are drawn.

    Attributes:
        by: along what.
        smoothing: weight of what came before, 0 to less than 1.
        log_x, log_y: whether an axis is logarithmic.
    """

    by: By = "step"
    smoothing: float = 0.0
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Charts, one for each metric, and what of the runs is not in them, each in a sentence."""

    charts: tuple[Chart, ...]
    left_out: tuple[str, ...] = ()


def find_runs(project: Project, addresses: Sequence[str], asked: Search | None = None) -> list[SavedRun]:
    """The runs at some addresses, in their order, then those that a search finds; none twice.

    Raises:
        RunNotFoundError, AmbiguousError: an address.
        NotFoundError: no run is found at all.
    """
    from gittrack.api.read import find_listed

    runs = find_listed(project, addresses)
    if asked is not None:
        from gittrack.api.search import search

        runs += search(project, asked).runs
    if not runs:
        raise NotFoundError("no run is like that", hint="gittrack ls")
    found: dict[str, SavedRun] = {}
    for run in runs:
        found.setdefault(run.id, run)
    return list(found.values())


def chosen_metrics(project: Project, runs: Sequence[SavedRun], patterns: Sequence[str] = ()) -> list[str]:
    """The metrics to draw.

    Args:
        project: whose settings say which come first.
        runs: of these.
        patterns: names, and patterns such as ``val/*``; a name that no run has stays. Without any, at most
            :data:`MOST_CHOSEN`: those of the settings, then the telling ones.

    Raises:
        UsageError: a pattern means more than :data:`MOST_CHARTS` metrics.
    """
    points: dict[str, int] = {}
    for run in runs:
        for name, summary in run.record.metrics.items():
            points[name] = max(points.get(name, 0), summary.count)
    if not patterns:
        return telling_first(points, project.config.headline)[:MOST_CHOSEN]
    names = named_by(patterns, points)
    if len(names) > max(MOST_CHARTS, len(patterns)):
        raise UsageError(f"{len(names)} metrics are like that, at most {MOST_CHARTS} are drawn", hint="-m 'val/*'")
    return names


def default_metrics(project: Project, runs: Sequence[SavedRun]) -> list[str]:
    """The metrics to draw when none are named.

    Raises:
        NotFoundError: no run has a metric.
    """
    names = chosen_metrics(project, runs)
    if not names:
        who = f"run '{display(runs[0].name, 60)}' has" if len(runs) == 1 else f"the {len(runs)} runs have"
        raise NotFoundError(f"{who} no metrics", hint=f"gittrack show {runs[0].id[:8]}")
    return names


def check_view(view: View) -> None:
    """Raise UsageError when curves cannot be drawn so."""
    if view.by == "time" and view.log_x:
        text = "a clock has no beginning, and so no logarithmic axis; the time since a run began has one"
        raise UsageError(text, hint="--by relative --log-x")


def draw(runs: Sequence[SavedRun], names: Iterable[str], view: View) -> Drawing:
    """Read the curves of some metrics. A run that cannot be read, or lacks one, is left out and told.

    Args:
        runs: whose curves; at least one.
        names: the metrics, each a chart.
        view: how they are drawn.

    Raises:
        NotFoundError: none of the runs has one of the metrics.
        UsageError: the curves cannot be drawn or smoothed so.
    """
    check_view(view)
    left_out: list[str] = []
    labels = unique_labels([run.name for run in runs], [run.id for run in runs])
    charts = [_chart(runs, labels, name, view, left_out) for name in dict.fromkeys(names)]
    return Drawing(tuple(charts), tuple(left_out))


def _chart(runs: Sequence[SavedRun], labels: Sequence[str], name: str, view: View, left_out: list[str]) -> Chart:
    if not any(name in run.record.metrics for run in runs):
        raise missing_metric(runs, name)
    curves = []
    for run, label in zip(runs, labels, strict=True):
        if name not in run.record.metrics:
            left_out.append(f"run '{display(label, 60)}' has no metric '{display(name, 80)}'")
            continue
        try:
            series = run.history(name)
        except GittrackError as error:
            left_out.append(f"'{display(name, 80)}' of run '{display(label, 60)}' cannot be read: {error.message}")
        else:
            curves.append(_curve(run, label, series, view))
    return Chart(name, tuple(curves), view.by, view.log_x, view.log_y)


def _curve(run: SavedRun, label: str, series: Series, view: View) -> Curve:
    xs, ys = points_of(run, series, view.by)
    if not view.smoothing:
        return Curve(label, run.id, xs, ys)
    return Curve(label, run.id, xs, smoothed(ys, view.smoothing), ys)


def title_of(charts: Sequence[Chart]) -> str:
    """What a file of charts is called: its metrics."""
    names = [display(chart.title, 60) for chart in charts]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_target(path: Path, *, force: bool) -> Format:
    """What a file is to hold, by its suffix, before anything is read.

    Raises:
        UsageError: the suffix is none that can be written.
        ConflictError: it is there already, and ``force`` is not given.
    """
    format = _FORMATS.get(path.suffix.lower())
    if format is None:
        raise UsageError(f"cannot write '{path}': its suffix is none of .svg, .png, .html", hint="-o curve.svg")
    if path.is_dir():
        raise UsageError(f"'{path}' is a directory", hint=f"-o {path}{os.sep}curve.{format}")
    if not force and os.path.lexists(path):
        raise ConflictError(f"'{path}' is there already", hint="--force replaces it")
    return format


def write_charts(path: Path, charts: Sequence[Chart], *, force: bool = False) -> tuple[str, ...]:
    """Write charts into one file that needs nothing else, whole or not at all.

    Args:
        path: ``.svg``, ``.html`` or ``.png``; the last needs matplotlib.
        charts: drawn below each other.
        force: replace a file that is there.

    Returns:
        What of it cannot be seen in the file, each in a sentence.

    Raises:
        UsageError, ConflictError: as for :func:`check_target`.
        MissingDependencyError: a PNG is wanted and matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    format = check_target(path, force=force)
    unseen = [
        f"'{display(chart.title, 80)}' has no point that can be drawn" for chart in charts if not has_points(chart)
    ]
    if format == "svg":
        from gittrack.core.svg_chart import svg_text

        data = svg_text(charts, title_of(charts)).encode()
    elif format == "html":
        from gittrack.core.html_chart import html_text

        data = html_text(charts, title_of(charts)).encode()
    else:
        from gittrack.api.png_chart import png_bytes

        data, boxes = png_bytes(charts)
        if boxes:
            shown = display("".join(boxes[:20]))
            unseen.append(f"no installed font has {shown}: boxes in the PNG; -o {path.stem}.svg has the letters")
    _write_whole(path, data, force=force)
    return tuple(unseen)


def _write_whole(path: Path, data: bytes, *, force: bool) -> None:
    """Write beside the target, then give the file its name in one step.

    Two who write at once: by ``link`` the second fails, by ``replace`` (``--force``) the last one stays, whole.
    """
    temporary = path.with_name(f".{path.name[:80]}.{os.urandom(6).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            os.replace(temporary, path)
        else:
            _link(temporary, path)
    except FileExistsError as error:
        raise ConflictError(f"'{path}' is there already", hint="--force replaces it") from error
    except OSError as error:
        hint = f"mkdir -p '{path.parent}'" if isinstance(error, FileNotFoundError) else "write to another directory"
        raise StorageError(f"cannot write '{path}': {(error.strerror or '').lower()}", hint=hint) from error
    finally:
        with suppress(OSError):  # there is none: it was renamed, or could not be made
            temporary.unlink()


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(temporary, path)
