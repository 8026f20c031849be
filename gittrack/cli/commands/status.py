"""``gittrack status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display

if TYPE_CHECKING:
    from gittrack.api.sharing_status import SharingStatus


@click.command("status")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option("--offline", is_flag=True, help="Do not ask the remote: tell what is known here.")
@click.option("--bytes", "asks_bytes", is_flag=True, help="Also ask which artifact bytes are at their remote.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, remote: str | None, offline: bool, asks_bytes: bool, as_json: bool) -> None:
    """Show what is not shared yet, what is new at the remote, and which runs go on. Nothing is changed."""
    from gittrack.api.sharing_status import sharing_status

    project = session.recovered()
    status = sharing_status(project, remote, offline=offline, artifacts=asks_bytes)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(**sharing_shapes.sharing_status(status))
    else:
        print_data("\n".join(_lines(status, project.now())))
    if status.expunged:
        from gittrack.cli.commands.expunge import say_hidden

        say_hidden(status.expunged)
    for problem in status.problems:
        say(f"warning: {problem.where} cannot be shared: {problem.reason}: gittrack fsck", role="warning")
    for problem in status.checkpoints:
        say(f"warning: {problem.where}: {problem.reason}", role="warning")
    if status.unreachable:
        say(f"warning: {status.unreachable}; what is known here: gittrack status --offline", role="warning")


def _lines(status: SharingStatus, now: int) -> list[str]:
    from gittrack.cli.render import plural
    from gittrack.core.sparkline import format_age

    running = f"{plural(len(status.running), 'run')} in progress: gittrack top" if status.running else ""
    if not status.remote:
        return [line for line in (display(status.none, 400), *_bytes(status), running) if line]
    name = "" if status.is_usual else f" {display(status.remote, 200)}"
    seen = "never asked" if status.seen is None else f"last asked {format_age(now - status.seen)}"
    if status.news is not None:
        seen = "asked just now"
    lines = [f"remote {display(status.remote, 200)}, {seen}"]
    if status.runs or status.events:
        parts = [plural(len(status.runs), "run")] * bool(status.runs)
        parts += [plural(status.events, "event")] * bool(status.events)
        lines.append(f"not shared: {' and '.join(parts)}: gittrack push{name}")
    elif not status.lacking:
        lines.append("everything here is shared")
    if status.waiting:
        what = f"artifact bytes of {plural(status.waiting, 'shared run')}"
        lines.append(f"only here: {what}: gittrack config artifact_remote URL-OR-DIRECTORY, then: gittrack push{name}")
    if status.lacking:
        what = plural(len(status.lacking), "ledger")
        lines.append(f"an earlier state is there of {what} of yours: gittrack fetch{name} && gittrack push{name}")
    if status.news:
        lines.append(f"news there: {', '.join(status.news[:10])}: gittrack fetch{name}")
    elif status.news is not None:
        lines.append("nothing new there")
    if status.elsewhere:
        latest = "" if status.news is not None else ", as of then"
        lines.append(f"{plural(len(status.elsewhere), 'run')} in progress elsewhere{latest}: gittrack fetch{name}")
    return [*lines, *_bytes(status), *([running] if running else [])]


def _bytes(status: SharingStatus) -> list[str]:
    """Where artifact bytes are missing."""
    found = status.bytes
    if found is None:
        return ["which artifact bytes are here and there: gittrack status --bytes"]
    from gittrack.cli.render import plural
    from gittrack.core.sizes import format_size

    lines = []
    if found.here.artifacts:
        what = f"{plural(found.here.artifacts, 'artifact')}, {format_size(found.here.size)}"
        lines.append(f"not here: {what}: gittrack pull --artifacts all")
    if found.there is not None and found.there.artifacts:
        what = f"{plural(found.there.artifacts, 'artifact')}, {format_size(found.there.size)}"
        lines.append(f"not at {display(found.remote, 200)}: {what}: gittrack artifact push")
    elif found.there is not None:
        lines.append(f"all artifacts are at {display(found.remote, 200)}")
    elif found.unreachable:
        lines.append(f"{display(found.remote, 200)} cannot be asked: {display(found.unreachable, 200)}")
    return lines
