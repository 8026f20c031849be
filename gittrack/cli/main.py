"""``gittrack`` and ``git track``: the table of commands, and the one place that catches errors.

A command's module is imported when that command runs: ``--help`` loads click and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TextIO

import click

from gittrack._version import __version__
from gittrack.errors import GittrackError, QuerySyntaxError, UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a file of settings for this repository"),
    "run": ("run", "Run a command and record it as a run"),
    "ls": ("ls", "List runs: all, those that a query finds, or those of a saved view"),
    "best": ("best", "Name the runs that are best by a metric"),
    "count": ("count", "Count runs, all together or by what they have in common"),
    "views": ("views", "List, show, save and remove saved views: a query with its columns and its order"),
    "show": ("show", "Show everything about a run"),
    "diff": ("diff", "Show what differs between two runs: code, parameters, metrics, inputs, environment"),
    "plot": ("plot", "Draw the curves of metrics: in the terminal, or into a file"),
    "top": ("top", "Show the runs in progress, again and again"),
    "watch": ("watch", "Follow a run in progress, with its curves, until it ends"),
    "compare": ("compare", "Show runs side by side: what differs, and which is better"),
    "pareto": ("pareto", "Name the runs that no other run beats in all metrics at once"),
    "similar": ("similar", "Name the runs that are most like one, and what differs"),
    "lineage": ("lineage", "Show which data made a run, what the run made, and which runs used that"),
    "whence": ("whence", "Name the runs that made or read a file or folder, whatever it is called here"),
    "log": ("log", "Show what was changed about a run, and by whom"),
    "tag": ("tag", "Show, set or remove tags of a run"),
    "note": ("note", "Show or change the note of a run"),
    "comment": ("comment", "Show what was said about a run, or say something"),
    "review": ("review", "Ask for a review of a run, accept or reject one, and see what others said"),
    "rename": ("rename", "Give a run another name"),
    "rm": ("rm", "Delete runs: they are hidden, and can be restored"),
    "restore": ("restore", "Bring deleted runs back"),
    "experiments": ("experiments", "List, show and rename experiments"),
    "expunge": ("expunge", "Remove a run for good, here and at remotes: a secret leaked, or the law wants it"),
    "artifact": ("artifact", "List, show, copy and add artifacts of a run; push and pull their bytes"),
    "push": ("push", "Share runs through a git remote"),
    "fetch": ("fetch", "Get what others shared"),
    "pull": ("pull", "Fetch, then bring the bytes of artifacts that are asked for"),
    "status": ("status", "Show what is not shared yet, what is new at the remote, and which runs go on"),
    "checkpoint": ("checkpoint", "Push a run in progress as far as it has come, for others to see"),
    "bundle": ("bundle", "Carry runs in a file to where no network reaches"),
    "inbox": ("inbox", "Show what is new from others since you last looked"),
    "remote": ("remote", "Find out whether a git remote can take runs"),
    "config": ("config", "Show or change settings"),
    "du": ("du", "Show where the bytes of artifacts are, the largest first"),
    "gc": ("gc", "Remove artifact bytes of this clone that no run, branch or tag refers to"),
    "recover": ("recover", "Finish runs whose process died, with every point they logged"),
    "fsck": ("fsck", "Check everything that is stored"),
    "doctor": ("doctor", "Clear what crashes and power loss left behind, and make again what can be made again"),
    "completion": ("completion", "Print what makes a shell complete gittrack, and `git track` too"),
    "roll-up": ("roll_up", "Move finished runs from the inbox into this month's ledger"),
}
"""Command -> its module in ``gittrack.cli.commands``, and the first sentence of its help text."""

INTERRUPTED = 130
NEXT = "Begin with: gittrack run -- python train.py"


class LazyGroup(click.Group):
    """A group that knows its commands by name and loads one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"gittrack.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in the help text, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with; an unknown one is an error that names a near one."""
        name = args[0] if args else ""
        if args and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            raise UsageError(f"there is no command '{name}'", hint=f"gittrack {near[0] if near else '--help'}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=NEXT)
@click.option("-C", "--repo", "directory", metavar="PATH", help="Work as if started in this directory.")
@click.version_option(__version__, "--version", prog_name="gittrack", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, directory: str | None) -> None:
    """Experiment tracking in git: every run is a commit.

    RUN is a unique prefix of a run's id, its name, @latest, @-2 (the one before the latest), or a git revision.
    """
    from gittrack.cli.session import Session

    context.obj = Session.start(directory)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows the program's name; those of this process when None.

    Returns:
        The exit code: 0, that of the error (``gittrack/errors.py``), 130 when interrupted; of ``gittrack run`` that
        of the command it ran.
    """
    _never_fail_to_encode()
    try:
        return _answered(list(sys.argv[1:] if arguments is None else arguments))
    finally:
        _drop_messages_that_nobody_takes()


def _answered(words: Sequence[str]) -> int:
    try:
        code = cli.main(args=list(words), prog_name="gittrack", standalone_mode=False)
    except GittrackError as error:
        return _complain(error.message, error.hint, error.exit_code, _excerpt_of(error))
    except click.UsageError as error:
        if error.ctx is not None and error.message == error.ctx.get_help():  # a group without a command
            click.echo(error.message, err=True)
            return UsageError.exit_code
        command = error.ctx.command_path if error.ctx else "gittrack"
        if isinstance(error, click.NoSuchOption) and error.possibilities:
            near = f"did you mean {error.possibilities[0]}? {command} --help"
            return _complain(_as_ours(error.message), near, UsageError.exit_code)
        return _complain(_as_ours(error.format_message()), f"{command} --help", UsageError.exit_code)
    except click.ClickException as error:
        return _complain(_as_ours(error.format_message()), None, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as stop:  # how click goes, without a word, when nobody reads what it prints
        return stop.code if isinstance(stop.code, int) else 1
    except OSError as error:  # a full disk behind stdout and the like: all else is translated where it occurs
        _drop_output()
        return _complain(f"cannot go on: {error.strerror or error}", "df -h .", 1)
    except Exception as error:  # noqa: BLE001  whatever it is, the user gets a line and a file, not a traceback
        return _report_bug(error, words)
    try:
        _flush()
    except OSError as error:
        _drop_output()
        return _complain(f"cannot write the output: {error.strerror}", None, 1)
    return code if isinstance(code, int) else 0


def _never_fail_to_encode() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _as_ours(message: str) -> str:
    """Click's message in our style: lower case, no full stop."""
    text = message.rstrip(".")
    return text[:1].lower() + text[1:]


def _excerpt_of(error: GittrackError) -> str:
    """The place in a query where it is wrong."""
    return error.excerpt if isinstance(error, QuerySyntaxError) else ""


def _complain(message: str, hint: str | None, code: int, excerpt: str = "") -> int:
    from gittrack.cli.terminal import say

    with suppress(OSError):  # nobody takes it; the exit code still tells
        say(f"error: {message}", role="bad")
        for line in excerpt.split("\n") if excerpt else ():
            click.echo(f"  {_shown(line)}", err=True)
        if hint:
            click.echo(f"hint: {_shown(hint)}", err=True)
    return code


def _shown(text: str) -> str:
    from gittrack.core.names import display

    return display(text)


def _flush() -> None:
    """Flush what the command of ``gittrack run`` printed; where nobody reads any more, never try again."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()


def _drop_output() -> None:
    """Let what is still buffered go nowhere: the interpreter flushes once more when it ends."""
    if sys.stdout is not None:
        _point_nowhere(sys.stdout)


def _drop_messages_that_nobody_takes() -> None:
    """The same for stderr: what cannot be flushed would make the interpreter end with 120 whatever we return."""
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            _point_nowhere(sys.stderr)


def _point_nowhere(stream: TextIO) -> None:
    import os

    with suppress(OSError, ValueError):  # closed, or none of the system's: nothing will be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report_bug(error: Exception, words: Sequence[str]) -> int:
    from gittrack.cli.bug_report import write_bug_report
    from gittrack.config import read_process

    path = write_bug_report(error, words, read_process().environ)
    return _complain(f"a bug in gittrack: {type(error).__name__}: {error}", f"send us {path}", 1)
