"""``gittrack comment``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.arguments import no_sign, signatures_option
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.comments import Comment, Thread
    from gittrack.cli.signature_marks import Signatures


@click.command("comment")
@click.argument("run", metavar="RUN")
@click.argument("text", metavar="[TEXT | -]", required=False)
@click.option("--reply", metavar="COMMENT", help="Answer this comment, by the digits that stand before it.")
@click.option("--resolve", metavar="COMMENT", help="Say that the thread of this comment is settled.")
@click.option("--reopen", metavar="COMMENT", help="Say that it is not.")
@click.option("--delete", metavar="COMMENT", help="Take your own comment back.")
@click.option("--json", "as_json", is_flag=True, help="Print the comments as JSON.")
@signatures_option
@no_sign
@click.pass_obj
def command(
    session: Session,
    run: str,
    text: str | None,
    reply: str | None,
    resolve: str | None,
    reopen: str | None,
    delete: str | None,
    as_json: bool,
    checks: bool,
) -> None:
    """Show what was said about a run, or say something. `-` reads the text from standard input.

    Comments travel with `gittrack push` and `gittrack fetch`; `gittrack ls "text('word')"` finds their runs.
    """
    from gittrack.api import comments
    from gittrack.cli.sharing_hint import share_hint

    _check(text, reply, [resolve, reopen, delete], shows=as_json or checks, run=run)
    project = session.recovered()
    if text is not None:
        said = comments.comment_run(project, run, sys.stdin.read() if text == "-" else text, answers=reply)
        say(f"comment {said.handle} is kept{share_hint(project)}")
    elif resolve or reopen:
        comments.resolve_thread(project, run, resolve or reopen or "", resolved=resolve is not None)
        done = "settled" if resolve else "open again"
        say(f"the thread of comment {resolve or reopen} is {done}{share_hint(project)}")
    elif delete:
        comments.take_back(project, run, delete)
        say(f"comment {delete} is taken back{share_hint(project)}; who fetched it before can still find it in git")
    else:
        _show(session, run, as_json=as_json, checks=checks)


def _check(text: str | None, reply: str | None, others: list[str | None], *, shows: bool, run: str) -> None:
    if (text is not None) + sum(item is not None for item in others) + shows > 1:
        raise UsageError("say one thing at a time", hint="gittrack comment --help")
    if reply is not None and text is None:
        raise UsageError("an answer needs a text", hint=f"gittrack comment {run} --reply {reply} TEXT")


def _show(session: Session, address: str, *, as_json: bool, checks: bool) -> None:
    from gittrack.api.comments import threads_of
    from gittrack.api.read import find_run
    from gittrack.api.signatures import signatures_of
    from gittrack.cli.signature_marks import with_signatures

    project = session.project()
    run = find_run(project, address)
    found = threads_of(run)
    signatures = signatures_of(project, run.state.sets.get("comment", ()), check=checks)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shown = [sharing_shapes.thread(item) for item in found]
        threads = [each | {"comments": with_signatures(each["comments"], signatures)} for each in shown]
        shapes.print_json(run=run.id, threads=threads)
    elif found:
        lines = [line for thread in found for line in _thread_lines(thread, project.now(), signatures)]
        session.stdout.show(lines, session.environ)
    else:
        say(f"nobody said anything about run '{run.name}' yet: gittrack comment {run.id[:8]} TEXT")


def _thread_lines(thread: Thread, now: int, signatures: Signatures) -> list[str]:
    lines = []
    for comment in thread.comments:
        lines += _comment_lines(comment, now, signatures, inner=comment is not thread.comments[0])
    return [*lines, *(["  (settled)"] if thread.resolved else [])]


def _comment_lines(comment: Comment, now: int, signatures: Signatures, *, inner: bool) -> list[str]:
    from gittrack.cli.signature_marks import mark
    from gittrack.core.sparkline import format_age

    indent = "  " if inner else ""
    age = format_age(now - comment.time)
    signed = mark(signatures, comment.id, comment.author)
    head = f"{indent}{comment.handle}  {display(comment.author.name)}, {age}{signed}"
    return [head, *(f"{indent}  {display(line)}" for line in comment.text.split("\n"))]
