"""``gittrack doctor``."""

from __future__ import annotations

import click

from gittrack.cli.render import plural
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display


@click.command("doctor")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, dry_run: bool, as_json: bool) -> None:
    """Clear what crashes and power loss left behind, and make again what can be made again.

    Removes only what holds nothing: empty ref files, stale locks, empty objects, runs that never began.
    """
    from gittrack.api.expunged_runs import hidden_runs
    from gittrack.api.maintain import doctor, held_locks
    from gittrack.cli.commands.fsck import say_locks

    project = session.project()
    repairs = doctor(project, dry_run=dry_run)
    locks = [lock for lock in held_locks(project) if lock.path not in {repair.where for repair in repairs}]
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(dry_run=dry_run, repairs=[shapes.repair(item) for item in repairs])
    elif repairs:
        session.stdout.show([f"{display(item.what)}: {display(item.where)}" for item in repairs], session.environ)
        say(_next(dry_run, sum(not item.done for item in repairs)))
    elif not locks:
        say("nothing to clear; to check what is stored: gittrack fsck")
    say_locks(locks)
    if expunged := hidden_runs(project):
        from gittrack.cli.commands.expunge import say_hidden

        say_hidden(list(expunged))


def _next(dry_run: bool, failed: int) -> str:
    if dry_run:
        return "nothing is changed; to do it: gittrack doctor"
    if failed:  # fsck would only send back here
        return f"{plural(failed, 'run')} cannot be mended here; another clone or a backup may hold what is lost"
    return "next: gittrack fsck"
