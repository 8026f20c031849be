"""``gittrack artifact``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display

if TYPE_CHECKING:
    from gittrack.api.artifact_listing import ListedArtifact
    from gittrack.api.artifact_transfer import Transfer
    from gittrack.api.copied_artifacts import Copied
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun
    from gittrack.cli.render import Cell
    from gittrack.errors import GittrackError

SHORT_DIGEST = 12
REMOTE = click.option(
    "--remote", metavar="NAME", help="A DVC remote, a URL, or ./DIRECTORY, instead of the one that is set up."
)


@click.group("artifact")
def command() -> None:
    """List, show, copy and add artifacts of a run; push and pull their bytes."""


@command.command("ls")
@click.argument("run", metavar="RUN")
@click.argument("path", metavar="[PATH]", default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_command(session: Session, run: str, path: str, as_json: bool) -> None:
    """List the artifacts of a run; with the path of a folder, what is in it."""
    from gittrack.api.artifact_listing import list_artifacts
    from gittrack.api.read import find_run

    project = session.recovered()
    found = find_run(project, run)
    artifacts = list_artifacts(project, found, path)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(run=found.id, artifacts=[shapes.artifact(item) for item in artifacts])
    elif artifacts:
        from gittrack.cli.render import Column, table

        columns = [
            Column("PATH", least=16),
            Column("SIZE", right=True),
            Column("FILES", right=True),
            Column("STORED"),
            Column("BYTES"),
            Column("DIGEST"),
        ]
        session.stdout.show(table(columns, [_row(item) for item in artifacts], session.stdout), session.environ)
    else:
        say(f"run '{found.name}' has no artifacts; to add one: gittrack artifact add {found.id[:8]} FILE")


def _row(item: ListedArtifact) -> list[Cell]:
    from gittrack.cli.render import Cell
    from gittrack.core.sizes import format_size

    kind, colon, value = item.digest.partition(":")
    return [
        Cell(item.path),
        Cell("?" if item.size is None else format_size(item.size)),
        Cell("" if item.files is None else str(item.files)),
        Cell(item.storage),
        Cell(_where(item), "" if item.here else "warning"),
        Cell(f"{kind}{colon}{value[:SHORT_DIGEST]}", "faint"),
    ]


def _where(item: ListedArtifact) -> str:
    if item.storage == "reference":
        return "elsewhere"
    return "here" if item.here else "not here"


@command.command("show")
@click.argument("run", metavar="RUN")
@click.argument("path", metavar="PATH")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show_command(session: Session, run: str, path: str, as_json: bool) -> None:
    """Show what is known of an artifact: size, hash, where its bytes are, its pointer."""
    from gittrack.api.artifact_listing import show_artifact
    from gittrack.api.read import find_run
    from gittrack.cli import shapes
    from gittrack.cli.render import facts_lines

    project = session.recovered()
    found = find_run(project, run)
    shown = show_artifact(project, found, path)
    if as_json:
        shapes.print_json(run=found.id, artifact=shapes.artifact(shown.artifact), pointer=shown.pointer)
        return
    item = shown.artifact
    lines = facts_lines(_facts(item, found), session.stdout)
    if shown.pointer:
        lines += ["  pointer", *(f"    {display(line)}" for line in shown.pointer.splitlines())]
    session.stdout.show(lines, session.environ)
    if not item.here:
        say(f"next: gittrack artifact get {found.id[:8]} {item.path}")


def _facts(item: ListedArtifact, run: SavedRun) -> dict[str, str]:
    from gittrack.core.sizes import format_size

    return {
        "path": item.path,
        "run": f"{run.id[:8]} {run.name}",
        "size": "" if item.size is None else f"{format_size(item.size)} ({item.size} bytes)",
        "files": "" if item.files is None else str(item.files),
        "digest": item.digest,
        "type": item.media_type,
        "stored": {"inline": "in git", "pointer": "outside git, by a pointer"}.get(item.storage, "a reference"),
        "uri": item.uri,
        "bytes": _where(item) + (", and in DVC's cache" if item.in_dvc_cache else ""),
    }


@command.command("get")
@click.argument("run", metavar="RUN")
@click.argument("path", metavar="[PATH]", default="")
@click.option(
    "-o", "--output", "folder", metavar="DIR", default=".", help="Copy into this folder; - writes one file to stdout."
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def get_command(session: Session, run: str, path: str, folder: str, force: bool, as_json: bool) -> None:
    """Copy an artifact, or all of them, out of a run. What is not here is fetched first; every byte is checked.

    Of several artifacts what can be had is copied, with a line for each that cannot.
    """
    from gittrack.api.read import find_run

    project = session.recovered()
    found = find_run(project, run)
    if folder == "-":
        _write_out(found, path, as_json)
        return
    from pathlib import Path

    from gittrack.api.saved_artifacts import SavedArtifacts

    with _force_in_hint():
        done = SavedArtifacts(project, found, fetch=True).copy(path, Path(folder), overwrite=force)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(run=found.id, copy=str(done.path), copied=done.count, failures=_failures(done))
    elif done.count or not done.failures:
        click.echo(display(str(done.path)))
    _tell_failures([error for _, error in done.failures])


def _write_out(run: SavedRun, path: str, as_json: bool) -> None:
    """The bytes of one file, checked, to stdout."""
    from shutil import copyfileobj

    from gittrack.errors import UsageError

    if not path or as_json:
        text = "with '-o -' one file is written to stdout" + (", and nothing else" if as_json else ": name it")
        raise UsageError(text, hint=f"gittrack artifact ls {run.id[:8]}")
    with run.open(path) as stream:
        print_data("", end="")  # is there a stdout?
        copyfileobj(stream, sys.stdout.buffer)


def _failures(done: Copied) -> list[dict[str, object]]:
    return [
        {"path": path, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        for path, error in done.failures
    ]


def _tell_failures(errors: Sequence[GittrackError]) -> None:
    """A line for each cause, and the exit code of the first."""
    from gittrack.cli.transfer_report import MOST_FAILURES

    if not errors:
        return
    causes = Counter(error.message for error in errors)
    for message, count in list(causes.items())[:MOST_FAILURES]:
        say(f"error: {message}" + (f" ({count} artifacts)" if count > 1 else ""), role="bad")
    if len(causes) > MOST_FAILURES:
        say(f"error: and {len(causes) - MOST_FAILURES} more like these; all of them: --json", role="bad")
    for hint in list(dict.fromkeys(error.hint for error in errors if error.hint))[:3]:
        click.echo(f"hint: {display(hint)}", err=True)
    sys.exit(errors[0].exit_code)


@contextmanager
def _force_in_hint() -> Iterator[None]:
    """What Python calls ``overwrite=True`` is ``--force`` here."""
    from gittrack.errors import ConflictError

    try:
        yield
    except ConflictError as error:
        if error.hint is not None:
            error.hint = error.hint.replace("overwrite=True", "--force")
        raise


@command.command("open")
@click.argument("run", metavar="RUN")
@click.argument("path", metavar="PATH")
@click.pass_obj
def open_command(session: Session, run: str, path: str) -> None:
    """Open a copy of an artifact in the program that this machine has for such files."""
    from tempfile import mkdtemp

    from gittrack.api.read import find_run
    from gittrack.errors import StorageError

    found = find_run(session.recovered(), run)
    copy = found.download(path, mkdtemp(prefix="gittrack-"))
    click.echo(display(str(copy)))
    if click.launch(str(copy), wait=True) != 0:  # else nobody would learn that no program was found
        raise StorageError("no program here opens it", hint=f"open {copy} yourself")


@command.command("add")
@click.argument("run", metavar="RUN")
@click.argument("path", metavar="PATH")
@click.option("--as", "name", metavar="NAME", help="Its path among the run's artifacts; its base name by default.")
@click.option("--force", is_flag=True, help="Let it take the place of what the run has under that path.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add_command(session: Session, run: str, path: str, name: str | None, force: bool, as_json: bool) -> None:
    """Add a file, a folder, or a URI as a reference, to a run that has ended. How and when it ended stays as it was."""
    from gittrack.api.added_artifacts import add_artifact

    with _force_in_hint():
        done = add_artifact(session.recovered(), run, path, name, overwrite=force)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(run=done.run.id, commit=done.run.commit, added=done.added, present=done.present)
        return
    for each in done.added:
        say(f"added '{each}' to run '{done.run.name}'")
    for each in done.present:
        say(f"'{each}' is already there, in run '{done.run.name}'")
    if not done.added and not done.present:
        say(f"nothing to add: '{path}' holds no files")
    say(f"next: gittrack artifact ls {done.run.id[:8]}")


@command.command("push")
@click.argument("runs", metavar="[RUN…]", nargs=-1)
@click.option(
    "--remote", metavar="NAME", help="A DVC remote, a URL, or ./DIRECTORY, instead of the one that is set up."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def push_command(session: Session, runs: tuple[str, ...], remote: str | None, as_json: bool) -> None:
    """Bring the bytes of artifacts, of these runs or of all, to the remote: only what it does not have.

    Stopped at any moment, it is done rightly as far as it got; started again it does the rest.
    """
    from gittrack.api.artifact_transfer import push_bytes, remote_name
    from gittrack.cli.transfer_report import progress_bar

    project = session.recovered()
    wanted = _wanted(project, runs)
    with progress_bar("push") as told:
        done = push_bytes(project, wanted, remote, told)
    _finish(done, "pushed", remote_name(project, remote), as_json)


@command.command("pull")
@click.argument("runs", metavar="[RUN…]", nargs=-1)
@click.option(
    "--remote", metavar="NAME", help="A DVC remote, a URL, or ./DIRECTORY, instead of the one that is set up."
)
@click.option("--check", is_flag=True, help="Hash what is here too, and bring anew what is damaged.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def pull_command(session: Session, runs: tuple[str, ...], remote: str | None, check: bool, as_json: bool) -> None:
    """Bring the bytes of artifacts, of these runs or of all, here from the remote: only what is not here.

    What arrives is hashed before it counts.
    """
    from gittrack.api.artifact_transfer import pull_bytes, remote_name
    from gittrack.cli.transfer_report import progress_bar

    project = session.recovered()
    wanted = _wanted(project, runs)
    with progress_bar("pull") as told:
        done = pull_bytes(project, wanted, remote, told, check=check, named=bool(runs))
    _finish(done, "pulled", remote_name(project, remote), as_json)


def _wanted(project: Project, addresses: tuple[str, ...]) -> list[SavedRun]:
    """The runs of these addresses; without any, all that have ended and are not deleted."""
    from gittrack.api.read import find_run, list_runs

    if addresses:
        return list({run.id: run for run in (find_run(project, address) for address in addresses)}.values())
    return [run for run in list_runs(project).runs if run.commit is not None]


def _finish(done: Transfer, verb: str, remote: str, as_json: bool) -> None:
    from gittrack.cli.transfer_report import exit_code, report

    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(remote=remote, **shapes.transfer(done))
    report(done, verb, remote)
    if code := exit_code(done):
        sys.exit(code)
