"""``gittrack review``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.arguments import no_sign, signatures_option
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display

if TYPE_CHECKING:
    from gittrack.api.reviews import CheckedReviews
    from gittrack.cli.signature_marks import Signatures
    from gittrack.core.reviews import Review

TEXT = click.argument("text", metavar="[TEXT]", default="")
RUN = click.argument("run", metavar="RUN")


@click.group("review")
def command() -> None:
    """Ask for a review of a run, accept or reject one, and see what others said.

    It travels with gittrack push and gittrack fetch. What you say replaces what you said before.
    """


@command.command("request")
@RUN
@TEXT
@click.option("--from", "asked", metavar="PERSON", default="", help="Whom you ask; without it, anybody.")
@no_sign
@click.pass_obj
def request_command(session: Session, run: str, text: str, asked: str) -> None:
    """Ask that somebody looks at a run."""
    _say_it(session, run, "requested", text, asked)


@command.command("accept")
@RUN
@TEXT
@no_sign
@click.pass_obj
def accept_command(session: Session, run: str, text: str) -> None:
    """Say that a run is good."""
    _say_it(session, run, "accepted", text)


@command.command("reject")
@RUN
@TEXT
@no_sign
@click.pass_obj
def reject_command(session: Session, run: str, text: str) -> None:
    """Say that a run is not good, and why."""
    _say_it(session, run, "rejected", text)


@command.command("withdraw")
@RUN
@no_sign
@click.pass_obj
def withdraw_command(session: Session, run: str) -> None:
    """Take back what you said of a run."""
    from gittrack.api.reviews import withdraw_review
    from gittrack.cli.sharing_hint import share_hint

    project = session.recovered()
    found = withdraw_review(project, run)
    say(f"what you said of run '{found.name}' is withdrawn{share_hint(project)}")


@command.command("show")
@RUN
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@signatures_option
@click.pass_obj
def show_command(session: Session, run: str, as_json: bool, checks: bool) -> None:
    """Show who said what of a run, and how it stands."""
    from gittrack.api.read import find_run
    from gittrack.api.reviews import checked_reviews

    project = session.recovered()
    found = find_run(project, run)
    said = checked_reviews(project, found, check=checks)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes
        from gittrack.cli.signature_marks import with_signatures

        reviews, bad = (
            with_signatures([sharing_shapes.review(item) for item in items], said.signatures)
            for items in (said.counted, said.bad)
        )
        shapes.print_json(run=found.id, standing=said.standing or None, reviews=reviews, bad=bad)
    elif said.counted or said.bad:
        lines = [said.standing or "no review counts", *_all_lines(said, project.now())]
        session.stdout.show(lines, session.environ)
    else:
        say(f"nobody reviewed run '{found.name}' yet: gittrack review request {found.id[:8]}")


def _say_it(session: Session, address: str, verdict: str, text: str, asked: str = "") -> None:
    from gittrack.api.reviews import review_run
    from gittrack.cli.sharing_hint import share_hint

    project = session.recovered()
    run = review_run(project, address, verdict, text, asked=asked)
    what = f"a review of run '{run.name}' is requested" if verdict == "requested" else f"run '{run.name}' is {verdict}"
    say(f"{what}{share_hint(project)}")


def _all_lines(said: CheckedReviews, now: int) -> list[str]:
    lines = [line for review in said.counted for line in _lines(review, now, said.signatures)]
    if said.bad:
        lines.append("not counted, and replacing nothing, since the signature is bad:")
        lines += [line for review in said.bad for line in _lines(review, now, said.signatures)]
    return lines


def _lines(review: Review, now: int, signatures: Signatures) -> list[str]:
    from gittrack.cli.signature_marks import mark
    from gittrack.core.sparkline import format_age

    asked = f" from {display(review.asked)}" if review.asked else ""
    signed = mark(signatures, review.id, review.author)
    head = f"  {review.verdict}{asked} by {display(review.author.name)}, {format_age(now - review.time)}{signed}"
    return [head, *(f"    {display(line)}" for line in review.text.split("\n") if line)]
