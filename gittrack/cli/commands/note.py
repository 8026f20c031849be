"""``gittrack note``."""

from __future__ import annotations

import sys

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.errors import UsageError


@click.command("note")
@click.argument("run", metavar="RUN")
@click.argument("text", metavar="[TEXT | -]", required=False)
@click.option("--edit", is_flag=True, help="Change it in your editor.")
@click.option("--json", "as_json", is_flag=True, help="Print the note as JSON.")
@no_sign
@click.pass_obj
def command(session: Session, run: str, text: str | None, edit: bool, as_json: bool) -> None:
    """Show or change the note of a run.

    Without TEXT it is printed. `-` reads the new note from standard input; an empty one removes it.
    """
    from gittrack.api.annotate import note_run
    from gittrack.api.read import find_run
    from gittrack.cli.sharing_hint import share_hint

    if (text is not None) + edit + as_json > 1:
        raise UsageError("TEXT, --edit and --json exclude each other", hint=f"gittrack note {run} --edit")
    project = session.recovered()
    if edit:
        text = _edited(
            find_run(project, run).note, session.environ.get("GIT_EDITOR") or project.git_config.get("core.editor")
        )
        if text is None:
            say("the note is as it was")
            return
    elif text is None:
        _print(session, find_run(project, run).note, run, as_json=as_json)
        return
    elif text == "-":
        text = sys.stdin.read()
    noted = note_run(project, run, text.strip("\n") or None)
    say(f"the note of run '{noted.name}' is {'changed' if noted.note else 'removed'}")
    say(f"next: gittrack show {noted.id[:8]}{share_hint(project)}")


def _edited(note: str, editor: str | None) -> str | None:
    return click.edit(note, editor=editor, extension=".md")


def _print(session: Session, note: str, run: str, *, as_json: bool) -> None:
    if as_json:
        from gittrack.cli.shapes import print_json

        print_json(note=note)
    elif note:
        session.stdout.show([display(line) for line in note.splitlines()], session.environ)
    else:
        say(f"run '{run}' has no note; write one: gittrack note {run} TEXT")
