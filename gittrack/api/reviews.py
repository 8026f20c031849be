"""Reviews of runs: asked for, accepted, rejected, withdrawn; each an event, so two people never conflict."""

from __future__ import annotations

from collections.abc import Mapping

from gittrack.api.annotate import kept_text, write_fact
from gittrack.api.closing import roll_up_when_crowded
from gittrack.api.project import Project
from gittrack.api.read import SavedRun, find_run
from gittrack.api.signatures import signatures_of
from gittrack.core.ids import EventId
from gittrack.core.records import Subject
from gittrack.core.reviews import ACCEPTED, REJECTED, REQUESTED, Review, reviews, reviews_among, standing, without
from gittrack.core.signatures import BAD, Signature
from gittrack.errors import NotFoundError, UsageError
from gittrack.frozen import dataclass

__all__ = [
    "ACCEPTED",
    "REJECTED",
    "REQUESTED",
    "CheckedReviews",
    "Review",
    "checked_reviews",
    "review_run",
    "reviews_of",
    "standing_of",
    "withdraw_review",
]


def reviews_of(run: SavedRun) -> list[Review]:
    """What people say of a run, oldest first: of each the last word, and the last request."""
    return reviews(run.state)


def standing_of(run: SavedRun) -> str:
    """How a run stands: ``rejected``, ``accepted``, ``requested``, or empty."""
    return standing(reviews_of(run))


@dataclass(frozen=True, slots=True)
class CheckedReviews:
    """What people say of a run, as far as their signatures let it count.

    Attributes:
        counted: of each person the last word, and the last request, oldest first.
        bad: what is signed by a signature that is bad, oldest first: nobody knows who said it, so it replaces nothing.
        signatures: of all these.
    """

    counted: tuple[Review, ...]
    bad: tuple[Review, ...]
    signatures: Mapping[EventId, Signature]

    @property
    def standing(self) -> str:
        """How the run stands: ``rejected``, ``accepted``, ``requested``, or empty."""
        return standing(self.counted)


def checked_reviews(project: Project, run: SavedRun, *, check: bool) -> CheckedReviews:
    """What people say of a run, with their signatures.

    Args:
        project: where.
        run: which.
        check: let git verify the signatures; without it none is known to be bad.

    Raises:
        GitProgramError: git could not check them.
    """
    said = [event for event in run.state.events if event.kind == "approval"]
    signatures = signatures_of(project, said, check=check)
    bad = {id for id, signature in signatures.items() if signature.state == BAD}
    counted = reviews(without(run.state, bad)) if bad else reviews_of(run)
    return CheckedReviews(tuple(counted), tuple(reviews_among(run.state, bad)), signatures)


def review_run(project: Project, address: str, verdict: str, text: str = "", *, asked: str = "") -> SavedRun:
    """Say something of a run, instead of what one said before.

    Args:
        project: where.
        address: the run.
        verdict: ``requested``, ``accepted`` or ``rejected``.
        text: why, or what to look at; secrets in it are masked.
        asked: whom a request asks.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        UsageError: the run has not ended, so nobody can say what it will be.
        InvalidValueError: the text is too long.
    """
    run = find_run(project, address)
    if run.commit is None and verdict != REQUESTED:
        raise UsageError(f"run '{run.name}' has not ended: it can still change", hint=f"gittrack watch {run.id[:8]}")
    extra = {"text": kept_text("a review", "the review", text)} if text else {}
    extra |= {"asked": kept_text("a name", "the name", asked)} if asked else {}
    _state(project, run, verdict, verdict == REQUESTED, extra)
    return find_run(project, run.id)


def withdraw_review(project: Project, address: str) -> SavedRun:
    """Take back whatever one said of a run.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        NotFoundError: one said nothing.
    """
    run = find_run(project, address)
    own = [review for review in reviews_of(run) if review.author.email == project.person.email]
    if not own:
        raise NotFoundError(f"you said nothing of run '{run.name}'", hint=f"gittrack review show {run.id[:8]}")
    for is_request in {review.verdict == REQUESTED for review in own}:
        _state(project, run, None, is_request, {})
    return find_run(project, run.id)


def _state(
    project: Project, run: SavedRun, verdict: str | None, is_request: bool, extra: dict[str, str | None]
) -> None:
    replaced = [
        event.id
        for event in run.state.sets.get("approval", ())
        if event.author == project.person and (event.value == REQUESTED) == is_request
    ]
    write_fact(project, Subject("run", run.id), "approval", verdict, replaces=replaced, extra=extra)
    roll_up_when_crowded(project)
