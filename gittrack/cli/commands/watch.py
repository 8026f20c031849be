"""``gittrack watch``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, print_page, say
from gittrack.core.records import RunStatus
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.followed_elsewhere import Followed
    from gittrack.api.live_runs import LiveRuns
    from gittrack.api.plot import View
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun
    from gittrack.core.curves import By

INTERRUPTED = 130


@click.command("watch")
@click.argument("run", metavar="RUN")
@click.option(
    "-m",
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    help="A metric to draw, or several: 'val/*'; may come later.",
)
@click.option(
    "--by",
    type=click.Choice(["step", "time", "relative"]),
    default="step",
    show_default=True,
    help="Draw along the steps, the clock, or the time since the run began.",
)
@click.option(
    "--smooth",
    metavar="WEIGHT",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Smooth by an exponential moving average: 0 not at all, 0.6 a little, 0.99 a lot.",
)
@click.option("--log-x", is_flag=True, help="A logarithmic horizontal axis.")
@click.option("--log-y", is_flag=True, help="A logarithmic vertical axis.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with nothing but ASCII.")
@click.option(
    "-n",
    "--seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=86_400),
    default=2.0,
    show_default=True,
    help="How long each page stays.",
)
@click.option("--once", is_flag=True, help="Show it once, as it is now.")
@click.pass_context
def command(
    context: click.Context,
    run: str,
    metrics: tuple[str, ...],
    by: By,
    smooth: float,
    log_x: bool,
    log_y: bool,
    ascii_only: bool,
    seconds: float,
    once: bool,
) -> None:
    """Follow a run in progress, with its curves, until it ends.

    A run that goes on elsewhere is fetched every 10 s; it ends with 1 when nothing was heard of it for long.

    Ends with 0 when the run finished, with 1 when it failed, crashed or was stopped; q or Ctrl-C end it with 130, and
    the run goes on. Where nothing can be drawn in place (a pipe, TERM=dumb) it waits, and prints the last page.
    """
    from dataclasses import replace

    from gittrack.api.followed_elsewhere import Followed
    from gittrack.api.histories import missing_metric
    from gittrack.api.live_runs import LiveRuns, has_ended
    from gittrack.api.plot import View, check_view
    from gittrack.api.read import find_run
    from gittrack.cli.screen import has_cursor_control

    session: Session = context.obj
    view = View(by, smooth, log_x, log_y)
    check_view(view)
    project = session.recovered()
    live, found = LiveRuns(project), find_run(project, run)
    page = _Page(project, metrics, view, ascii_only or session.environ.get("TERM") == "dumb")
    if has_ended(found) and metrics and not page.names(found):
        raise missing_metric([found], metrics[0])
    if not once and not has_ended(found):
        with Followed.watched(project, found) as elsewhere:
            page = replace(page, elsewhere=elsewhere)
            in_place = has_cursor_control(session.environ)
            ended = _followed(session, live, found, page, seconds) if in_place else _awaited(live, found, page, seconds)
        if ended is None:
            say(f"run {found.id[:8]} goes on; next: gittrack watch {found.id[:8]}")
            context.exit(INTERRUPTED)
        found = ended
    print_page(
        "\n".join(page.lines(found, session.stdout))
    )  # no pager: what follows in a script must not wait for a key
    if not has_ended(found):
        if not once:
            say(f"nothing was heard of it for long, it may be dead: gittrack recover {found.id[:8]}", role="warning")
            context.exit(1)
        return
    say(f"next: gittrack show {found.id[:8]}")
    context.exit(0 if found.status is RunStatus.FINISHED else 1)


def _followed(session: Session, live: LiveRuns, run: SavedRun, page: _Page, seconds: float) -> SavedRun | None:
    """The run when it has ended, or is lost; None when the user left before."""
    from gittrack.api.live_runs import has_ended
    from gittrack.cli.screen import Screen, refresh

    latest = run

    def drawn(terminal: Terminal) -> tuple[Sequence[str], bool]:
        nonlocal latest
        latest = page.latest(live, run)
        return page.lines(latest, terminal, fit=True), has_ended(latest) or page.is_lost(latest)

    try:
        with Screen.held(session.environ) as screen:
            refresh(screen, seconds, drawn)
    except KeyboardInterrupt:
        return None
    return latest if has_ended(latest) or page.is_lost(latest) else None


def _awaited(live: LiveRuns, run: SavedRun, page: _Page, seconds: float) -> SavedRun | None:
    from time import monotonic, sleep

    from gittrack.api.live_runs import has_ended

    say(f"waiting until run {run.id[:8]} ends")
    failed = ""
    try:
        while not has_ended(run) and not page.is_lost(run):
            began = monotonic()
            run = page.latest(live, run)
            if page.failed != failed:
                failed = page.failed
                if failed:
                    say(f"warning: {failed}; it is asked again", role="warning")
            if not has_ended(run):
                sleep(max(seconds, 4 * (monotonic() - began)))
    except KeyboardInterrupt:
        return None
    return run


@dataclass(frozen=True, slots=True)
class _Page:
    """What is shown of a run: its facts, and the curves of the metrics asked for or, without any, of its headline."""

    project: Project
    metrics: Sequence[str]
    view: View
    ascii_only: bool
    elsewhere: Followed | None = None

    @property
    def failed(self) -> str:
        """Why the last fetch of a run that goes on elsewhere failed; mostly empty."""
        return "" if self.elsewhere is None else self.elsewhere.failed

    def latest(self, live: LiveRuns, run: SavedRun) -> SavedRun:
        """The run as it is known now; of one elsewhere what is new is on its way."""
        if self.elsewhere is not None:
            self.elsewhere.look()
        return live.one(run.id)

    def is_lost(self, run: SavedRun) -> bool:
        """Whether nothing was heard of a run elsewhere for long."""
        return self.elsewhere is not None and self.elsewhere.is_lost(run)

    def lines(self, run: SavedRun, terminal: Terminal, *, fit: bool = False) -> list[str]:
        """The lines; with ``fit`` as many as the terminal has, where that is possible at all."""
        from gittrack.api.live_runs import has_ended
        from gittrack.api.plot import draw
        from gittrack.cli.charts import BESIDE_THE_FIELD, HEIGHT, charts_text
        from gittrack.core.terminal_chart import LEAST_HEIGHT

        lines = [*self._head(run, terminal), ""]
        names = self.names(run)
        if not names:
            return [*lines, "  no metrics" if has_ended(run) else "  no metrics yet"]
        height = None
        if fit:
            least = LEAST_HEIGHT + BESIDE_THE_FIELD
            if terminal.height < len(lines) + least:
                lines = [self._short_head(run, terminal)]
            # Every chart but the last has a blank line below it.
            names = names[: max((terminal.height - len(lines) + 1) // (least + 1), 1)]
            room = (terminal.height - len(lines) + 1) // len(names) - BESIDE_THE_FIELD - 1
            height = max(LEAST_HEIGHT, min(room, HEIGHT))
        drawing = draw([run], names, self.view)
        lines += charts_text(drawing.charts, terminal, height=height, ascii_only=self.ascii_only)
        return [*lines, *drawing.left_out]

    def names(self, run: SavedRun) -> list[str]:
        """The metrics that are drawn, of those that the run has by now."""
        from gittrack.api.plot import chosen_metrics

        return [name for name in chosen_metrics(self.project, [run], self.metrics) if name in run.record.metrics]

    def _short_head(self, run: SavedRun, terminal: Terminal) -> str:
        """The head in one line, where a terminal has no room for more."""
        from gittrack.api.farewell import duration_of
        from gittrack.core.names import display
        from gittrack.core.sparkline import format_age, format_duration

        steps = [summary.last_step for summary in run.record.metrics.values()]
        now = self.project.now()
        parts = [run.status.value, format_duration(duration_of(run.record, now))]
        parts += [f"seen {format_age(now - run.seen)}"] if run.seen is not None else []
        facts = "  ".join([*parts, *([f"step {max(steps)}"] if steps else [])])
        width = terminal.width or 80
        name = display(run.name, max(width - len(facts) - 2, 8))
        return terminal.paint(display(f"{name}  {facts}", width), "title")

    def _head(self, run: SavedRun, terminal: Terminal) -> list[str]:
        from gittrack.api.farewell import duration_of
        from gittrack.api.plot import chosen_metrics
        from gittrack.cli.render import facts_lines, status_role, status_text, time_text
        from gittrack.core.names import display
        from gittrack.core.sparkline import format_duration

        now, record = self.project.now(), run.record
        steps = [summary.last_step for summary in record.metrics.values()]
        asked = chosen_metrics(self.project, [run], self.metrics) if self.metrics else []
        missing = [name for name in asked if name not in record.metrics]
        facts = {
            "id": run.id,
            "experiment": record.experiment.name,
            "status": status_text(run),
            "error": display(record.error, 200),
            "started": time_text(record.start_time),
            "seen": self._seen(run, now),
            "not fetched": display(self.failed, 200),
            "elapsed": format_duration(duration_of(record, now)),
            "step": str(max(steps)) if steps else "",
            "not logged": ", ".join(missing),
        }
        title = terminal.paint(display(run.name), "title")
        return [f"{title}  {terminal.paint(run.status.value, status_role(run.status))}", *facts_lines(facts, terminal)]

    def _seen(self, run: SavedRun, now: int) -> str:
        if run.seen is None:
            return ""
        from gittrack.api.elsewhere import last_seen
        from gittrack.cli.run_page import seen_text

        return seen_text(run, last_seen(self.project, run), now)
