"""``gittrack push``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say, warn_of
from gittrack.core.names import display
from gittrack.errors import RunExpungedError, RunNotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.planned_push import PlannedRun
    from gittrack.api.project import Project
    from gittrack.api.push import Pushed, PushPlan

_SHOWN_COMMITS = 5


@click.command("push")
@click.argument("words", metavar="[REMOTE] [RUN…]", nargs=-1)
@click.option("-q", "--query", metavar="QUERY", default="", help="Push the runs that this finds.")
@click.option("-e", "--experiment", metavar="EXP", help="Push the runs of this experiment.")
@click.option("--all", "everything", is_flag=True, help="Push every run, whatever gittrack.share says.")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would go: runs, events, commits of code, bytes.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before commits of your code become public.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    session: Session,
    words: tuple[str, ...],
    query: str,
    experiment: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Share runs through a git remote: what it does not have yet, and what you said about any run.

    The bytes of artifacts go first, then the runs, as a fast-forward of one ref of the remote (refs/runs/MONTH/YOU).
    Your branches and tags stay here. Stopped at any moment, the same command does the rest.

    Without RUN and options it is everything not yet shared of what gittrack.share names: all (the default), none, or
    a query.
    """
    from gittrack.api.push import plan_push, push
    from gittrack.cli.git_progress import git_progress
    from gittrack.cli.transfer_report import progress_bar

    project = session.recovered()
    remote, runs = _remote_and_runs(project, words)
    with git_progress() as told:
        plan = plan_push(
            project, remote, runs=runs, query=query, experiment=experiment, everything=everything, told=told
        )
    warn_of([f"{problem.where} stays here: {problem.reason}: gittrack fsck" for problem in plan.problems])
    if plan.expunged:
        from gittrack.cli.commands.expunge import say_hidden

        say_hidden(plan.expunged)
    _say_code(plan)
    done = None
    if not dry_run:
        if plan.rows and plan.commits and not yes and not _confirmed(plan):
            say("nothing was pushed")
            raise SystemExit(1)
        with progress_bar("bytes") as told_bytes, git_progress(says_stopped=False) as told:
            done = push(project, plan, told=told, told_bytes=told_bytes)
    planned = _planned(project, plan) if dry_run else None
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(**sharing_shapes.push(plan, done if plan.rows else None, planned))
    elif planned:
        session.stdout.show([_planned_line(run) for run in planned], session.environ)
    _say_end(plan, done, dry_run=dry_run)
    for problem in () if done is None else done.left:
        say(f"warning: {problem.where} is still at {plan.remote.shown}: {problem.reason}", role="warning")


def _remote_and_runs(project: Project, words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The first word is a remote when git has one of that name, or when it is a URL or a path."""
    from gittrack.api.read import find_listed
    from gittrack.api.remotes import is_remote, names_of_remotes

    if not words:
        return None, ()
    if is_remote(project, words[0]):
        return words[0], words[1:]
    try:
        find_listed(project, words[:1])
    except RunExpungedError:
        raise
    except RunNotFoundError as error:
        from difflib import get_close_matches

        near = get_close_matches(words[0], names_of_remotes(project), 1)
        hint = f"gittrack push {near[0]}" if near else "git remote -v, or for runs: gittrack ls"
        text = f"no remote is called '{display(words[0], 80)}', and {error.message}"
        raise RunNotFoundError(text, hint=hint) from error
    return None, words


def _planned(project: Project, plan: PushPlan) -> list[PlannedRun]:
    from gittrack.api.planned_push import planned_runs

    return planned_runs(project, plan)


def _planned_line(run: PlannedRun) -> str:
    from gittrack.cli.render import plural
    from gittrack.core.sizes import format_size

    line = f"{run.id[:8]}  {display(run.name, 60)} ({display(run.experiment, 60)})"
    if not run.artifacts:
        return line
    return f"{line}: {plural(run.artifacts, 'artifact')}, {format_size(run.size)}"


def _what(plan: PushPlan) -> str:
    from gittrack.cli.render import plural

    parts = [plural(len(plan.runs), "run")] if plan.runs else []
    parts += [plural(plan.events, "event")] if plan.events else []
    return " and ".join(parts)


def _say_code(plan: PushPlan) -> None:
    if not plan.commits:
        return
    from gittrack.cli.render import plural

    text = f"{plural(len(plan.commits), 'commit')} of your code, on no branch of {plan.remote.shown}, would be public"
    say(f"{text} with their runs:", role="warning")
    for commit in plan.commits[:_SHOWN_COMMITS]:
        say(f"  {commit.id[:10]} {display(commit.subject, 100)}")
    if len(plan.commits) > _SHOWN_COMMITS:
        say(f"  … and {len(plan.commits) - _SHOWN_COMMITS} more")


def _confirmed(plan: PushPlan) -> bool:
    if not sys.stdin.isatty():
        from gittrack.cli.render import plural

        text = f"nobody is there to be asked about {plural(len(plan.commits), 'commit')} of code"
        name = "" if plan.is_usual else f" {plan.remote.shown}"
        hint = f"gittrack push{name} --yes, or push the branch first: git push{name}"
        raise UsageError(text, hint=hint)
    return click.confirm(f"push {_what(plan)} to {plan.remote.shown}?", err=True)


def _say_end(plan: PushPlan, done: Pushed | None, *, dry_run: bool) -> None:
    from gittrack.cli.render import plural

    name = "" if plan.is_usual else f" {plan.remote.shown}"
    if plan.theirs:
        what = f"{plural(len(plan.theirs), 'run')} of others, which {plan.remote.shown} has not"
        say(f"here you also have {what}; to hand on what others made: gittrack push{name} --all")
    for place in plan.away:
        say(f"warning: {place.where} cannot be reached and gets nothing now: {place.reason}", role="warning")
    for lack in plan.lacking if dry_run or done is not None else ():
        say(f"{'would bring' if dry_run else 'brought'} {lack.name} to {lack.shown}, which lacked it")
    if done is not None and done.without_bytes:
        say(f"warning: the bytes of artifacts stay here: {done.without_bytes}", role="warning")
    if done is not None and not plan.rows and done.bytes_moved is not None and done.bytes_moved.moved:
        say(f"brought the bytes of {plural(done.bytes_moved.moved, 'artifact')} that had stayed here")
    if not plan.rows and not plan.lacking:
        known = f"{plan.remote.shown} has all of yours, as far as is known here"
        say(f"nothing to push: {known}; what is there: gittrack fetch{name}")
        return
    if done is None or not plan.rows:
        if dry_run and plan.rows:
            say(f"would push {_what(plan)} to {plan.remote.shown}")
        return
    if done.shared.rows:
        say(f"pushed {_what(plan)} to {plan.remote.shown}; others get them by: gittrack fetch{name}")
    else:
        say(f"{plan.remote.shown} had it all already")
