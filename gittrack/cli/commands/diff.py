"""``gittrack diff``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.errors import NotFoundError, RunNotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.diff import Part, RunDiff, Style
    from gittrack.api.project import Project

_PATHS = "gittrack.diff.paths"


class _WithPaths(click.Command):
    """A command that takes paths after ``--``: click itself would not tell them from runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside what follows the first ``--``."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_PATHS] = tuple(args[at + 1 :])
        try:
            return super().parse_args(ctx, args[:at])
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            hint = "paths come after --: gittrack diff RUN RUN -- PATH"
            raise UsageError("more than two runs are named", hint=hint) from error


@click.command("diff", cls=_WithPaths)
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="[RUN] [-- PATH…]", required=False)
@click.option("--code", is_flag=True, help="Only the code.")
@click.option("--params", is_flag=True, help="Only the parameters.")
@click.option("--metrics", is_flag=True, help="Only the metrics.")
@click.option("--inputs", is_flag=True, help="Only the inputs.")
@click.option("--env", is_flag=True, help="Only the environment and its packages.")
@click.option("--tags", is_flag=True, help="Only the tags.")
@click.option("--artifacts", is_flag=True, help="Only the artifacts.")
@click.option("--command", "command_line", is_flag=True, help="Only the command, its directory and seeds.")
@click.option("--stat", is_flag=True, help="Of the code, how many lines changed in each file.")
@click.option("--name-only", is_flag=True, help="Of the code, the paths of the files that changed.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when what is shown differs, with 0 when it does not.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    before: str,
    after: str | None,
    stat: bool,
    name_only: bool,
    exit_code: bool,
    as_json: bool,
    **flags: bool,
) -> None:
    """Show what differs between two runs: code, parameters, metrics, inputs, environment.

    And their command, tags and artifacts. With one run, its code is compared with the work tree as it is now. The
    code is shown by git diff, as a patch, in your pager. Paths after -- are as git takes them, relative to where you
    are. --stat, --name-only and paths show the code alone, unless other parts are named.

    \b
    gittrack diff @-2 @latest
    gittrack diff @-2 @latest --params --metrics
    gittrack diff @-2 @latest -- src/model.py
    gittrack diff @latest --stat
    """
    from gittrack.api.diff import diff_runs, with_code_read

    session: Session = context.obj
    paths: tuple[str, ...] = context.meta[_PATHS]
    parts = _parts(flags, after, of_code=stat or name_only or bool(paths))
    if stat and name_only:
        raise UsageError("--stat and --name-only exclude each other", hint="gittrack diff @-2 @latest --stat")
    project = session.recovered()
    try:
        found = diff_runs(project, before, after)
    except RunNotFoundError as error:
        raise _perhaps_a_path(error, before, after) from error
    if "code" in parts and len(parts) > 1:
        found = with_code_read(found)
    elif parts == ("code",) and found.code.reason and not as_json and not exit_code:
        raise NotFoundError(found.code.reason, hint=found.code.hint)
    if as_json:
        from gittrack.cli.diff_page import json_shape
        from gittrack.cli.shapes import print_json

        print_json(diff=json_shape(found, parts, paths, Path.cwd()))
    else:
        _show(session, project, found, parts, paths, "stat" if stat else "names" if name_only else "patch")
    if exit_code and _differs(found, parts, paths):
        context.exit(1)


def _perhaps_a_path(error: RunNotFoundError, before: str, after: str | None) -> RunNotFoundError:
    """The same, with a hint where the word that is no run looks like a file."""
    import os
    import shlex

    for word, run in ((after, before), (before, "@latest")):
        if word is not None and f"'{word}'" in error.message and ("/" in word or os.path.lexists(word)):
            hint = f"paths come after --: gittrack diff {shlex.quote(run)} -- {shlex.quote(word)}"
            return RunNotFoundError(error.message, hint=hint)
    return error


def _parts(flags: dict[str, bool], after: str | None, *, of_code: bool) -> tuple[Part, ...]:
    from gittrack.api.diff import PARTS

    wanted = {"command" if name == "command_line" else name for name, is_set in flags.items() if is_set}
    if after is None:
        if others := sorted(wanted - {"code"}):
            text = f"--{others[0]} compares two runs; of the work tree only the code is known"
            raise UsageError(text, hint=f"gittrack diff RUN @latest --{others[0]}")
        return ("code",)
    if of_code:
        wanted.add("code")
    return tuple(part for part in PARTS if part in wanted) or PARTS


def _differs(found: RunDiff, parts: Sequence[Part], paths: Sequence[str]) -> bool:
    others = [part for part in parts if part != "code"]
    if others and found.differs(*others):
        return True
    if "code" not in parts:
        return False
    narrowed = paths and not found.code.reason
    return bool(found.code.files_in(paths, Path.cwd())) if narrowed else found.code.differs


def _show(
    session: Session, project: Project, found: RunDiff, parts: tuple[Part, ...], paths: tuple[str, ...], style: Style
) -> None:
    from gittrack.cli.diff_page import page_lines

    terminal = session.stdout
    only_code = parts == ("code",)
    lines = [] if only_code else page_lines(found, parts, project.now(), terminal)
    differs = _differs(found, parts, paths)
    with_code = "code" in parts and not found.code.reason
    if differs and with_code:
        from gittrack.api.diff import pager_of
        from gittrack.cli.streaming import show_stream

        whole = style if only_code or style != "patch" else "stat and patch"
        pieces = found.code.stream(
            whole,
            colour=terminal.colour,
            width=terminal.width,
            paths=paths,
            directory=Path.cwd(),
            binary=terminal.width is None,  # for `git apply`
        )
        pager = "" if terminal.width is None else pager_of(project)
        show_stream(lines, pieces, terminal, pager, session.environ)
    elif differs:
        terminal.show(lines, session.environ)
    _say_rest(found, parts, paths, differs)


def _say_rest(found: RunDiff, parts: Sequence[Part], paths: Sequence[str], differs: bool) -> None:
    other = "the work tree" if found.after is None else f"run '{found.after.name}'"
    if not differs:
        where = " in these paths" if paths else ""
        what = "" if len(parts) > 1 else f" in {'their environment' if parts[0] == 'env' else parts[0]}"
        say(f"run '{found.before.name}' and {other} do not differ{what}{where}")
    if parts == ("code",) and found.code.reason:
        say(f"warning: not compared: {found.code.reason}; {found.code.hint}", role="warning")
    if "code" not in parts or found.code.reason:
        return
    for run in (found.before, found.after):
        if run is not None and run.record.code.left_out:
            count = _files(run.record.code.left_out)
            say(f"warning: {count} left out of the snapshot of run '{run.name}', and so of this: "
                f"gittrack show {run.id[:8]}", role="warning")  # fmt: skip
    if found.code.left_out:
        say(f"warning: {_files(found.code.left_out)} of the work tree left out, as a run would: git status",
            role="warning")  # fmt: skip


def _files(left_out: Sequence[object]) -> str:
    from gittrack.cli.render import plural

    return plural(len(left_out), "file")
